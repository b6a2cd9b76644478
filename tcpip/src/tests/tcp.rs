use super::packets::{Peer, SEQUENCE, segment};
use super::*;
use core::cell::Cell;
use smoltcp::wire::{TcpControl, TcpRepr};

#[test]
fn echo_over_both_families() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_echo(&tasks, &one);
        yield_a_little(&tasks).await;
        for address in [IpAddr::from(SERVER), IpAddr::from(SERVER_V6)] {
            let remote = SocketAddr::new(address, 7);
            let mut stream = Stack::connect(&other, remote).await.expect("connected");
            assert_eq!(stream.peer_addr(), remote);
            let data = pattern(300);
            stream.write_all(&data).await.expect("written");
            let mut answer = vec![0; 300];
            stream.read_exact(&mut answer).await.expect("echoed");
            assert_eq!(answer, data);
        }
    });
}

/// Lets the tasks that were just spawned run once.
async fn yield_a_little(tasks: &Handle) {
    tasks.sleep(Duration::from_millis(1)).await;
}

/// Connects a pair of streams: the server's and the client's.
async fn pair(one: &TcpIp, other: &TcpIp) -> (TcpStream, TcpStream) {
    let listener = one.listen(everywhere(80)).await.expect("the port is free");
    let client = Stack::connect(other, server(80)).await.expect("connected");
    let server = listener.accept().await.expect("accepted");
    assert_eq!(server.peer_addr(), client.local_addr());
    assert_eq!(server.local_addr(), client.peer_addr());
    (server, client)
}

#[test]
fn each_side_can_close_first_and_go_on_reading() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        for server_first in [false, true] {
            let (server, client) = pair(&one, &other).await;
            let (mut first, mut second) = match server_first {
                true => (server, client),
                false => (client, server),
            };
            first.write_all(b"last words").await.expect("written");
            first.shutdown().await.expect("closed");
            assert_eq!(first.write(b"more").await, Err(Error::Closed));
            assert_eq!(read_to_end(&mut second).await.expect("read"), b"last words");
            let data = pattern(50_000);
            let sent = data.clone();
            let writer = tasks.spawn(async move {
                second.write_all(&sent).await.expect("written");
                drop(second);
            });
            assert_eq!(read_to_end(&mut first).await.expect("read"), data);
            assert_eq!(first.read(&mut [0; 10]).await, Ok(0));
            assert_eq!(writer.await, Ok(()));
        }
    });
}

#[test]
fn data_before_a_fin_is_read_even_much_later() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        for closes_first in [false, true] {
            let (mut server, mut client) = pair(&one, &other).await;
            if closes_first {
                server.shutdown().await.expect("closed");
                yield_a_little(&tasks).await;
            }
            client.write_all(b"still here").await.expect("written");
            drop(client);
            tasks.sleep(Duration::from_secs(100)).await;
            assert_eq!(read_to_end(&mut server).await.expect("read"), b"still here");
        }
    });
}

#[test]
fn a_reset_fails_reads_and_writes() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let (mut server, mut client) = pair(&one, &other).await;
        let reader = tasks.spawn(async move {
            let read = server.read(&mut [0; 10]).await;
            (read, server.write(b"x").await)
        });
        yield_a_little(&tasks).await;
        client.abort();
        assert_eq!(client.write(b"x").await, Err(Error::Closed));
        let reset = Err(Error::ConnectionReset);
        assert_eq!(reader.await, Ok((reset, reset)));
    });
}

#[test]
fn nobody_listens() {
    simulate(|tasks| async move {
        let (_one, other) = network(&tasks, server_config(), client_config());
        let refused = Stack::connect(&other, server(81)).await.err();
        assert_eq!(refused, Some(Error::ConnectionRefused));
        let nowhere = (Ipv4Addr::new(192, 168, 7, 7), 80).into();
        let unreachable = Stack::connect(&other, nowhere).await.err();
        assert_eq!(unreachable, Some(Error::Unreachable));
        for own in [CLIENT, Ipv4Addr::LOCALHOST] {
            let result = Stack::connect(&other, (own, 80).into()).await.err();
            assert_eq!(result, Some(Error::Unreachable));
        }
        let start = tasks.now();
        let silent = (Ipv4Addr::new(10, 0, 0, 99), 80).into();
        let late = Stack::connect(&other, silent).await.err();
        assert_eq!(late, Some(Error::TimedOut));
        assert_eq!((tasks.now() - start).as_secs(), 30);
        // The RST cannot be sent.
        tasks.sleep(Duration::from_secs(2)).await;
        assert_eq!(other.statistics().connections, 0);
    });
}

