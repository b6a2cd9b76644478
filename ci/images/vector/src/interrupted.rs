use crate::sum::Numbers;
use core::time::Duration;
use fata_boot::Env;
use fata_boot::rand_core::Rng;
use fata_boot::test_interrupts::Source;

const INTERRUPTS: u64 = 10_000;
/// Up to 2^14 ns with QEMU's timer, which counts nanoseconds.
const LONGEST_COUNT: u32 = 14;

/// Adds the numbers up until many interrupts have come, each at another moment of it.
///
/// # Errors
/// If one of them changed a sum.
pub async fn check(env: &Env, numbers: &Numbers) -> Result<(), &'static str> {
    let source = Source::allocate().ok_or("all vectors are taken")?;
    let mut random = env.rng().map_err(|_| "there are no random numbers")?;
    // The idle loop measures its timer before that is lent.
    env.tasks.sleep(Duration::from_millis(5)).await;
    let mut sums = 0u64;
    for raised in 0..INTERRUPTS {
        if !source.raise_after(random.next_u32() >> (32 - LONGEST_COUNT)) {
            return Err("the timer is taken");
        }
        while source.raised() == raised {
            sums += 1;
            if !numbers.are_right() {
                return Err("an interrupt changed a sum");
            }
        }
        source.event().wait().await;
    }
    log::info!("{sums} sums, {INTERRUPTS} interrupts");
    Ok(())
}
