//! Tests of answers and their treatment.

use super::*;
use embedded_nal_async::{AddrType, Dns};

#[test]
fn both_families_are_found_and_kept_for_their_time() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], plain).await;
        let found = rig.resolver.lookup("Host.Example").await.expect("found");
        assert_eq!(found.as_slice(), [IpAddr::from(HOST_V6), HOST_V4.into()]);
        assert_eq!(found.ttl(), Duration::from_secs(60));
        rig.sleep(59).await;
        let found = rig.resolver.lookup("host.example.").await.expect("found");
        assert_eq!(found.ttl().as_secs(), 1, "rounded to the second");
        let mut log = rig.log();
        log.sort();
        assert_eq!(log, ["host.example. 1", "host.example. 28"]);
        rig.sleep(2).await;
        assert!(rig.resolver.lookup("host.example").await.is_ok());
        assert_eq!(rig.asked().len(), 4);
    });
}

#[test]
fn equal_questions_at_the_same_time_are_one() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let mut acts = vec![Wait(Duration::from_millis(100))];
            acts.extend(plain(asked));
            acts
        })
        .await;
        let lookups = [(); 5].map(|()| {
            let resolver = rig.resolver.clone();
            tasks.spawn(async move { resolver.lookup("host.example").await })
        });
        // Whoever has asked first may lose interest.
        lookups[0].cancel();
        for lookup in lookups.into_iter().skip(1) {
            assert!(matches!(lookup.await, Ok(Ok(_))));
        }
        assert_eq!(rig.asked().len(), 2);
    });
}

#[test]
fn aliases_are_followed() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let records = [
                address("c.example.", HOST_V4, 60),
                alias("b.example.", "C.example.", 20),
                alias("a.example.", "b.example.", 40),
                address("other.example.", Ipv4Addr::LOCALHOST, 5),
            ];
            vec![Send(asked.answer(0, &records, &[]))]
        })
        .await;
        let found = rig.resolver.lookup_family("a.example", Family::Ipv4).await;
        let found = found.expect("found");
        assert_eq!(found.as_slice(), [IpAddr::from(HOST_V4)]);
        assert_eq!(found.ttl(), Duration::from_secs(20), "the least on the way");
    });
}

#[test]
fn an_alias_alone_is_asked_for() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let record = match &asked.name()[..] {
                "a.example." => alias("a.example.", "b.example.", 30),
                _ => address("b.example.", HOST_V4, 60),
            };
            vec![Send(asked.answer(0, &[record], &[]))]
        })
        .await;
        assert_eq!(rig.ipv4("a.example").await, Ok(vec![HOST_V4.into()]));
        assert_eq!(rig.log(), ["a.example. 1", "b.example. 1"]);
        rig.sleep(29).await;
        assert!(rig.ipv4("a.example").await.is_ok());
        assert_eq!(rig.asked().len(), 2);
        rig.sleep(2).await;
        assert!(rig.ipv4("a.example").await.is_ok());
        assert_eq!(rig.asked().len(), 4);
    });
}

#[test]
fn eight_aliases_are_followed_and_not_nine() {
    const NAMES: [&str; 10] = [
        "a0.example.",
        "a1.example.",
        "a2.example.",
        "a3.example.",
        "a4.example.",
        "a5.example.",
        "a6.example.",
        "a7.example.",
        "a8.example.",
        "a9.example.",
    ];
    for at_once in [true, false] {
        for (last, expected) in [
            (8, Ok(vec![HOST_V4.into()])),
            (9, Err(ResolveError::BadAnswer)),
        ] {
            simulate(|tasks| async move {
                let rig = Rig::new(&tasks, &[SERVER], move |asked| {
                    let names = NAMES[..last].iter().zip(&NAMES[1..]);
                    let records: Vec<Record> = names
                        .map(|(name, target)| alias(name, target, 60))
                        .chain([address(NAMES[last], HOST_V4, 60)])
                        .filter(|record| at_once || asked.name() == record.name)
                        .collect();
                    vec![Send(asked.answer(0, &records, &[]))]
                })
                .await;
                assert_eq!(rig.ipv4("a0.example").await, expected);
                assert_eq!(rig.asked().len(), if at_once { 1 } else { 9 });
            });
        }
    }
}