#[test]
fn connecting_can_be_cancelled() {
    simulate(|tasks| async move {
        let (_one, other) = network(&tasks, server_config(), client_config());
        let silent = (Ipv4Addr::new(10, 0, 0, 99), 80).into();
        let connect = Stack::connect(&other, silent);
        let late = tasks.timeout(Duration::from_secs(1), connect).await;
        assert!(late.is_err());
        assert_eq!(other.statistics().connections, 0);
    });
}

#[test]
fn a_port_can_be_used_again_during_time_wait() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(256);
        let one = TcpIp::start(&tasks, device, server_config(), 1);
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        for round in 0..3 {
            // Sequence numbers go on, as those of real hosts.
            peer.sequence = SEQUENCE + round * 1_000;
            let next = peer.handshake(&tasks, 40_000, 80).await;
            drop(listener.accept().await.expect("accepted"));
            let fin = |segment: packets::Segment| segment.control == TcpControl::Fin;
            peer.wait_for(&tasks, 40_000, fin).await;
            let fin = TcpRepr {
                control: TcpControl::Fin,
                ..segment(peer.sequence + 1, Some(next + 1))
            };
            peer.segment(40_000, 80, fin);
            peer.flush();
            let empty = |segment: packets::Segment| segment.control == TcpControl::None;
            peer.wait_for(&tasks, 40_000, empty).await;
            assert_eq!(one.statistics().time_wait, 1);
        }
    });
}

#[test]
fn halves_work_in_two_tasks() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        spawn_echo(&tasks, &one);
        yield_a_little(&tasks).await;
        let stream = Stack::connect(&other, server(7)).await.expect("connected");
        let (mut reader, mut writer) = stream.split();
        let data = pattern(100_000);
        let sent = data.clone();
        tasks.spawn(async move {
            writer.write_all(&sent).await.expect("written");
            writer.shutdown().expect("closed");
        });
        assert_eq!(read_to_end(&mut reader).await.expect("read"), data);
        drop(reader);
        assert_eq!(other.statistics().time_wait, 1);
        tasks.sleep(Duration::from_secs(61)).await;
        assert_eq!(other.statistics().connections, 0);
        assert_eq!(one.statistics().connections, 0);
    });
}

#[test]
fn listeners_conflict_and_free_their_port() {
    simulate(|tasks| async move {
        let (one, other) = network(&tasks, server_config(), client_config());
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        assert_eq!(
            one.listen(server(80)).await.err(),
            Some(Error::AddressInUse)
        );
        let foreign = one.listen((CLIENT, 90).into()).await.err();
        assert_eq!(foreign, Some(Error::AddressNotAvailable));
        let chosen = one
            .listen(everywhere(0))
            .await
            .expect("there are free ports");
        assert!(chosen.local_addr().port() >= 49_152);
        let mut client = Stack::connect(&other, server(80)).await.expect("connected");
        drop(listener);
        assert_eq!(client.read(&mut [0; 1]).await, Err(Error::ConnectionReset));
        let again = one
            .listen(server(80))
            .await
            .expect("the port is free again");
        let client = Stack::connect(&other, server(80)).await;
        assert!(client.is_ok() && again.accept().await.is_ok());
    });
}

#[test]
fn lost_frames_are_sent_again() {
    for lost_of in [3, 7, 20] {
        simulate(|tasks| async move {
            let (mut one, mut other) = Link::pair(64);
            for (end, seed) in [(&mut one, 5), (&mut other, 6)] {
                let mut random = ports::Random::new(seed);
                end.set_filter(move |_| !random.next().is_multiple_of(lost_of));
            }
            let one = TcpIp::start(&tasks, one, server_config(), 1);
            let other = TcpIp::start(&tasks, other, client_config(), 2);
            let listener = one.listen(everywhere(80)).await.expect("the port is free");
            let data = pattern(60_000);
            let sent = data.clone();
            let client = other.clone();
            tasks.spawn(async move {
                let mut stream = Stack::connect(&client, server(80))
                    .await
                    .expect("connected");
                stream.write_all(&sent).await.expect("written");
                stream.shutdown().await.expect("closed");
                assert_eq!(stream.read(&mut [0; 1]).await, Ok(0));
            });
            let mut stream = listener.accept().await.expect("accepted");
            assert_eq!(read_to_end(&mut stream).await.expect("read"), data);
        });
    }
}

