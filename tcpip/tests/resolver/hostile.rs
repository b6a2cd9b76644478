//! Answers that are forged, malformed or too many.

use super::*;

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
        assert_eq!(rig.asked().len(), 1 + 8);
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
