//! A resolver, and servers that answer what bytes say.

use std::prelude::v1::*;
use std::{format, vec};
mod answers;
mod network;

use crate::resolver::{Family, Limits};
use crate::{ResolveError, Resolver};
use fata_task::{Handle, simulate};
use network::{FIRST_SERVER, HONEST, Network, SECOND_SERVER};
use std::net::IpAddr;
use std::time::Duration;

/// How long a lookup may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long addresses may be kept.
const LONGEST: Duration = Duration::from_secs(86_400);
/// For a name and each of its eight aliases, both servers are asked in three rounds, in the
/// first one also in the plain form, over UDP and over TCP.
const MOST_QUESTIONS: usize = 9 * 2 * (3 + 1) * 2;

/// Lets servers answer what the bytes say: the resolver must not panic, stays within its
/// bounds, believes nobody who has not seen the question, and goes on.
pub fn resolver(bytes: &[u8]) {
    let network = Network::new(bytes);
    simulate(|tasks| async move {
        let limits = Limits {
            entries: 4,
            bytes: 2_000,
            ..Limits::default()
        };
        let servers = || vec![FIRST_SERVER, SECOND_SERVER];
        let resolver = Resolver::new(&tasks, network.clone(), servers, limits, [7; 32]);
        while !network.is_at_end() {
            look_up(&tasks, &resolver, &network).await;
        }
        let found = resolver.lookup_family("new.example", Family::Ipv4).await;
        assert_eq!(found.expect("it exists").as_slice(), [IpAddr::V4(HONEST)]);
    });
}

/// One lookup, as the script says.
async fn look_up(tasks: &Handle, resolver: &Resolver<Network>, network: &Network) {
    let (choice, name) = network.with_script(|script| {
        let choice = script.byte();
        let length = usize::from(script.byte() % 80);
        let name = match choice % 8 {
            0 => String::from_utf8_lossy(&script.bytes(length)).into_owned(),
            number => format!("host{number}.example"),
        };
        (choice, name)
    });
    tasks.sleep(Duration::from_secs((choice >> 4).into())).await;
    let start = tasks.now();
    network.begin_lookup();
    let result = if choice & 8 == 0 {
        let family = [Family::Ipv4, Family::Ipv6][usize::from(choice % 2)];
        let found = resolver.lookup_family(&name, family).await;
        found.map(|found| {
            let addresses = found.as_slice();
            assert!((1..=16).contains(&addresses.len()));
            let is_ipv4 = |address: &IpAddr| address.is_ipv4();
            let expected = family == Family::Ipv4;
            assert!(addresses.iter().all(|one| is_ipv4(one) == expected));
            assert!(found.ttl() <= LONGEST || found.ttl() == Duration::MAX);
        })
    } else {
        let address = IpAddr::from([192, 0, 2, choice]);
        resolver.reverse(address).await.map(drop)
    };
    assert!(tasks.now().since(start) <= PATIENCE);
    assert!(network.asked() <= MOST_QUESTIONS);
    if network.was_asked_in_vain() {
        let error = result.expect_err("nobody has answered who has seen the question");
        let is_told = matches!(error, ResolveError::NoSuchName | ResolveError::NoRecord);
        assert!(!is_told, "{error:?}");
    }
}
