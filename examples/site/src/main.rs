//! A folder of pages.
fn main() {}
