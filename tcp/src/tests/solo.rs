//! One end of a connection whose peer is the test.

use super::*;

/// The numbers of both SYNs.
pub(super) const OURS: Sequence = Sequence(1_000);
pub(super) const THEIRS: Sequence = Sequence(u32::MAX - 100);

/// What was sent: headers, and how many bytes of payload.
#[derive(Default)]
pub(super) struct Sent(pub(super) Vec<(Header, u32)>);

impl Transmit for Sent {
    fn most(&self, size: u32) -> u32 {
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
            pool: Pool::new(crate::Unlimited::default(), 4 << 20),
        }
    }

    /// A connection that the peer has opened, and that takes `window` bytes.
    pub(super) fn accepted(window: u16) -> Self {
        let header = header(Flags::ACK, THEIRS + 1, OURS + 1, window);
        let bytes = encode(&header, &[]);
        let segment = Segment::parse(&bytes).expect("it was made here");
        let agreement = Agreement {
            ours: OURS,
            theirs: THEIRS,
            offer: Offer {
                segment: SIZE,
                shift: None,
                sack: true,
            },
            trip: Some(TRIP),
        };
        Self::of(|now| Connection::accepted(agreement, SIZE, segment.window, settings(), now))
    }

    /// A connection that this end opens.
    pub(super) fn connecting() -> Self {
        Self::of(|now| Connection::connecting(OURS, SIZE, settings(), now))
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

    /// What is sent now.
    pub(super) fn sent(&mut self) -> Vec<(Header, u32)> {
        let mut sent = Sent::default();
        assert!(self.connection.transmit(&mut sent, self.now));
        sent.0
    }

    /// What is sent in the time to come.
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
    sequence: Sequence,
    acknowledged: Sequence,
    window: u16,
) -> Header {
    Header {
        sequence,
        acknowledged,
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
