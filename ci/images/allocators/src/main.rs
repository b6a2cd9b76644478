//! Replays what `site` asked of its heap on several allocators. In a virtual machine it counts
//! ticks, which are instructions where the monitor says so; as a process, nanoseconds.
#![cfg_attr(fata_vm, no_std, no_main)]

extern crate alloc;

mod contestants;
mod measure;
#[cfg_attr(not(test), allow(dead_code, reason = "the recorder writes traces"))]
mod trace;

use contestants::{Contestant, Dlmalloc, LinkedList, Rlsf, Talc};
use fata_boot::{Args, ArgsError, Env, FromArgs};
use measure::{Arena, Trace, measure};

fata_boot::main!(app, Options, heap = LinkedList);

/// `ci/bench record-allocations` makes it.
static TRACE: &[u8] = include_bytes!("../site.trace");
/// Enough for every allocator to hold the blocks of [`mod@measure`].
const ARENA: usize = 192 << 20;

struct Options {
    rounds: usize,
}

impl FromArgs for Options {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        let help = "how often to replay the trace for a median";
        Ok(Self {
            rounds: args.option("rounds", "COUNT", help, 1)?,
        })
    }
}

async fn app(_: Env, options: Options) {
    let mut trace = Trace::new(trace::read(TRACE));
    log::info!("{} operations, {} bytes live", trace.len(), trace.peak);
    let mut run = Run {
        cost: trace.cost(options.rounds, ticks),
        rounds: options.rounds,
        arena: Arena::new(ARENA),
        trace,
    };
    run.report::<LinkedList>();
    run.report::<Talc>();
    run.report::<Rlsf>();
    run.report::<Dlmalloc>();
}

struct Run {
    arena: Arena,
    trace: Trace,
    rounds: usize,
    /// Ticks of a replay without an allocator.
    cost: u64,
}

impl Run {
    /// Measures an allocator and says its name, ticks of the trace on a new and on a fragmented
    /// heap, bytes of the least arena, of the fragmented heap, and of what lived in that.
    fn report<C: Contestant>(&mut self) {
        let figures = measure::<C>(&mut self.arena, &mut self.trace, self.rounds, ticks);
        log::info!(
            "{} {} {} {} {} {}",
            C::NAME,
            figures.fresh.saturating_sub(self.cost),
            figures.fragmented.saturating_sub(self.cost),
            figures.least,
            figures.reached,
            figures.live,
        );
    }
}

#[cfg(fata_vm)]
fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(fata_vm))]
fn ticks() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START
        .get_or_init(std::time::Instant::now)
        .elapsed()
        .as_nanos() as u64
}
