//! Connections that go on after an answer.

mod common;

use common::{Stream, serve};
use embedded_io_async::Write;
use fata_http::{Limits, Response, Server, handler};
use fata_task::{Handle, simulate};
use std::time::Duration;

/// A server that has places for so many connections.
fn start(tasks: &Handle, connections: usize) -> common::Network {
    let limits = Limits {
        connections,
        ..Limits::default()
    };
    let hello = handler(async |_| Ok(Response::text("Hello, World!")));
    serve(tasks, Server::new(tasks.clone()).limits(limits), hello)
}

/// Asks once. Returns whether the connection goes on.
async fn ask(client: &mut Stream) -> bool {
    let get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    client.write_all(get).await.unwrap();
    let answer = client.read_until("Hello, World!").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    !answer.contains("Connection: close")
}

#[test]
fn all_places_may_be_taken() {
    for connections in [1, 2] {
        simulate(async |tasks: Handle| {
            let network = start(&tasks, connections);
            let mut clients: Vec<_> = (0..connections).map(|_| network.connect()).collect();
            for _ in 0..3 {
                for client in &mut clients {
                    assert!(ask(client).await, "nobody waits for a place");
                }
                tasks.sleep(Duration::from_secs(1)).await;
            }
        });
    }
}

#[test]
fn busy_connections_make_room_only_while_others_wait() {
    simulate(async |tasks: Handle| {
        let network = start(&tasks, 1);
        let mut first = network.connect();
        assert!(ask(&mut first).await);
        let mut second = network.connect();
        tasks.sleep(Duration::from_millis(10)).await;
        assert!(!ask(&mut first).await, "the second waits");
        drop(first);
        for _ in 0..3 {
            assert!(ask(&mut second).await);
        }
        assert!(tasks.now().as_millis() < 100);
    });
}
