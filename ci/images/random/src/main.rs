//! Prints random numbers: two through a crate that knows nothing of Fata, one for a key of
//! its own.
#![cfg_attr(fata_vm, no_std, no_main)]
#![forbid(unsafe_code)]

use fata_boot::rand_core::Rng;
use fata_boot::{EntropyError, Env};

#[global_allocator]
static HEAP: fata_boot::heap::LinkedList = fata_boot::heap::LinkedList::new();

fata_boot::main!(app);

async fn app(env: Env) -> Result<(), EntropyError> {
    for _ in 0..2 {
        match getrandom::u64() {
            Ok(number) => log::info!("{number:016x}"),
            Err(error) => log::error!("getrandom fails: {error}"),
        }
    }
    log::info!("{:016x}", env.rng()?.next_u64());
    Ok(())
}
