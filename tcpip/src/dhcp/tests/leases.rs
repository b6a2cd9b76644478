//! Tests of leases: parts of a server's messages that the client takes.

use super::*;
use crate::route::Route;
use smoltcp::wire::Ipv4Cidr;

fn network(text: &str) -> Ipv4Cidr {
    text.parse().expect("a network")
}

fn route(text: &str, router: Option<Ipv4Addr>) -> Route {
    Route {
        network: network(text),
        router,
    }
}

#[test]
fn without_a_mask_the_class_of_the_address_counts() {
    for (address, prefix) in [
        ([10, 0, 0, 50], 8),
        ([127, 255, 0, 1], 0),
        ([128, 0, 3, 1], 16),
        ([172, 16, 3, 1], 16),
        ([192, 168, 3, 1], 24),
        ([223, 1, 1, 1], 24),
    ] {
        for options in [&[HOUR][..], &[HOUR, (code::MASK, &[0; 4])]] {
            let mut net = Net::new(1);
            net.next();
            net.say(SERVER, OFFER, address.into(), options);
            if prefix == 0 {
                assert_eq!(net.client.state(), State::Selecting);
                continue;
            }
            net.next();
            net.say(SERVER, ACK, address.into(), options);
            let expected = Ipv4Cidr::new(address.into(), prefix);
            assert_eq!(net.lease().address, expected);
        }
    }
}

