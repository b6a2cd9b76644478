use core::num::NonZeroU64;
use core::time::Duration;

/// The fate of the frames that go one way through an [`ImpairedNet`](super::ImpairedNet). By
/// default they pass unharmed.
///
/// Shares are between 0, never, and 1, always. Each frame meets its fate by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// The share of frames that are lost.
    pub loss: f64,
    /// The share of frames that come twice. Neither is lost, and the second follows the first
    /// as a frame of its own: it may be late, and takes its time on the line.
    pub duplication: f64,
    /// The share of frames in which one bit is turned over, anywhere in them. No checksum is
    /// corrected after that, and the device does not vouch for the frame.
    pub corruption: f64,
    /// The share of frames that are late by [`lag`](Self::lag), so that those behind them
    /// overtake them.
    pub reordering: f64,
    /// How much longer than the others a late frame takes.
    pub lag: Duration,
    /// How long every frame takes.
    pub delay: Duration,
    /// Each frame takes longer by up to that much, evenly spread. Frames do not overtake each
    /// other through it: one that would waits for the one before.
    pub jitter: Duration,
    /// Bits that pass a second, of the frames from the destination address to the last byte of
    /// the payload; all that come if `None`. Those that wait are counted in `queue`.
    pub rate: Option<NonZeroU64>,
    /// How many frames are held at a time. Those beyond are lost.
    pub queue: usize,
}

impl Default for Impairment {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplication: 0.0,
            corruption: 0.0,
            reordering: 0.0,
            lag: Duration::from_millis(1),
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: 1_000,
        }
    }
}

impl Impairment {
    /// How long a frame of `length` bytes is on the line.
    pub(super) fn time_on_line(&self, length: usize) -> Duration {
        const NANOS: u128 = 1_000_000_000;
        let nanos = self.rate.map_or(0, |rate| {
            length as u128 * 8 * NANOS / u128::from(rate.get())
        });
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Counts of what happened to the frames that went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImpairmentCounts {
    /// Frames that came in; those that had to be cut as their pieces.
    pub frames: u64,
    /// Frames that were lost by chance.
    pub lost: u64,
    /// Frames that came twice.
    pub duplicated: u64,
    /// Frames in which a bit was turned over.
    pub corrupted: u64,
    /// Frames that were late, duplicates among them.
    pub reordered: u64,
    /// Frames that were lost because the queue was full, duplicates among them.
    pub overflowed: u64,
}
