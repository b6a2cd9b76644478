//! Connections make room where the network stack has no place for more.

use embedded_io_async::{Read, Write};
use fata_http::{Client, Response, Server, handler};
use fata_net::{Link, Stack, TcpListener};
use fata_task::{Handle, simulate};
use fata_tcpip::{Config, Ipv4Config, TcpIp};
use std::net::Ipv4Addr;
use std::time::Duration;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PLACES: usize = 10;

fn config(address: Ipv4Addr) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address,
            prefix: 24,
            gateway: None,
        },
        ..Config::default()
    }
}

/// Serves on a stack with [`PLACES`] places. Returns that stack and the clients'.
async fn start(tasks: &Handle) -> (TcpIp, TcpIp) {
    let (one, other) = Link::pair(256);
    let config_of_server = Config {
        max_connections: PLACES,
        ..config(SERVER)
    };
    let server = TcpIp::start(tasks, one, config_of_server, 1);
    let clients = TcpIp::start(tasks, other, config(CLIENT), 2);
    let listener = server.listen((SERVER, 80).into()).await.unwrap();
    assert!(listener.has_room());
    let hello = handler(async |_| Ok(Response::text("Hello, World!")));
    tasks.spawn(Server::new(tasks.clone()).serve(listener, hello));
    (server, clients)
}

/// Waits, in the background, until the server closes.
fn wait(tasks: &Handle, mut stream: impl Read + 'static) {
    tasks.spawn(async move { while let Ok(1..) = stream.read(&mut [0; 100]).await {} });
}

/// Connects and sends `input`, and nothing more.
async fn idle(tasks: &Handle, clients: &TcpIp, input: &'static [u8]) {
    let mut stream = clients.connect((SERVER, 80).into()).await.unwrap();
    stream.write_all(input).await.unwrap();
    wait(tasks, stream);
}

#[test]
fn idle_connections_make_room_in_the_stack() {
    for input in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
        simulate(async |tasks: Handle| {
            let (server, clients) = start(&tasks).await;
            for _ in 0..PLACES {
                idle(&tasks, &clients, input).await;
            }
            tasks.sleep(Duration::from_secs(1)).await;
            let open = server.statistics().open;
            assert!(
                (PLACES - 2..PLACES).contains(&open),
                "one place is enough: {open}"
            );
            for _ in 0..3 * PLACES {
                let start = tasks.now();
                let stream = clients.connect((SERVER, 80).into()).await.unwrap();
                let mut client = Client::new(stream, "h");
                assert!(client.get("/").await.unwrap().status().is_success());
                assert!(tasks.now().since(start) < Duration::from_secs(1));
                wait(&tasks, client.into_inner());
                tasks.sleep(Duration::from_secs(1)).await;
            }
        });
    }
}
