//! Prints two random numbers, which it gets through a crate that knows nothing of Fata.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

use fata_boot::Env;

#[global_allocator]
static HEAP: fata_boot::heap::LinkedList = fata_boot::heap::LinkedList::new();

fata_boot::main!(app);

async fn app(_: Env) -> Result<(), getrandom::Error> {
    for _ in 0..2 {
        log::info!("{:016x}", getrandom::u64()?);
    }
    Ok(())
}
