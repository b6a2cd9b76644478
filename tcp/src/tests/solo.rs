//! One end of a connection whose peer is the test.

use super::*;

/// The numbers of both SYNs: ISS and IRS of the end.
pub(super) const ISS: Sequence = Sequence(1_000);
pub(super) const IRS: Sequence = Sequence(u32::MAX - 100);

/// Segments that were sent: headers, and how many bytes of payload.
#[derive(Default)]
pub(super) struct Sent(pub(super) Vec<(Header, u32)>);

impl Transmit for Sent {
    fn max_payload(&self, size: u32) -> u32 {
        size
    }

    fn send(&mut self, header: &Header, payload: (&[u8], &[u8]), _: u32) -> bool {
        let length = payload.0.len() + payload.1.len();
        self.0.push((*header, length as u32));
        true
    }
}

pub(super) struct Solo {
    pub(super) connection: Connection,
    pub(super) now: Instant,
    pool: Pool,
}

impl Solo {
    fn of(make: impl FnOnce(Instant) -> Connection) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            connection: make(now),
            now,
            pool: Pool::new(crate::Unlimited, 4 << 20),
        }
    }

    /// A connection that the peer has opened, and that takes `window` bytes.
    pub(super) fn accepted(window: u16) -> Self {
        let header = header(Flags::ACK, IRS + 1, ISS + 1, window);
        let bytes = encode(&header, &[]);
        let segment = Segment::parse(&bytes).expect("it was made here");
        let negotiated = Negotiated {
            iss: ISS,
            irs: IRS,
            peer: PeerOptions {
                maximum_segment_size: MSS,
                window_scale: None,
                sack_permitted: true,
            },
            rtt: Some(RTT),
        };
        Self::of(|now| Connection::accepted(negotiated, MSS, segment.window, settings(), now))
    }

    /// A connection that this end opens.
    pub(super) fn connecting() -> Self {
        Self::of(|now| Connection::connecting(ISS, MSS, settings(), now))
    }

    /// Has a segment arrive.
    pub(super) fn receive(&mut self, header: Header, payload: &[u8]) {
        let bytes = encode(&header, payload);
        let segment = Segment::parse(&bytes).expect("it was made here");
        self.connection.receive(&segment, &mut self.pool, self.now);
    }

    pub(super) fn write(&mut self, length: usize) {
        let written = self.connection.write(&pattern(length, 0), &mut self.pool);
        assert_eq!(written, length);
    }

    /// The segments that are sent now.
    pub(super) fn sent(&mut self) -> Vec<(Header, u32)> {
        let mut sent = Sent::default();
        assert!(self.connection.transmit(&mut sent, self.now));
        sent.0
    }

    /// The segments that are sent in the time to come.
    pub(super) fn sent_within(&mut self, time: Duration) -> Vec<(Header, u32)> {
        let end = self.now + time;
        let mut sent = self.sent();
        while let Some(due) = self.connection.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.connection.expire(self.now);
            sent.extend(self.sent());
        }
        self.now = end;
        sent
    }
}

/// A header without options.
pub(super) fn header(
    flags: Flags,
    sequence_number: Sequence,
    acknowledgment_number: Sequence,
    window: u16,
) -> Header {
    Header {
        sequence_number,
        acknowledgment_number,
        flags,
        window,
        options: Options::None,
    }
}

fn encode(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; header.length()];
    header.encode(1, 2, &mut bytes);
    bytes.extend(payload);
    bytes
}
