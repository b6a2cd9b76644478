use crate::platform::heap;
use fata_memory::{Budget, Part, Share};

/// One of so many parts of the heap is no lease's: for what takes none, and for the room between
/// blocks.
const SYSTEM: usize = 4;
/// No more than that: what takes none does not grow with the machine.
const MOST_SYSTEM: usize = 6 << 20;
/// While less than one of so many parts of the heap is free, nothing is leased: somebody holds
/// more than was promised.
const RESERVE: usize = 8;
/// No more than that.
const MOST_RESERVE: usize = 4 << 20;
/// One of so many parts of the budget is kept for connections' buffers and state.
const NETWORK: usize = 3;
/// No more than that is kept: idle connections hold no buffers.
const MOST_NETWORK: usize = 10 << 20;

/// The memory that the program's parts may hold for what comes from outside: that of a machine is
/// what is free of its heap, that of a process has no bound.
pub(crate) fn budget() -> Budget {
    let Some(total) = heap::total() else {
        return Budget::unbounded();
    };
    let limit = heap::available(0).saturating_sub((total / SYSTEM).min(MOST_SYSTEM));
    let network = Share {
        floor: (limit / NETWORK).min(MOST_NETWORK),
        most: limit / 2,
    };
    Budget::new(limit)
        .with_share(Part::Network, network)
        .with_gauge((total / RESERVE).min(MOST_RESERVE), heap::available)
}

/// Logs what the parts of the program hold.
#[cfg(feature = "net")]
pub(crate) fn log(statistics: fata_memory::Statistics) {
    for part in Part::ALL {
        let leased = statistics.leased[part as usize] / 1_000;
        let allocated = statistics.allocated.map(|all| all[part as usize] / 1_000);
        match (leased, allocated) {
            (0, None) => {}
            (_, None) => log::info!(target: "stats", "{}: {leased} KB promised", part.name()),
            (_, Some(allocated)) => log::info!(
                target: "stats",
                "{}: {leased} KB promised, {allocated} KB allocated",
                part.name()
            ),
        }
    }
}
