//! Who is heard in which state, and when something is sent.

use super::*;

#[test]
fn an_address_is_discovered_requested_and_lent() {
    let mut net = Net::new(1);
    let discovery = net.sent().expect("it does not wait");
    assert_eq!(discovery.kind(), DISCOVER);
    assert_eq!(discovery.source, Ipv4Addr::UNSPECIFIED);
    assert_eq!((discovery.server, discovery.probes), (None, None));
    let identity = [&[1][..], &MAC.0].concat();
    assert_eq!(discovery.option(code::CLIENT), Some(&identity[..]));
    assert_eq!(discovery.option(code::HOST_NAME), Some(&b"web-1"[..]));
    assert_eq!(discovery.option(code::LONGEST_MESSAGE), Some(&[5, 220][..]));
    let asked = discovery.option(code::REQUEST_LIST).expect("a list");
    assert_eq!(asked, [121, 1, 3, 6, 26, 51, 58, 59]);
    assert_eq!(discovery.bytes.len(), 300);
    net.pass(2);
    net.say(SERVER, OFFER, OWN, &[MASK, HOUR]);
    let request = net.sent().expect("it goes on at once");
    assert_eq!((request.kind(), request.server), (REQUEST, None));
    assert_eq!(request.probes, Some(OWN));
    assert_eq!(
        request.option(code::REQUESTED_ADDRESS),
        Some(&OWN.octets()[..])
    );
    assert_eq!(request.option(code::SERVER), Some(&SERVER.octets()[..]));
    // Transaction and seconds are those of the discovery, and no address is in use.
    assert_eq!(request.bytes[4..20], discovery.bytes[4..20]);
    assert!(net.client.lease().is_none() && !net.client.take_change());
    net.say(SERVER, ACK, OWN, &[MASK, HOUR]);
    assert_eq!(net.client.state(), State::Bound);
    assert!(net.client.take_change() && !net.client.take_change());
    assert_eq!(net.lease().address.address(), OWN);
    assert!(net.sent().is_none());
}

#[test]
fn without_an_answer_it_asks_ever_more_rarely() {
    for seed in 0..50 {
        let mut net = Net::new(seed);
        let mut before = net.next();
        for expected in [4, 8, 16, 32, 64, 64, 64] {
            let next = net.next();
            assert_eq!(next.kind(), DISCOVER);
            let pause = (next.at - before.at).as_millis() as i64;
            assert!((pause - expected * 1_000).abs() <= 1_000, "{pause} ms");
            before = next;
        }
        assert!(
            before.bytes[8..10] != [0, 0],
            "it tells for how long it asks"
        );
        assert_eq!(net.trouble(), "no DHCP server answers");
    }
}

#[test]
fn servers_that_were_not_chosen_have_no_say() {
    let mut net = Net::new(1);
    net.next();
    net.say(SERVER, OFFER, OWN, &[MASK, HOUR]);
    net.next();
    let requesting = State::Requesting((SERVER, OWN));
    let foreign = Ipv4Addr::new(10, 0, 0, 60);
    // An authoritative one refuses what another one has offered; a second one offers late.
    for kind in [NAK, OFFER, ACK] {
        net.say(OTHER, kind, foreign, &[MASK, HOUR]);
        assert_eq!(net.client.state(), requesting);
    }
    net.say(SERVER, ACK, OWN, &[MASK, HOUR]);
    net.say(OTHER, NAK, OWN, &[]);
    net.say(SERVER, NAK, OWN, &[]);
    assert_eq!(net.client.state(), State::Bound);
    assert_eq!(net.next().server, Some(SERVER));
    for kind in [NAK, ACK, OFFER] {
        net.say(OTHER, kind, foreign, &[MASK, HOUR]);
        assert_eq!(net.client.state(), State::Renewing);
    }
    net.say(SERVER, NAK, Ipv4Addr::UNSPECIFIED, &[]);
    assert_eq!(net.client.state(), State::Init);
    assert!(net.client.lease().is_none());
}

