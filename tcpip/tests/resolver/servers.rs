//! Which servers are asked, when, and how often.

use super::*;
use std::collections::BTreeSet;

#[test]
fn silence_is_broken_by_new_questions() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |_| Vec::new()).await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::TimedOut));
        assert_eq!(rig.seconds(), 7);
        let asked = rig.asked();
        let times: Vec<u64> = asked.iter().map(|asked| asked.at / 1_000).collect();
        assert_eq!(times, [0, 1, 3]);
        let ids: BTreeSet<u16> = asked.iter().map(Asked::id).collect();
        let ports: BTreeSet<u16> = asked.iter().map(|asked| asked.client.port()).collect();
        assert_eq!((ids.len(), ports.len()), (3, 3), "each is another question");
        assert!(asked[0].is_extended() && asked[0].cased() != asked[0].name());
        for plain in &asked[1..] {
            assert!(!plain.is_extended() && plain.cased() == plain.name());
        }
    });
}

#[test]
fn the_next_server_is_asked_and_remembered() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER, SERVER_V6], |asked| match asked.server {
            SERVER => Vec::new(),
            _ => plain(asked),
        })
        .await;
        assert!(rig.ipv4("host.example").await.is_ok());
        assert_eq!(rig.seconds(), 1);
        let found = rig
            .resolver
            .lookup_family("host.example", Family::Ipv6)
            .await;
        assert!(found.is_ok());
        assert_eq!(rig.seconds(), 1);
        let servers: Vec<IpAddr> = rig.asked().iter().map(|asked| asked.server).collect();
        assert_eq!(servers, [SERVER, SERVER_V6, SERVER_V6]);
    });
}

#[test]
fn a_server_that_fails_is_not_asked_again() {
    for (code, error) in [(2, ResolveError::ServerFailure), (5, ResolveError::Refused)] {
        simulate(|tasks| async move {
            let rig = Rig::new(&tasks, &[SERVER, SERVER_V6], move |asked| {
                vec![Send(asked.answer(code, &[], &[]))]
            })
            .await;
            assert_eq!(rig.ipv4("host.example").await, Err(error));
            assert_eq!(rig.asked().len(), 2);
            // The stack looks for one neighbor a second.
            assert!(rig.seconds() < 2);
        });
    }
}

#[test]
fn an_old_server_is_asked_the_old_way_at_once() {
    for (code, is_bare) in [(1, false), (1, true), (4, false), (4, true)] {
        simulate(|tasks| async move {
            let rig = Rig::new(&tasks, &[SERVER], move |asked| {
                match (asked.is_extended(), is_bare) {
                    (true, true) => vec![Send(asked.bare(code))],
                    (true, false) => vec![Send(asked.answer(code, &[], &[]))],
                    (false, _) => plain(asked),
                }
            })
            .await;
            assert_eq!(rig.ipv4("host.example").await, Ok(vec![HOST_V4.into()]));
            assert_eq!((rig.asked().len(), rig.seconds()), (2, 0));
            let asked = rig.asked();
            assert!(asked[0].id() != asked[1].id() && asked[0].client != asked[1].client);
            assert!(rig.resolver.reverse(HOST_V4.into()).await.is_ok());
            assert_eq!(rig.asked().len(), 4);
            rig.sleep(60).await;
            assert!(rig.ipv4("host.example").await.is_ok());
            assert_eq!(rig.asked().len(), 5, "the old way comes first");
        });
    }
}

#[test]
fn a_server_that_understands_nothing_is_not_asked_for_ever() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| {
            vec![Send(asked.answer(4, &[], &[]))]
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::BadAnswer));
        assert_eq!((rig.asked().len(), rig.seconds()), (4, 3));
    });
}

#[test]
fn small_letters_cost_time_only_once_in_a_while() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| plain(&asked.lowered())).await;
        let reverse = async || rig.resolver.reverse(HOST_V4.into()).await.is_ok();
        assert!(rig.resolver.lookup("host.example").await.is_ok());
        assert_eq!((rig.asked().len(), rig.seconds()), (4, 1));
        assert!(reverse().await);
        assert_eq!((rig.asked().len(), rig.seconds()), (5, 1));
        rig.sleep(600).await;
        assert!(reverse().await);
        assert!(
            rig.asked()[5].is_extended(),
            "the modern form is tried again"
        );
        assert_eq!((rig.asked().len(), rig.seconds()), (7, 602));
        rig.sleep(60).await;
        assert!(reverse().await);
        assert_eq!((rig.asked().len(), rig.seconds()), (8, 662));
    });
}

#[test]
fn lost_questions_do_not_change_their_form() {
    simulate(|tasks| async move {
        let number = Cell::new(0);
        let rig = Rig::new(&tasks, &[SERVER], move |asked| {
            number.set(number.get() + 1);
            match number.get() {
                1 | 4 => Vec::new(),
                _ => plain(asked),
            }
        })
        .await;
        for _ in 0..4 {
            assert!(rig.ipv4("host.example").await.is_ok());
            rig.sleep(60).await;
        }
        let extended: Vec<bool> = rig.asked().iter().map(Asked::is_extended).collect();
        assert_eq!(extended, [true, false, true, true, false, true]);
    });
}

#[test]
fn a_silent_stream_is_given_up() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |asked| match asked.stream {
            true => vec![Wait(Duration::from_secs(100))],
            false => vec![Send(asked.truncated())],
        })
        .await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::TimedOut));
        assert_eq!(rig.seconds(), 10);
    });
}

#[test]
fn servers_may_come_late_or_never() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[], plain).await;
        assert_eq!(rig.ipv4("host.example").await, Err(ResolveError::NoServers));
        assert_eq!(rig.seconds(), 5);
        let known = Rc::new(Cell::new(false));
        let told = Rc::clone(&known);
        let late = Resolver::new(
            &tasks,
            rig.stack.clone(),
            move || if told.get() { vec![SERVER] } else { Vec::new() },
            Limits::default(),
            [8; 32],
        );
        let lookup = tasks.spawn(async move { late.lookup("host.example").await.is_ok() });
        rig.sleep(3).await;
        known.set(true);
        assert_eq!(lookup.await, Ok(true));
        assert_eq!(rig.seconds(), 8);
    });
}

#[test]
fn a_network_that_fails_is_told() {
    simulate(|tasks| async move {
        const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
        let rig = Rig::new(&tasks, &[FAR], plain).await;
        let error = ResolveError::Network(fata_net::Error::Unreachable);
        assert_eq!(rig.ipv4("host.example").await, Err(error));
        assert_eq!(rig.seconds(), 3, "it might have come up meanwhile");
    });
}

#[test]
fn questions_are_bounded() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, &[SERVER], |_| Vec::new()).await;
        let most = Limits::default().questions;
        let lookups: Vec<_> = (0..=most)
            .map(|number| {
                let resolver = rig.resolver.clone();
                let host = std::format!("host{number}.example");
                tasks.spawn(async move { resolver.lookup_family(&host, Family::Ipv4).await })
            })
            .collect();
        let mut errors = Vec::new();
        for lookup in lookups {
            errors.push(lookup.await.expect("it ends").expect_err("nobody answers"));
        }
        assert_eq!(errors.pop(), Some(ResolveError::LimitReached));
        assert!(errors.iter().all(|error| *error == ResolveError::TimedOut));
        let again = rig.ipv4("host0.example").await;
        assert_eq!(again, Err(ResolveError::TimedOut), "places are given back");
    });
}
