use super::frame::Tuple;
use fata_tcp::Sequence;
use smoltcp::wire::EthernetAddress;

/// The answer to a SYN of which nothing else is kept.
pub(super) struct Cookie {
    pub(super) iss: Sequence,
    pub(super) irs: Sequence,
    pub(super) tuple: Tuple,
    pub(super) hardware: EthernetAddress,
}