#[test]
fn one_that_does_not_name_itself_is_who_sent_the_message() {
    let mut net = Net::new(1);
    net.next();
    net.say(Ipv4Addr::UNSPECIFIED, OFFER, OWN, &[MASK, HOUR]);
    assert_eq!(net.client.state(), State::Requesting((SERVER, OWN)));
}

#[test]
fn other_hosts_and_other_transactions_are_not_answered() {
    let mut net = Net::new(1);
    net.next();
    let right = net.message(SERVER, OFFER, OWN, &[MASK, HOUR]);
    for place in [0, 1, 2, 4, 7, 28, 33, 236, 239] {
        let mut wrong = right.clone();
        wrong[place] ^= 1;
        net.receive(&wrong);
        assert_eq!(net.client.state(), State::Selecting, "byte {place}");
    }
    net.receive(&right[..239]);
    net.receive(&[]);
    assert_eq!(net.client.state(), State::Selecting);
    net.receive(&right);
    assert_eq!(net.client.state(), State::Requesting((SERVER, OWN)));
}

#[test]
fn a_server_that_refuses_all_is_asked_ever_more_rarely() {
    for seed in 0..50 {
        let mut net = Net::new(seed);
        let start = net.now;
        let (mut early, mut rounds) = (0, Vec::new());
        for _ in 0..8 {
            let discovery = net.next();
            assert_eq!(discovery.kind(), DISCOVER);
            net.say(SERVER, OFFER, OWN, &[MASK, HOUR]);
            let request = net.next();
            assert_eq!(request.at, discovery.at);
            net.say(SERVER, NAK, Ipv4Addr::UNSPECIFIED, &[]);
            early += if request.at - start <= Duration::from_secs(5) {
                2
            } else {
                0
            };
            rounds.push(request.at);
        }
        assert!((4..=6).contains(&early), "{early} messages in five seconds");
        let last = rounds[7] - rounds[6];
        assert!(last >= Duration::from_secs(31), "{last:?}");
        assert!(net.trouble().contains("10.0.0.254 refuses"));
        // A lease ends that.
        net.lend(&[MASK, HOUR]);
        assert_eq!(net.trouble(), "no DHCP server answers");
        net.next();
        net.say(SERVER, NAK, Ipv4Addr::UNSPECIFIED, &[]);
        let refused = net.now;
        assert!(net.next().at - refused <= Duration::from_secs(3));
    }
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let mut net = Net::new(1);
    net.next();
    net.say(SERVER, OFFER, OWN, &[MASK, HOUR]);
    let start = net.now;
    for _ in 0..3 {
        assert_eq!(net.next().kind(), REQUEST);
    }
    assert_eq!(net.next().kind(), DISCOVER);
    let time = net.now - start;
    assert!((25..=31).contains(&time.as_secs()), "{time:?}");
    assert!(net.trouble().contains("10.0.0.254 does not confirm"));
}

#[test]
fn a_lease_is_renewed_by_its_server_then_by_any_then_lost() {
    let mut net = lent(&[MASK, HOUR]);
    let start = net.now;
    let since = |sent: &Sent| (sent.at - start).as_secs();
    let mut renewals = Vec::new();
    let rebinding = loop {
        let sent = net.next();
        assert_eq!((sent.kind(), sent.source), (REQUEST, OWN));
        assert_eq!(sent.bytes[12..16], OWN.octets());
        // The server is known, and the address is where it belongs (RFC 2131, table 5).
        assert_eq!(sent.option(code::SERVER), None);
        assert_eq!(sent.option(code::REQUESTED_ADDRESS), None);
        if sent.server.is_none() {
            break sent;
        }
        assert_eq!(sent.server, Some(SERVER));
        renewals.push(since(&sent));
    };
    assert_eq!(renewals, [1_800, 2_475, 2_812, 2_981, 3_065, 3_125]);
    assert_eq!(since(&rebinding), 3_150);
    assert_eq!(net.client.state(), State::Rebinding);
    // A stranger's refusal does not count, its consent does.
    net.say(OTHER, NAK, Ipv4Addr::UNSPECIFIED, &[]);
    assert_eq!(net.client.state(), State::Rebinding);
    let again = net.next();
    assert_eq!((since(&again), again.server), (3_375, None));
    net.say(OTHER, ACK, OWN, &[MASK, HOUR]);
    assert_eq!(net.client.state(), State::Bound);
    net.client.take_change();
    assert_eq!(net.next().server, Some(OTHER));
    assert_eq!(net.now - again.at, Duration::from_secs(1_800));
    // Nobody answers any more.
    let lost = loop {
        let sent = net.next();
        if sent.kind() == DISCOVER {
            break sent;
        }
    };
    assert_eq!(lost.at - again.at, Duration::from_secs(3_600));
    assert!(net.client.take_change() && net.client.lease().is_none());
}

