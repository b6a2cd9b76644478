//! Drives the tool as a user does, on a small workspace and with a script in QEMU's place.

mod build;
mod crashes;
mod images;
mod inspect;
mod monitors;
mod new;
mod run;
mod signals;
mod support;
