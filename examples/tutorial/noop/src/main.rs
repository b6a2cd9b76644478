//! A unikernel that does nothing and ends well: how small is small?
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

fata_boot::main!(app, heap = LinkedList);

async fn app(_: fata_boot::Env) {}
