//! Holds the structure of the code against the rules: the table of crates and their layers, and
//! no circles of imports between files.

mod circles;
mod crates;
mod fixture;
mod graph;
mod known;
mod packages;
mod references;
mod source;
mod tree;