#[test]
fn bytes_are_read_in_place_and_by_copies_alike() {
    for lost_of in [5, 1_000_000] {
        simulate(|tasks| async move {
            let (mut one, mut other) = Link::pair(64);
            for (end, seed) in [(&mut one, 5), (&mut other, 6)] {
                let mut random = ports::Random::new(seed);
                end.set_filter(move |_| !random.next().is_multiple_of(lost_of));
            }
            let one = TcpIp::start(&tasks, one, server_config(), 1);
            let other = TcpIp::start(&tasks, other, client_config(), 2);
            let (mut server, mut client) = pair(&one, &other).await;
            let data = pattern(300_000);
            let sent = data.clone();
            tasks.spawn(async move {
                client.write_all(&sent).await.expect("written");
                client.shutdown().await.expect("closed");
            });
            let (mut read, mut random) = (Vec::new(), ports::Random::new(9));
            loop {
                let there = server.fill_buf().await.expect("read");
                if there.is_empty() {
                    break;
                }
                let count = 1 + random.next() as usize % there.len();
                if random.next().is_multiple_of(3) {
                    let mut buffer = vec![0; count];
                    let count = server.read(&mut buffer).await.expect("read");
                    read.extend_from_slice(&buffer[..count]);
                } else {
                    read.extend_from_slice(&there[..count]);
                    server.consume(count);
                }
            }
            assert_eq!(read, data);
            // Memory that is held at the end is given back, too.
            drop(server);
            tasks.sleep(Duration::from_secs(100)).await;
            assert_eq!(one.statistics().buffer_bytes, 0);
        });
    }
}

#[test]
fn a_small_device_queue_only_slows_down() {
    simulate(|tasks| async move {
        let (one, other) = Link::pair(1);
        let one = TcpIp::start(&tasks, one, server_config(), 1);
        let other = TcpIp::start(&tasks, other, client_config(), 2);
        let (mut server, mut client) = pair(&one, &other).await;
        let data = pattern(40_000);
        let sent = data.clone();
        tasks.spawn(async move { client.write_all(&sent).await });
        assert_eq!(read_to_end(&mut server).await.expect("read"), data);
    });
}

#[test]
fn answers_travel_in_batches() {
    struct Counting(Link, Rc<Cell<Option<fata_net::Counters>>>);
    impl Net for Counting {
        type Frame = fata_net::LinkFrame;
        fn mac(&self) -> fata_net::MacAddress {
            self.0.mac()
        }
        fn mtu(&self) -> usize {
            self.0.mtu()
        }
        fn counters(&self) -> fata_net::Counters {
            self.0.counters()
        }
        fn receive(&mut self) -> Option<fata_net::LinkFrame> {
            self.0.receive()
        }
        fn recycle(&mut self, frame: fata_net::LinkFrame) {
            self.0.recycle(frame);
        }
        fn can_transmit(&mut self) -> bool {
            self.0.can_transmit()
        }
        fn transmit_offloaded<R>(
            &mut self,
            length: usize,
            fill: impl FnOnce(&mut [u8]) -> (R, fata_net::Offload),
        ) -> Result<R, fata_net::TransmitError> {
            self.0.transmit_offloaded(length, fill)
        }
        fn flush(&mut self) {
            self.0.flush();
            self.1.set(Some(self.0.counters()));
        }
        fn poll_ready(&mut self, context: &mut core::task::Context<'_>) -> core::task::Poll<()> {
            self.0.poll_ready(context)
        }
    }
    simulate(|tasks| async move {
        let (one, other) = Link::pair(256);
        let counters = Rc::new(Cell::new(None));
        let counting = Counting(one, Rc::clone(&counters));
        let one = TcpIp::start(&tasks, counting, server_config(), 1);
        let other = TcpIp::start(&tasks, other, client_config(), 2);
        spawn_echo(&tasks, &one);
        yield_a_little(&tasks).await;
        let mut streams = Vec::new();
        for _ in 0..16 {
            streams.push(Stack::connect(&other, server(7)).await.expect("connected"));
        }
        tasks.sleep(Duration::from_secs(1)).await;
        let before = counters.get().expect("flushed");
        for _ in 0..10 {
            for stream in &mut streams {
                stream.write_all(b"request").await.expect("written");
            }
            for stream in &mut streams {
                let mut answer = [0; 7];
                stream.read_exact(&mut answer).await.expect("answered");
            }
        }
        let after = counters.get().expect("flushed");
        // An answer carries the acknowledgement of its request, and sixteen go together.
        assert_eq!(after.transmitted_frames - before.transmitted_frames, 160);
        assert_eq!(after.notifications - before.notifications, 10);
    });
}