#[test]
fn what_does_not_exist_is_kept_as_the_zone_says() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            let answer = match &asked.name()[..] {
                "none.example." => asked.answer(3, &[], &[zone(600, 30)]),
                "bare.example." => asked.answer(0, &[], &[zone(20, 600)]),
                _ => asked.answer(3, &[], &[]),
            };
            vec![Send(answer)]
        })
        .await;
        for (name, error, ttl) in [
            ("none.example", ResolveError::NoSuchName, 30),
            ("bare.example", ResolveError::NoRecord, 20),
        ] {
            let before = rig.asked().len();
            assert_eq!(rig.ipv4(name).await, Err(error));
            rig.sleep(ttl - 1).await;
            assert_eq!(rig.ipv4(name).await, Err(error));
            assert_eq!(rig.asked().len(), before + 1, "{name}");
            rig.sleep(2).await;
            assert_eq!(rig.ipv4(name).await, Err(error));
            assert_eq!(rig.asked().len(), before + 2, "{name}");
        }
        let before = rig.asked().len();
        for _ in 0..2 {
            assert_eq!(
                rig.ipv4("gone.example").await,
                Err(ResolveError::NoSuchName)
            );
        }
        assert_eq!(rig.asked().len(), before + 2, "without a zone, not kept");
    });
}

#[test]
fn one_family_is_enough() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| match asked.kind() {
            A => plain(asked),
            _ => vec![Send(asked.answer(2, &[], &[]))],
        })
        .await;
        let found = rig.resolver.lookup("host.example").await.expect("found");
        assert_eq!(found.as_slice(), [IpAddr::from(HOST_V4)]);
    });
}

#[test]
fn the_failure_that_tells_more_is_told() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| match asked.kind() {
            A => vec![Send(asked.answer(5, &[], &[]))],
            _ => vec![Send(asked.answer(0, &[], &[]))],
        })
        .await;
        let found = rig.resolver.lookup("host.example").await;
        assert_eq!(found, Err(ResolveError::Refused));
    });
}

#[test]
fn a_long_answer_comes_by_tcp() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            if !asked.stream {
                return vec![Send(asked.truncated())];
            }
            let record = |last| address("host.example.", Ipv4Addr::new(192, 0, 2, last), 60);
            let records: Vec<Record> = (0..200).map(record).collect();
            vec![Send(asked.answer(0, &records, &[]))]
        })
        .await;
        let found = rig.ipv4("host.example").await.expect("found");
        assert_eq!(found.len(), 16, "and no more");
        assert_eq!(found[1], IpAddr::from([192, 0, 2, 1]));
        let asked = rig.asked();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].stream && asked[0].id() != asked[1].id());
    });
}

#[test]
fn addresses_have_names_and_foreign_crates_may_ask() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], plain).await;
        let resolver = &rig.resolver;
        let name = resolver.reverse(HOST_V4.into()).await;
        assert_eq!(name.as_deref(), Ok("Host.example"));
        assert_eq!(rig.log(), ["7.2.0.192.in-addr.arpa. 12"]);
        let mut buffer = [0; 255];
        let length = resolver
            .get_host_by_address(HOST_V4.into(), &mut buffer)
            .await;
        assert_eq!((length, &buffer[..12]), (Ok(12), &b"Host.example"[..]));
        let short = resolver
            .get_host_by_address(HOST_V4.into(), &mut buffer[..11])
            .await;
        assert_eq!(short, Err(ResolveError::BufferTooSmall));
        for (kind, expected) in [
            (AddrType::IPv4, IpAddr::from(HOST_V4)),
            (AddrType::IPv6, HOST_V6.into()),
            (AddrType::Either, HOST_V4.into()),
        ] {
            let found = resolver.get_host_by_name("host.example", kind).await;
            assert_eq!(found, Ok(expected));
        }
    });
}

#[test]
fn some_names_need_no_server() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[], plain).await;
        let found = async |host| match rig.resolver.lookup(host).await {
            Ok(found) => Ok((found.as_slice().to_vec(), found.ttl())),
            Err(error) => Err(error),
        };
        let loopback = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        assert_eq!(found("localhost").await, Ok((loopback, Duration::MAX)));
        let literal = vec![HOST_V6.into()];
        assert_eq!(found("2001:db8::7").await, Ok((literal, Duration::MAX)));
        assert_eq!(found("a.invalid").await, Err(ResolveError::NoSuchName));
        assert_eq!(found("not a name").await, Err(ResolveError::InvalidName));
        assert_eq!(tasks.now().as_millis(), 0);
    });
}