#[test]
fn an_offer_that_no_host_can_take_is_named() {
    let cases: [(Ipv4Addr, Options<'_>, &str); 7] = [
        (
            Ipv4Addr::UNSPECIFIED,
            &[MASK, HOUR],
            "0.0.0.0: this address cannot be the one of a host",
        ),
        (Ipv4Addr::BROADCAST, &[HOUR], "255.255.255.255"),
        (Ipv4Addr::new(127, 0, 0, 1), &[HOUR], "127.0.0.1"),
        (
            Ipv4Addr::new(10, 0, 0, 0),
            &[MASK, HOUR],
            "stands for the whole network; give one from 10.0.0.1 to 10.0.0.254",
        ),
        (Ipv4Addr::new(10, 0, 0, 255), &[MASK], "10.0.0.255"),
        (
            OWN,
            &[(code::MASK, &[255, 0, 255, 0])],
            "the mask 255.0.255.0",
        ),
        (OWN, &[(code::KIND, &[1])], "without a message type"),
    ];
    for (address, options, expected) in cases {
        let mut net = Net::new(1);
        net.next();
        let kind = if options[0].0 == code::KIND { 0 } else { OFFER };
        let mut bytes = net.message(SERVER, kind, address, options);
        if kind == 0 {
            // The option of the kind becomes padding.
            bytes[HEADER..HEADER + 3].fill(0);
            let length = bytes.len();
            bytes.truncate(length - 4);
        }
        net.receive(&bytes);
        assert_eq!(net.client.state(), State::Selecting);
        let trouble = net.trouble();
        assert!(trouble.starts_with("the DHCP server 10.0.0.254 "));
        assert!(trouble.contains(expected), "{trouble}");
        // Another server may do better.
        net.say(OTHER, OFFER, OWN, &[MASK, HOUR]);
        assert_eq!(net.client.state(), State::Requesting((OTHER, OWN)));
    }
}

#[test]
fn the_first_router_that_is_another_host_counts() {
    let router = |octets: &[u8]| {
        let net = lent(&[MASK, HOUR, (code::ROUTERS, octets)]);
        net.lease().routes.clone()
    };
    let through = Route::default_through;
    assert_eq!(router(&[10, 0, 0, 254, 10, 0, 0, 253]), [through(SERVER)]);
    assert_eq!(router(&[0, 0, 0, 0, 10, 0, 0, 253]), [through(OTHER)]);
    assert_eq!(router(&[10, 0, 0, 50, 10, 0, 0, 253, 9]), [through(OTHER)]);
    let far = Ipv4Addr::new(169, 254, 1, 1);
    assert_eq!(router(&[169, 254, 1, 1]), [through(far)]);
    assert_eq!(router(&[10, 0, 0]), []);
    assert_eq!(lent(&[MASK, HOUR]).lease().routes, []);
}

#[test]
fn classless_routes_count_in_place_of_routers() {
    let routers: (u8, &[u8]) = (code::ROUTERS, &[10, 0, 0, 253]);
    let routes = |bytes: &[u8]| {
        let net = lent(&[MASK, HOUR, routers, (code::ROUTES, bytes)]);
        net.lease().routes.clone()
    };
    let told = [
        24, 192, 168, 7, 10, 0, 0, 1, // through a router
        32, 169, 254, 169, 254, 0, 0, 0, 0, // a neighbor
        0, 10, 0, 0, 254, // all others
        12, 172, 31, 10, 0, 0, 2, // bits beyond the prefix do not count
    ];
    let expected = [
        route("192.168.7.0/24", Some(Ipv4Addr::new(10, 0, 0, 1))),
        route("169.254.169.254/32", None),
        Route::default_through(SERVER),
        route("172.16.0.0/12", Some(Ipv4Addr::new(10, 0, 0, 2))),
    ];
    assert_eq!(routes(&told), expected);
    // Routes that are cut off, or lead to this host or a group, are passed over.
    assert_eq!(routes(&told[..told.len() - 1]), expected[..3]);
    assert_eq!(
        routes(&[8, 11, 10, 0, 0, 50, 8, 12, 224, 0, 0, 1, 0, 10, 0, 0, 254]),
        [Route::default_through(SERVER)]
    );
    for nonsense in [
        &[][..],
        &[33, 1, 2, 3, 4, 5, 10, 0, 0, 1],
        &[255; 9],
        &[24, 1],
    ] {
        assert_eq!(routes(nonsense), [Route::default_through(OTHER)]);
    }
    // No more than sixteen.
    let many: Vec<u8> = (0..28u8).flat_map(|n| [16, 11, n, 10, 0, 0, 1]).collect();
    assert!((16..=28).contains(&routes(&many).len()));
}

#[test]
fn name_servers_and_mtu() {
    let net = lent(&[
        MASK,
        HOUR,
        (
            code::NAME_SERVERS,
            &[1, 1, 1, 1, 0, 0, 0, 0, 9, 9, 9, 9, 8, 8, 8, 8],
        ),
        (code::MTU, &[5, 120]),
    ]);
    let expected = [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(9, 9, 9, 9)];
    assert_eq!(net.lease().servers, expected);
    assert_eq!(net.lease().mtu, Some(1_400));
    let net = lent(&[MASK, HOUR, (code::MTU, &[5])]);
    assert_eq!(net.lease().mtu, None);
}

#[test]
fn parts_of_an_option_belong_together() {
    // RFC 3396: even a router may be in two parts.
    let net = lent(&[
        MASK,
        (code::ROUTERS, &[10, 0]),
        (code::ROUTES, &[24, 192, 168, 7, 10]),
        HOUR,
        (code::ROUTERS, &[0, 253]),
        (code::ROUTES, &[0, 0, 1]),
    ]);
    let router = Ipv4Addr::new(10, 0, 0, 1);
    assert_eq!(net.lease().routes, [route("192.168.7.0/24", Some(router))]);
}

#[test]
fn options_may_be_where_names_stand() {
    let mut net = Net::new(1);
    for kind in [OFFER, ACK] {
        net.next();
        let mut bytes = net.message(SERVER, kind, OWN, &[(code::OVERLOAD, &[3]), HOUR]);
        // The file first, then the server's name.
        bytes[108..114].copy_from_slice(&[code::ROUTERS, 3, 10, 0, 0, code::END]);
        bytes[44..48].copy_from_slice(&[code::ROUTERS, 1, 253, 0]);
        bytes[48..54].copy_from_slice(&[code::MASK, 4, 255, 255, 0, 0]);
        net.receive(&bytes);
    }
    assert_eq!(net.lease().address, Ipv4Cidr::new(OWN, 16));
    assert_eq!(net.lease().routes, [Route::default_through(OTHER)]);
}

#[test]
fn names_are_no_options() {
    let mut net = Net::new(1);
    for kind in [OFFER, ACK] {
        net.next();
        let mut bytes = net.message(SERVER, kind, OWN, &[MASK, (code::OVERLOAD, &[1])]);
        bytes[44..50].copy_from_slice(&[code::ROUTERS, 4, 10, 0, 0, 253]);
        net.receive(&bytes);
    }
    assert_eq!(net.lease().routes, []);
}

#[test]
fn times_that_contradict_each_other_are_worked_out() {
    // The lease's, the renewal's and the rebinding's time, then when it is renewed and rebound.
    for (told, expected) in [
        ([Some(3_600), None, None], (1_800, 3_150)),
        ([None, None, None], (1_800, 3_150)),
        ([Some(3_600), Some(600), Some(1_200)], (600, 1_200)),
        ([Some(3_600), Some(600), None], (600, 3_150)),
        ([Some(3_600), Some(1_200), Some(600)], (600, 600)),
        ([Some(3_600), Some(4_000), Some(5_000)], (1_800, 3_150)),
        ([Some(3_600), Some(0), Some(0)], (1_800, 3_150)),
        ([Some(3_600), None, Some(1_000)], (1_000, 1_000)),
    ] {
        let told: Vec<(u8, [u8; 4])> = [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME]
            .into_iter()
            .zip(told)
            .filter_map(|(code, time): (u8, Option<u32>)| Some((code, time?.to_be_bytes())))
            .collect();
        let mut options: Vec<(u8, &[u8])> = vec![MASK];
        options.extend(told.iter().map(|(code, time)| (*code, &time[..])));
        let mut net = lent(&options);
        let start = net.now;
        let first = net.next();
        assert_eq!((first.at - start).as_secs(), expected.0, "{options:?}");
        let rebinding = loop {
            if net.client.state() == State::Rebinding {
                break net.now;
            }
            net.next();
        };
        assert_eq!((rebinding - start).as_secs(), expected.1, "{options:?}");
    }
}
