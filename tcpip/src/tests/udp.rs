use super::packets::Peer;
use super::*;

fn spawn_udp_echo(tasks: &Handle, stack: &TcpIp) {
    let stack = stack.clone();
    tasks.spawn(async move {
        let socket = stack.bind(everywhere(7)).await.expect("the port is free");
        let mut buffer = [0; 1_472];
        loop {
            let received = socket.receive_from(&mut buffer).await;
            let (count, sender) = received.expect("receiving goes on");
            let sent = socket.send_to(&buffer[..count], sender).await;
            sent.expect("the sender can be reached");
        }
    });
}

#[test]
fn echo_over_both_families() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_udp_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let socket = other
            .bind(everywhere(0))
            .await
            .expect("there are free ports");
        for address in [IpAddr::from(SERVER), IpAddr::from(SERVER_V6)] {
            for length in [0, 1, 1_000, 1_452] {
                let data = pattern(length);
                let remote = SocketAddr::new(address, 7);
                socket.send_to(&data, remote).await.expect("sent");
                let mut buffer = [0; 2_000];
                let received = socket.receive_from(&mut buffer).await;
                assert_eq!(received, Ok((length, remote)));
                assert_eq!(buffer[..length], data);
            }
        }
    });
}

#[test]
fn answers_leave_before_all_that_waits_is_taken_in() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_udp_echo(&tasks, &one);
        let socket = other.bind(everywhere(0)).await;
        let socket = socket.expect("there are free ports");
        let mut buffer = [0; 10];
        socket.send_to(b"first", server(7)).await.expect("sent");
        socket.receive_from(&mut buffer).await.expect("received");
        let before = one.statistics().device;
        for _ in 0..32 {
            socket.send_to(b"more", server(7)).await.expect("sent");
        }
        for _ in 0..32 {
            socket.receive_from(&mut buffer).await.expect("received");
        }
        let after = one.statistics().device;
        assert_eq!(after.transmitted_frames - before.transmitted_frames, 32);
        // 16 answers, 8, 4 and 4.
        assert_eq!(after.notifications - before.notifications, 4);
    });
}

#[test]
fn many_datagrams_wait_for_room() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let receiver = one.bind(everywhere(9)).await.expect("the port is free");
        let counter = tasks.spawn(async move {
            let mut buffer = [0; 1_400];
            for number in 0..500u16 {
                let (count, _) = receiver.receive_from(&mut buffer).await.expect("received");
                assert_eq!(count, 1_400);
                assert_eq!(buffer[..2], number.to_be_bytes());
            }
        });
        let sender = other
            .bind(everywhere(0))
            .await
            .expect("there are free ports");
        let mut data = pattern(1_400);
        for number in 0..500u16 {
            data[..2].copy_from_slice(&number.to_be_bytes());
            sender.send_to(&data, server(9)).await.expect("sent");
            if number == 0 {
                // Until the neighbor is found, only a few would wait.
                tasks.sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(counter.await, Ok(()));
    });
}

#[test]
fn several_tasks_may_wait_for_room_in_a_socket() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let receiver = one.bind(everywhere(9)).await.expect("the port is free");
        let sender = other.bind(everywhere(0)).await;
        let sender = Rc::new(sender.expect("there are free ports"));
        let mut buffer = [0; 1_400];
        sender.send_to(&buffer, server(9)).await.expect("sent");
        // The neighbor is known then.
        receiver.receive_from(&mut buffer).await.expect("received");
        let senders: Vec<_> = (0..5)
            .map(|_| {
                let sender = Rc::clone(&sender);
                tasks.spawn(async move {
                    for _ in 0..200 {
                        let sent = sender.send_to(&[7; 1_400], server(9)).await;
                        sent.expect("sent");
                    }
                })
            })
            .collect();
        for _ in 0..1_000 {
            receiver.receive_from(&mut buffer).await.expect("received");
        }
        for sender in senders {
            assert_eq!(sender.await, Ok(()));
        }
    });
}

#[test]
fn wrong_destinations_are_refused() {
    simulate(|tasks| async move {
        let (one, _other) = network(&tasks, server_config(), client_config());
        let socket = one.bind(server(0)).await.expect("there are free ports");
        let send = |length: usize, remote: SocketAddr| {
            let socket = &socket;
            async move { socket.send_to(&pattern(length), remote).await }
        };
        let peer = (CLIENT, 9).into();
        assert_eq!(send(1_472, peer).await, Ok(()));
        assert_eq!(send(1_473, peer).await, Err(Error::TooLong));
        assert_eq!(send(1, (CLIENT, 0).into()).await, Err(Error::Unreachable));
        assert_eq!(
            send(1, (CLIENT_V6, 9).into()).await,
            Err(Error::Unreachable)
        );
        let far = (Ipv4Addr::new(192, 168, 7, 7), 9).into();
        assert_eq!(send(1, far).await, Err(Error::Unreachable));
        assert_eq!(
            one.bind(everywhere(socket.local_addr().port())).await.err(),
            Some(Error::AddressInUse)
        );
    });
}

