//! Adds up vectors while interrupts come: in AVX's registers where the processor has them, and
//! says so. No interrupt may change a sum.
#![cfg_attr(fata_vm, no_std, no_main)]

extern crate alloc;

#[cfg(fata_vm)]
mod interrupted;
mod sum;

use fata_boot::Env;

fata_boot::main!(app, heap = LinkedList);

// How RustCrypto's crates ask.
cpufeatures::new!(avx2, "avx2");

async fn app(env: Env) -> Result<(), &'static str> {
    let has_avx2 = avx2::get();
    log::info!("avx2: {has_avx2}");
    let numbers = sum::Numbers::new(has_avx2);
    #[cfg(fata_vm)]
    interrupted::check(&env, &numbers).await?;
    #[cfg(not(fata_vm))]
    let _ = env;
    match numbers.are_right() {
        true => Ok(()),
        false => Err("a sum is wrong"),
    }
}
