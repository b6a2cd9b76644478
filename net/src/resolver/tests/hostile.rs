//! Answers that are forged, malformed or too many.

use super::message::{Reply, Style, read, write};
use super::*;
use proptest::prelude::*;

/// Wrong in one way each: number, letters' case, type, an answer at all, more questions.
fn forgeries(asked: &Asked) -> Vec<Vec<u8>> {
    let record = address("host.example.", Ipv4Addr::LOCALHOST, 60);
    let right = asked.answer(0, &[record], &[]);
    let end = 12 + asked.cased().len() + 1;
    [
        (0, 1),
        (1, 0x80),
        (2, 0x80),
        (2, 0x08),
        (5, 3),
        (13, 0x20),
        (end + 1, 5),
        (end + 3, 2),
    ]
    .iter()
    .map(|(index, bits)| {
        let mut wrong = right.clone();
        wrong[*index] ^= bits;
        wrong
    })
    .collect()
}

#[test]
fn forged_answers_are_passed_over() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let mut acts: Vec<Act> = forgeries(asked).into_iter().map(Send).collect();
            let record = address("host.example.", Ipv4Addr::LOCALHOST, 60);
            acts.push(Forge(asked.answer(0, &[record], &[])));
            acts.push(Send(Vec::new()));
            acts.extend(plain(asked));
            acts
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Ok(vec![HOST_V4.into()]));
        assert_eq!(rig.asked().len(), 1);
    });
}

#[test]
fn bare_answers_lead_to_the_plain_form_and_nothing_else() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let mut foreign = asked.bare(1);
            foreign[0] ^= 1;
            let others = [0, 2, 3, 5].map(|code| asked.bare(code));
            let mut acts: Vec<Act> = others.into_iter().map(Send).collect();
            acts.push(Send(foreign));
            acts.push(Forge(asked.bare(1)));
            if asked.kind() == AAAA {
                // To the modern form and to the plain one.
                acts.extend([Send(asked.bare(1)), Send(asked.bare(4))]);
            }
            acts.extend(plain(asked));
            acts
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Ok(vec![HOST_V4.into()]));
        assert_eq!(rig.asked().len(), 1);
        let found = rig.resolver.lookup_family("host.example", Family::Ipv6);
        let found = found.await.expect("found");
        assert_eq!(found.as_slice(), [IpAddr::from(HOST_V6)]);
        assert_eq!((rig.asked().len(), rig.seconds()), (3, 0));
        assert!(!rig.asked()[2].is_extended());
    });
}

#[test]
fn a_flood_of_forgeries_leads_to_tcp() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            if asked.stream {
                return plain(asked);
            }
            forgeries(asked)
                .into_iter()
                .cycle()
                .take(200)
                .map(Send)
                .collect()
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Ok(vec![HOST_V4.into()]));
        assert_eq!(rig.seconds(), 0);
        assert!(rig.asked()[1].stream);
    });
}

#[test]
fn circles_of_aliases_end() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let records = [
                alias("host.example.", "b.example.", 60),
                alias("b.example.", "host.example.", 60),
            ];
            vec![Send(asked.answer(0, &records, &[]))]
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::BadAnswer));
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let record = match &asked.name()[..] {
                "a.example." => alias("a.example.", "b.example.", 60),
                _ => alias("b.example.", "a.example.", 60),
            };
            vec![Send(asked.answer(0, &[record], &[]))]
        })
        .await;
        assert_eq!(rig.ipv4("a.example").await, Err(ResolveError::BadAnswer));
        assert_eq!(rig.asked().len(), 1 + message::MOST_ALIASES);
    });
}

#[test]
fn malformed_answers_are_failures() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let record = address("host.example.", HOST_V4, 60);
            let mut answer = asked.answer(0, &[record], &[]);
            answer.truncate(answer.len() - 2);
            vec![Send(answer)]
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::BadAnswer));
        let rig = Rig::new(&tasks, &[SERVER], |asked| match asked.stream {
            // Longer than is accepted.
            true => vec![Send(vec![0; 40_000])],
            false => vec![Send(asked.truncated())],
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::BadAnswer));
    });
}

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
