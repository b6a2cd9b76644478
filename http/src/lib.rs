//! http
#![no_std]
