use core::fmt;

/// Why a device cannot be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetUpError {
    /// The device does not accept the features that it offers (section 3.1.1, step 6).
    FeaturesRefused,
    /// The device has no queue of this number.
    NoQueue(u16),
    /// The queue of this number was set up before.
    QueueInUse(u16),
    /// There is no memory for a queue.
    NoMemory,
    /// The device's configuration ends before a field that its features announce.
    NoField,
    /// The device's configuration never stays the same while it is read.
    Unstable,
    /// The device does not come out of its reset.
    Stuck,
}

impl fmt::Display for SetUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FeaturesRefused => {
                "the virtio device refuses the features that it offers; take options of the \
                 monitor away that others need, such as packed=on"
            }
            Self::NoQueue(number) => {
                return write!(
                    f,
                    "the virtio device has no queue {number}; update the monitor"
                );
            }
            Self::QueueInUse(number) => {
                return write!(
                    f,
                    "queue {number} of the virtio device is in use already; reset the machine"
                );
            }
            Self::NoMemory => "no memory for a virtio queue; give the machine more",
            Self::NoField => {
                "the virtio device's configuration ends before what its features announce; update \
                 the monitor"
            }
            Self::Unstable => {
                "the virtio device's configuration changes all the time; the monitor is faulty or \
                 hostile"
            }
            Self::Stuck => "the virtio device does not reset; its backend may be blocked",
        })
    }
}

impl core::error::Error for SetUpError {}

/// Why a queue does not do what it was asked for.
///
/// [`Full`](Self::Full) and [`InvalidChain`](Self::InvalidChain) leave the queue as it was.
/// The others are violations of the specification by the device, which the queue keeps: from
/// then on each call returns the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueError {
    /// There are not enough free descriptors; they come back by [`pop`](crate::SplitQueue::pop).
    Full,
    /// The buffer has no bytes, too many segments or bytes, or a segment for the device to
    /// read behind one for it to write.
    InvalidChain,
    /// The device claims to have used more buffers than it has.
    UsedIndex {
        /// How many it claims to have used.
        claimed: u16,
        /// How many it has.
        outstanding: u16,
    },
    /// The device returned this chain, which it does not have.
    UsedId(u32),
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full; take used buffers out first"),
            Self::InvalidChain => f.write_str(
                "not a buffer for a queue: it needs one to 4 Gi bytes, those that the device \
                 reads first",
            ),
            Self::UsedIndex {
                claimed,
                outstanding,
            } => write!(
                f,
                "the device returned {claimed} buffers, but was given {outstanding}; the monitor is \
                 faulty or hostile"
            ),
            Self::UsedId(id) => write!(
                f,
                "the device returned buffer {id}, which it was not given; the monitor is faulty or \
                 hostile"
            ),
        }
    }
}

impl core::error::Error for QueueError {}

/// A buffer that a queue did not take.
pub struct Rejected<B> {
    /// The buffer.
    pub buffer: B,
    /// Why the queue did not take it.
    pub reason: QueueError,
}

impl<B> fmt::Debug for Rejected<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
