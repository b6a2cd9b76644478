//! noop
fn main(){}
