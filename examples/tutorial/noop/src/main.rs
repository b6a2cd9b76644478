//! A unikernel that does nothing and ends well: how small is small?
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

#[global_allocator]
static HEAP: fata_boot::heap::LinkedList = fata_boot::heap::LinkedList::new();

fata_boot::main!(app);

async fn app(_: fata_boot::Env) {}