#[test]
fn a_renewal_that_lends_nonsense_changes_nothing() {
    let mut net = lent(&[MASK, HOUR]);
    assert_eq!(net.next().server, Some(SERVER));
    net.say(SERVER, ACK, Ipv4Addr::UNSPECIFIED, &[MASK, HOUR]);
    assert_eq!(net.client.state(), State::Renewing);
    assert_eq!(net.lease().address.address(), OWN);
}

#[test]
fn a_lease_without_an_end_is_not_renewed() {
    let net = lent(&[
        MASK,
        (code::LEASE_TIME, &[255; 4]),
        (code::RENEWAL_TIME, &[0, 0, 0, 60]),
    ]);
    assert_eq!(net.client.deadline(), None);
}

#[test]
fn no_lease_is_so_short_that_it_floods_the_network() {
    for seconds in 0..4 {
        for renewal in [0, 1, 2] {
            let time = |seconds: u8| [0, 0, 0, seconds];
            let (end, renewal) = (time(seconds), time(renewal));
            let options: [(u8, &[u8]); 4] = [
                MASK,
                (code::LEASE_TIME, &end),
                (code::RENEWAL_TIME, &renewal),
                (code::REBINDING_TIME, &renewal),
            ];
            let mut net = lent(&options);
            for _ in 0..10 {
                let before = net.now;
                let sent = net.next();
                assert!(sent.at - before >= Duration::from_secs(10));
                net.say(SERVER, ACK, OWN, &options);
                assert_eq!(net.client.state(), State::Bound);
            }
        }
    }
}

#[test]
fn an_address_that_another_host_has_is_given_back() {
    for answers_before in [true, false] {
        let mut net = Net::new(1);
        net.next();
        net.say(SERVER, OFFER, OWN, &[MASK, HOUR]);
        net.next();
        let (client, random) = (&mut net.client, &mut net.random);
        assert!(!client.note_conflict(OTHER, net.now, random));
        if answers_before {
            assert!(client.note_conflict(OWN, net.now, random));
        }
        net.say(SERVER, ACK, OWN, &[MASK, HOUR]);
        if !answers_before {
            assert!(net.client.lease().is_some());
            net.pass(2);
            let (client, random) = (&mut net.client, &mut net.random);
            assert!(client.note_conflict(OWN, net.now, random));
        }
        assert!(net.client.lease().is_none());
        let declined = net.sent().expect("the server is told");
        assert_eq!((declined.kind(), declined.server), (DECLINE, None));
        assert_eq!(declined.source, Ipv4Addr::UNSPECIFIED);
        let own = OWN.octets();
        assert_eq!(declined.option(code::REQUESTED_ADDRESS), Some(&own[..]));
        assert_eq!(declined.option(code::SERVER), Some(&SERVER.octets()[..]));
        assert!(
            net.trouble()
                .contains("another host has the address 10.0.0.50")
        );
        let again = net.next();
        assert_eq!(again.kind(), DISCOVER);
        assert_eq!(again.at - declined.at, Duration::from_secs(10));
    }
}

#[test]
fn an_address_in_use_is_not_given_back_later() {
    let mut net = lent(&[MASK, HOUR]);
    net.pass(4);
    let (client, random) = (&mut net.client, &mut net.random);
    assert!(!client.note_conflict(OWN, net.now, random));
    assert!(net.client.lease().is_some());
}
