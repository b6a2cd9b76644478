use super::packets::{Peer, accepted};
use super::*;

/// Tells whether a stack holds neither connections nor buffers.
fn is_empty(statistics: Statistics) -> bool {
    statistics.connections == 0 && statistics.buffer_bytes == 0
}

#[test]
fn sixteen_clients_open_and_close_without_one_refusal() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        tasks.spawn(async move {
            loop {
                let mut stream = listener.accept().await.expect("accepting goes on");
                stream.write_all(b"hello").await.expect("written");
            }
        });
        let mut clients = Vec::new();
        for _ in 0..16 {
            let other = other.clone();
            clients.push(tasks.spawn(async move {
                for _ in 0..2_000 {
                    let stream = Stack::connect(&other, server(80)).await;
                    let mut stream = stream.expect("no connection is refused");
                    let answer = read_to_end(&mut stream).await.expect("served");
                    assert_eq!(answer, b"hello");
                }
            }));
        }
        for client in clients {
            assert_eq!(client.await, Ok(()));
        }
        let statistics = one.statistics();
        assert_eq!(statistics.totals.accepted, 32_000);
        assert_eq!(statistics.totals.dropped_syns, 0);
        assert!(statistics.time_wait <= 4_096);
        tasks.sleep(Duration::from_secs(100)).await;
        assert!(is_empty(one.statistics()) && is_empty(other.statistics()));
    });
}

#[test]
fn a_burst_of_clients_is_served() {
    simulate(|tasks| async move {
        let (one, other) = Link::pair(4_096);
        let one = TcpIp::start(&tasks, one, server_config(), 1);
        let other = TcpIp::start(&tasks, other, client_config(), 2);
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let start = tasks.now();
        let mut clients = Vec::new();
        for _ in 0..1_000 {
            let other = other.clone();
            clients.push(tasks.spawn(async move {
                let mut stream = Stack::connect(&other, server(7)).await.expect("connected");
                stream.write_all(b"x").await.expect("written");
                stream.read_exact(&mut [0; 1]).await.expect("echoed");
                stream
            }));
        }
        let mut streams = Vec::new();
        for client in clients {
            streams.push(client.await.expect("no connection is refused"));
        }
        assert!((tasks.now() - start).as_millis() < 500);
        let totals = one.statistics().totals;
        assert_eq!(totals.dropped_syns, 0);
    });
}

#[test]
fn short_connections_in_a_row_leak_nothing() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        for number in 0..5_000 {
            let mut stream = Stack::connect(&other, server(7)).await.expect("connected");
            stream.write_all(b"x").await.expect("written");
            stream.read_exact(&mut [0; 1]).await.expect("echoed");
            if number % 7 == 0 {
                stream.abort();
            }
        }
        for statistics in [one.statistics(), other.statistics()] {
            assert!(statistics.connections - statistics.time_wait < 70);
        }
        tasks.sleep(Duration::from_secs(100)).await;
        assert!(is_empty(one.statistics()) && is_empty(other.statistics()));
    });
}

#[test]
fn a_thousand_idle_connections_do_not_hinder_another() {
    simulate(|tasks| async move {
        // All probe at the same moment, as no time passes while they connect.
        let (one, other) = Link::pair(4_096);
        let one = TcpIp::start(&tasks, one, server_config(), 1);
        let other = TcpIp::start(&tasks, other, client_config(), 2);
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut idle = Vec::new();
        for _ in 0..1_000 {
            idle.push(Stack::connect(&other, server(7)).await.expect("connected"));
        }
        // Probes keep them alive.
        tasks.sleep(Duration::from_secs(3_600)).await;
        assert_eq!(one.statistics().open, 1_000);
        assert_eq!(one.statistics().buffer_bytes, 0);
        let mut busy = Stack::connect(&other, server(7)).await.expect("connected");
        busy.write_all(b"x").await.expect("written");
        busy.read_exact(&mut [0; 1]).await.expect("echoed");
        drop((busy, idle));
        tasks.sleep(Duration::from_secs(100)).await;
        assert!(is_empty(one.statistics()) && is_empty(other.statistics()));
    });
}

#[test]
fn a_syn_flood_is_bounded_and_others_are_served() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(256);
        let config = Config {
            backlog: 128,
            ..server_config()
        };
        let one = TcpIp::start(&tasks, device, config, 1);
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        for round in 0..100u16 {
            for number in 0..100 {
                peer.source = Ipv4Addr::new(10, 0, 0, 100 + (round % 50) as u8);
                peer.syn(1_024 + round * 100 + number, 80);
            }
            peer.source = CLIENT;
            peer.flush();
            // An honest client among them, which answers at once.
            let server_sequence = peer.handshake(&tasks, 40_000 + round, 80).await;
            let mut stream = listener.accept().await.expect("served");
            stream.write_all(b"hello").await.expect("written");
            let answer = peer.wait_for(&tasks, 40_000 + round, |segment| segment.length == 5);
            assert_eq!(answer.await.sequence, server_sequence);
            stream.abort();
            assert!(one.statistics().half_open <= 128);
            assert!(one.statistics().buffer_bytes <= 8 * 1_024);
        }
        assert!(one.statistics().totals.cookies > 9_000);
        tasks.sleep(Duration::from_secs(30)).await;
        assert!(is_empty(one.statistics()));
    });
}