#[test]
fn a_neighbor_that_does_not_answer_holds_up_others_only_shortly() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_udp_echo(&tasks, &one);
        let socket = other
            .bind(everywhere(0))
            .await
            .expect("there are free ports");
        let mut buffer = [0; 10];
        socket.send_to(b"first", server(7)).await.expect("sent");
        socket.receive_from(&mut buffer).await.expect("received");
        let silent = (Ipv4Addr::new(10, 0, 0, 99), 9).into();
        // More than fit, and some of them empty.
        for number in 0..200 {
            let payload = &b"lost"[..number % 5];
            socket.send_to(payload, silent).await.expect("queued");
        }
        let start = tasks.now();
        socket.send_to(b"second", server(7)).await.expect("sent");
        let received = socket.receive_from(&mut buffer).await;
        assert_eq!(received, Ok((6, server(7))));
        assert!((tasks.now() - start).as_millis() < 10);
        tasks.sleep(Duration::from_secs(5)).await;
        assert_eq!(other.statistics().totals.unreachable, 200);
    });
}

#[test]
fn a_forged_sender_does_not_silence_a_socket() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        spawn_udp_echo(&tasks, &stack);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        for forged in 100..140 {
            peer.source = Ipv4Addr::new(10, 0, 0, forged);
            peer.datagram(40_000, 7, b"forged");
        }
        peer.source = CLIENT;
        peer.datagram(40_000, 7, b"honest");
        peer.flush();
        let start = tasks.now();
        let questions = core::cell::Cell::new(0);
        let answer = peer.receive(&tasks, |frame| {
            // To all, ARP, and not the announcement.
            let is_arp = frame[0] == 0xff && frame[12..14] == [8, 6];
            let is_question = is_arp && frame[38..42] != SERVER.octets();
            questions.set(questions.get() + u32::from(is_question));
            frame.ends_with(b"honest").then_some(())
        });
        assert_eq!(answer.await, Some(()));
        assert!((1..=16).contains(&questions.get()));
        assert!((tasks.now() - start).as_millis() < 100);
    });
}

#[test]
fn datagrams_wait_until_a_neighbor_answers() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let socket = stack.bind(server(9)).await.expect("the port is free");
        let mut peer = Peer::new(link);
        for payload in [b"first", b"other"] {
            let sent = socket.send_to(payload, (CLIENT, 9).into()).await;
            sent.expect("queued");
        }
        tasks.sleep(Duration::from_millis(200)).await;
        peer.reply();
        for payload in [b"first", b"other"] {
            let come = peer.receive(&tasks, |frame| frame.ends_with(payload).then_some(()));
            assert_eq!(come.await, Some(()), "in order");
        }
    });
}

#[test]
fn datagrams_to_groups_stay_in_the_local_network() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(64);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let socket = stack.bind(everywhere(9)).await.expect("the port is free");
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234);
        // The place of the hop limit is in the IP header, behind 14 bytes of Ethernet's.
        for (remote, place, expected) in [
            (IpAddr::from(CLIENT), 22, 64),
            (Ipv4Addr::BROADCAST.into(), 22, 64),
            (Ipv4Addr::new(224, 0, 0, 9).into(), 22, 1),
            (group.into(), 21, 1),
        ] {
            let sent = socket.send_to(b"payload", (remote, 9).into()).await;
            sent.expect("queued");
            let come = peer.receive(&tasks, |frame| {
                frame.ends_with(b"payload").then(|| frame[place])
            });
            assert_eq!(come.await, Some(expected), "{remote}");
        }
    });
}

#[test]
fn a_burst_to_a_neighbor_that_is_not_known_yet_loses_nothing() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let receiver = one.bind(everywhere(9)).await.expect("the port is free");
        let sender = other.bind(everywhere(0)).await;
        let sender = sender.expect("there are free ports");
        for number in 0..64 {
            let sent = sender.send_to(&[number], server(9)).await;
            sent.expect("queued");
        }
        let mut buffer = [0; 2];
        for number in 0..64 {
            let received = receiver.receive_from(&mut buffer).await;
            assert_eq!(received.map(|received| received.0), Ok(1));
            assert_eq!(buffer[0], number, "in order");
        }
    });
}

#[test]
fn without_an_address_nothing_is_sent() {
    simulate(|tasks| async move {
        let client_config = Config {
            ipv4: Ipv4Config::Off,
            ipv6: Ipv6Config::Off,
            ..Config::default()
        };
        let (_one, other) = network(&tasks, server_config(), client_config);
        let socket = other
            .bind(everywhere(0))
            .await
            .expect("there are free ports");
        assert_eq!(
            socket.send_to(b"x", server(7)).await,
            Err(Error::NotConfigured)
        );
        let refused = Stack::connect(&other, server(7)).await.err();
        assert_eq!(refused, Some(Error::NotConfigured));
        other.configured().await;
    });
}
