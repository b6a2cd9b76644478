//! The server's limits: of time, of connections and of memory.

use crate::common::{duplex, serve, statuses};
use crate::{app, large};
use embedded_io_async::Write;
use fata_http::{Limits, Server};
use fata_task::{Handle, simulate};
use std::time::Duration;

#[test]
fn slow_clients_are_cut_off() {
    simulate(async |tasks: Handle| {
        let limits = Limits::default();
        let network = serve(&tasks, Server::new(tasks.clone()), app());
        let start = tasks.now();

        let mut idle = network.connect();
        assert_eq!(idle.read_to_end().await, b"");
        assert_eq!(tasks.now().since(start), limits.idle_timeout);

        let start = tasks.now();
        let mut slow = network.connect();
        let feeder = tasks.clone();
        let mut head = network.connect();
        let feed = async {
            for byte in b"GET /not/so/fast HTTP/1.1\r\n" {
                feeder.sleep(Duration::from_secs(1)).await;
                if slow.write(&[*byte]).await.is_err() {
                    break;
                }
            }
            slow.read_to_end().await
        };
        let answer = feed.await;
        assert_eq!(statuses(&answer), [408]);
        // Ten seconds from the first byte, which came after one.
        let taken = tasks.now().since(start);
        assert!(
            taken >= Duration::from_secs(11) && taken < Duration::from_secs(15),
            "{taken:?}"
        );

        let start = tasks.now();
        head.write(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(statuses(&head.read_to_end().await), [408]);
        assert!(tasks.now().since(start) >= limits.body_timeout);
    });
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    simulate(async |tasks: Handle| {
        let (mut client, mut stream) = duplex(4096);
        client
            .write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let server = Server::new(tasks.clone());
        server.serve_connection(&mut stream, None, &large()).await;
        assert_eq!(tasks.now().as_millis(), 20_000);
    });
}

#[test]
fn limits_of_connections() {
    simulate(async |tasks: Handle| {
        let limits = Limits {
            connections: 2,
            ..Limits::default()
        };
        let network = serve(&tasks, Server::new(tasks.clone()).limits(limits), app());
        let mut clients: Vec<_> = (0..4).map(|_| network.connect()).collect();
        tasks.sleep(Duration::from_millis(100)).await;
        assert_eq!(
            network.waiting(),
            1,
            "one is accepted and waits for a place"
        );
        for client in &mut clients {
            client
                .write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                .await
                .unwrap();
        }
        for mut client in clients {
            let answer = client.read_until("World!").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"));
        }
        assert_eq!(network.waiting(), 0);
        assert!(
            tasks.now().as_millis() < 5_000,
            "nobody waited for an idle connection"
        );
    });
}

#[test]
fn idle_connections_make_room() {
    simulate(async |tasks: Handle| {
        let limits = Limits {
            connections: 10,
            ..Limits::default()
        };
        let network = serve(&tasks, Server::new(tasks.clone()).limits(limits), app());
        let mut idle: Vec<_> = (0..10).map(|_| network.connect()).collect();
        tasks.sleep(Duration::from_secs(5)).await;
        let get = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        for _ in 0..3 {
            let mut client = network.connect();
            client.write(get).await.unwrap();
            assert_eq!(statuses(&client.read_to_end().await), [200]);
        }
        assert!(tasks.now().as_millis() < 6_000);
        let closed = idle.iter_mut().filter(|client| client.is_closed()).count();
        assert_eq!(closed, 1, "one place was enough");
    });
}

#[test]
fn heads_that_never_end_make_room() {
    simulate(async |tasks: Handle| {
        let limits = Limits {
            connections: 10,
            ..Limits::default()
        };
        let network = serve(&tasks, Server::new(tasks.clone()).limits(limits), app());
        let mut slow: Vec<_> = (0..10).map(|_| network.connect()).collect();
        for byte in b"GET / HT" {
            for client in &mut slow {
                client.write(&[*byte]).await.unwrap();
            }
            tasks.sleep(Duration::from_millis(500)).await;
        }
        let get = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let start = tasks.now();
        for _ in 0..3 {
            let mut client = network.connect();
            client.write(get).await.unwrap();
            assert_eq!(statuses(&client.read_to_end().await), [200]);
        }
        assert!(tasks.now().since(start) < Duration::from_secs(1));
        let closed = slow.iter().filter(|client| client.is_closed()).count();
        assert_eq!(closed, 1, "one place was enough");
    });
}

#[test]
fn pipelined_answers_without_bodies_do_not_pile_up() {
    simulate(async |tasks: Handle| {
        let (mut client, mut stream) = duplex(100_000);
        let input = "GET /none HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2_000);
        client.write(input.as_bytes()).await.unwrap();
        client.finish();
        let limits = Limits {
            write_buffer: 1_000,
            ..Limits::default()
        };
        let server = Server::new(tasks).limits(limits);
        let reading = async {
            let answers = client.read_to_end().await;
            assert_eq!(statuses(&answers), [204; 2_000]);
        };
        let serving = async {
            server.serve_connection(&mut stream, None, &app()).await;
            assert!(stream.writes > 100, "{}", stream.writes);
            stream.finish();
        };
        fata_task::join(reading, serving).await;
    });
}