#[test]
fn connections_that_are_not_accepted_are_bounded() {
    simulate(|tasks| async move {
        let server_config = Config {
            backlog: 4,
            ..server_config()
        };
        let (one, other) = network(&tasks, server_config, client_config());
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let mut streams = Vec::new();
        for _ in 0..4 {
            streams.push(Stack::connect(&other, server(80)).await.expect("connected"));
        }
        let late = tasks.timeout(Duration::from_secs(5), Stack::connect(&other, server(80)));
        assert!(late.await.is_err(), "the SYN gets no answer");
        assert_eq!(one.statistics().waiting, 4);
        let acceptor = tasks.clone();
        tasks.spawn(async move {
            acceptor.sleep(Duration::from_secs(2)).await;
            listener.accept().await.expect("accepted");
            acceptor.sleep(Duration::MAX).await;
        });
        // The SYN is sent again, and then there is room.
        let patient = Stack::connect(&other, server(80)).await;
        assert!(patient.is_ok());
    });
}

#[test]
fn a_burst_at_a_listener_that_does_not_accept_is_bounded() {
    simulate(|tasks| async move {
        let server_config = Config {
            backlog: 4,
            ..server_config()
        };
        let (one, other) = network(&tasks, server_config, client_config());
        let _listener = one.listen(everywhere(80)).await.expect("the port is free");
        for _ in 0..100 {
            let other = other.clone();
            tasks.spawn(async move { Stack::connect(&other, server(80)).await.err() });
        }
        for _ in 0..30 {
            tasks.sleep(Duration::from_secs(1)).await;
            let statistics = one.statistics();
            assert!(statistics.half_open <= 4 && statistics.waiting <= 8);
        }
        assert!(one.statistics().totals.dropped_syns > 0);
    });
}

#[test]
fn max_connections_is_a_bound_on_both_sides() {
    simulate(|tasks| async move {
        let server_config = Config {
            max_connections: 10,
            ..server_config()
        };
        let client_config = Config {
            max_connections: 12,
            ..client_config()
        };
        let (one, other) = network(&tasks, server_config, client_config);
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(Stack::connect(&other, server(7)).await.expect("connected"));
        }
        for _ in 0..2 {
            let other = other.clone();
            tasks.spawn(async move { Stack::connect(&other, server(7)).await.err() });
        }
        tasks.sleep(Duration::from_secs(5)).await;
        // Those without a place stay half open.
        let statistics = one.statistics();
        assert_eq!((statistics.connections, statistics.half_open), (12, 2));
        assert!(statistics.totals.dropped_syns >= 2);
        let refused = Stack::connect(&other, server(7)).await.err();
        assert_eq!(refused, Some(Error::LimitReached));
        // Those that are there go on.
        streams[0].write_all(b"x").await.expect("written");
        streams[0].read_exact(&mut [0; 1]).await.expect("echoed");
        // And when some are closed, there is room for new ones, even in TIME-WAIT.
        streams.clear();
        tasks.sleep(Duration::from_secs(1)).await;
        assert!(other.statistics().time_wait > 0);
        for _ in 0..10 {
            streams.push(Stack::connect(&other, server(7)).await.expect("connected"));
        }
    });
}

#[test]
fn a_client_that_never_reads_stalls_only_itself() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let deaf = Stack::connect(&other, server(80)).await.expect("connected");
        let mut stream = listener.accept().await.expect("accepted");
        let timer = tasks.clone();
        let writer = tasks.spawn(async move {
            let data = pattern(1_000_000);
            let sent = timer.timeout(Duration::from_secs(600), stream.write_all(&data));
            sent.await.is_err()
        });
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_secs(1)).await;
        let mut busy = Stack::connect(&other, server(7)).await.expect("connected");
        for _ in 0..100 {
            busy.write_all(&pattern(1_000)).await.expect("written");
            busy.read_exact(&mut [0; 1_000]).await.expect("echoed");
        }
        assert_eq!(writer.await, Ok(true), "writing waits until it is given up");
        // The server has dropped its stream; it is reset in the end.
        tasks.sleep(Duration::from_secs(60)).await;
        assert_eq!(one.statistics().connections, 1, "only the busy one is left");
        drop(deaf);
    });
}

#[test]
fn a_client_that_vanishes_is_given_up() {
    simulate(|tasks| async move {
        let (_stack, mut stream, peer, _) = accepted(&tasks).await;
        drop(peer);
        let start = tasks.now();
        assert_eq!(stream.read(&mut [0; 1]).await, Err(Error::TimedOut));
        assert!((tasks.now() - start).as_secs() <= 181);
    });
}

#[test]
fn sockets_are_bounded() {
    simulate(|tasks| async move {
        let server_config = Config {
            max_sockets: 2,
            ..server_config()
        };
        let (one, _other) = network(&tasks, server_config, client_config());
        let _listener = one.listen(everywhere(80)).await.expect("one");
        let socket = one.bind(everywhere(53)).await.expect("two");
        assert_eq!(
            one.bind(everywhere(54)).await.err(),
            Some(Error::LimitReached)
        );
        assert_eq!(
            one.listen(everywhere(81)).await.err(),
            Some(Error::LimitReached)
        );
        drop(socket);
        assert!(one.bind(everywhere(53)).await.is_ok());
    });
}
