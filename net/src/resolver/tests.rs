//! Answers that are damaged, read back.

extern crate std;

use super::message::{self, Reply, Style, read, write};
use super::*;
use crate::testing::dns::{Asked, address, alias, zone};
use core::net::Ipv4Addr;
use proptest::prelude::*;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const HOST_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn question(kind: Kind) -> Question {
    let Ok(Host::Name(name)) = Host::parse("host.example") else {
        panic!("it is a name");
    };
    Question { name, kind }
}

/// A question, and how a server sees it.
fn asked(kind: Kind) -> (Question, message::Query, Asked) {
    let style = Style {
        id: 0x1234,
        large: [0x5a; 32],
        extended: true,
    };
    let question = question(kind);
    let query = write(&question, &style).expect("it fits");
    let asked = Asked {
        bytes: query.as_dgram_slice().to_vec(),
        at: 0,
        server: SERVER,
        client: (Ipv4Addr::LOCALHOST, 1).into(),
        stream: false,
    };
    (question, query, asked)
}

#[test]
fn a_pointer_to_itself_is_malformed() {
    let (question, query, asked) = asked(Kind::Ipv4);
    let mut answer = asked.answer(0, &[address(".", HOST_V4, 60)], &[]);
    let name = query.as_dgram_slice().len() - 11;
    // The owner's name, a root label, becomes a pointer to this pointer.
    answer.splice(name..=name, [0xc0, name as u8]);
    let reply = read(&answer, &query, &question);
    assert_eq!(reply, Some(Reply::Failure(ResolveError::BadAnswer)));
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for kind in [Kind::Ipv4, Kind::Ipv6, Kind::Pointer] {
            let (question, query, asked) = asked(kind);
            prop_assert_eq!(read(&bytes, &query, &question), None);
            // The same behind a head that belongs to the question.
            let mut answer = asked.answer(0, &[], &[]);
            answer[7] = 4;
            answer[9] = 2;
            answer.extend_from_slice(&bytes);
            read(&answer, &query, &question);
        }
    }

    #[test]
    fn damaged_answers_can_be_read(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let (question, query, asked) = asked(Kind::Ipv4);
        let records = [
            alias("host.example.", "b.example.", 60),
            address("b.example.", HOST_V4, 60),
        ];
        let mut answer = asked.answer(0, &records, &[zone(1, 2)]);
        for (index, byte) in damage {
            let index = index.index(answer.len());
            answer[index] = byte;
        }
        read(&answer[..length.index(answer.len() + 1)], &query, &question);
    }
}
