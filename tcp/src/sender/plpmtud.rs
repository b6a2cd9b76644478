//! PLPMTUD (RFC 4821, RFC 8899): the search for the longest segments of a path whose routers drop
//! longer ones without a word.
//!
//! Nothing of it is held until there is a suspicion (black hole detection): a segment of full size
//! that was lost twice in a row, in retransmission timeouts. Then shorter ones are sent, and now
//! and then a probe that is longer. All sizes here are bytes of payload.

use crate::segment::Range;
use core::time::Duration;
use fata_time::Instant;

/// The search ends so near to the limit.
const PROBE_PRECISION: u32 = 16;
/// Then the longest segments are tried again after so long (RFC 8899, section 5.1.1): the path may
/// be another one.
const PMTU_RAISE_TIMER: Duration = Duration::from_secs(600);

/// The state of the search.
pub(super) struct Plpmtud {
    /// MAX_PLPMTU: the longest segments that both ends take.
    pub(super) max_plpmtu: u32,
    /// The shortest size that did not arrive; beyond MAX_PLPMTU if none is known.
    pub(super) failed_size: u32,
    /// The time of the next probe.
    pub(super) due: Instant,
    /// The probe that is in flight.
    pub(super) probe: Option<Range>,
}

impl Plpmtud {
    /// PROBED_SIZE: the size of the next probe.
    pub(super) fn probed_size(&self, mss: u32) -> u32 {
        if self.failed_size > self.max_plpmtu {
            self.max_plpmtu
        } else {
            mss + (self.failed_size - mss) / 2
        }
    }

    /// Decides when to go on, now that segments of `mss` bytes are known to arrive.
    pub(super) fn schedule_probe(&mut self, mss: u32, now: Instant) {
        self.due = now;
        if self.failed_size - mss <= PROBE_PRECISION {
            self.failed_size = self.max_plpmtu + 1;
            self.due = now + PMTU_RAISE_TIMER;
        }
    }
}
