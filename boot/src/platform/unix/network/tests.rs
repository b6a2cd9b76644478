//! The host's stack under the event loop of a process, on the loopback interface.

use super::*;
use crate::platform;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use embedded_io_async::{Read, Write};
use fata_net::host::{HostListener, HostStream};
use fata_net::{Error, Stack as _, TcpListener, TcpStream, UdpSocket};
use fata_task::{Executor, Handle, join, yield_now};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::vec::Vec;

const ANY_PORT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// A test that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test with a stack that has room for `connections`.
fn with_stack<F: Future<Output = ()>>(
    connections: usize,
    test: impl FnOnce(Handle, HostStack) -> F,
) {
    let executor = Executor::new(platform::clock());
    let idler = platform::idle();
    let tasks = executor.handle();
    let limits = Limits {
        connections,
        ..Limits::default()
    };
    let stack = HostStack::new(&tasks, idler.reactor(), limits);
    let test = tasks.timeout(PATIENCE, test(tasks.clone(), stack));
    let ended = executor.block_on(&idler, test);
    assert!(ended.is_ok(), "the test hangs");
}

async fn pair(stack: &HostStack) -> (HostStream, HostStream) {
    let listener = stack.listen(ANY_PORT).await.unwrap();
    let connecting = stack.connect(listener.local_addr());
    let (near, far) = join(connecting, listener.accept()).await;
    (near.unwrap(), far.unwrap())
}

async fn serve_echo(tasks: Handle, listener: HostListener) {
    loop {
        let stream = listener.accept().await.unwrap();
        tasks.spawn(echo(stream));
    }
}

async fn echo(mut stream: HostStream) {
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Reads all that comes until the peer's end.
async fn read_all(stream: &mut impl Read<Error = Error>) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            length => all.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn a_thousand_connections_echo_at_a_time() {
    const CLIENTS: usize = 1_000;
    raise_descriptor_limit();
    with_stack(2 * CLIENTS, |tasks, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let address = listener.local_addr();
        let server = tasks.spawn(serve_echo(tasks.clone(), listener));
        let mut streams = Vec::new();
        for _ in 0..CLIENTS {
            streams.push(stack.connect(address).await.unwrap());
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&number.to_le_bytes()).await.unwrap();
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut answer = [0; size_of::<usize>()];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(usize::from_le_bytes(answer), number);
        }
        assert_eq!(stack.connections(), 2 * CLIENTS);
        drop(streams);
        while stack.connections() > 0 {
            tasks.sleep(Duration::from_millis(1)).await;
        }
        server.cancel();
    });
}

#[test]
fn bulk_data_comes_through_in_order_and_with_back_pressure() {
    const LENGTH: usize = 8 << 20;
    with_stack(2, |tasks, stack| async move {
        let (near, far) = pair(&stack).await;
        let (mut reader, mut writer) = near.split();
        let sent: Vec<u8> = (0..LENGTH).map(|n| (n ^ n >> 8) as u8).collect();
        let expected = sent.clone();
        tasks.spawn(async move {
            let (mut reader, mut writer) = far.split();
            let mut buffer = [0; 10_000];
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                writer.write_all(&buffer[..length]).await.unwrap();
            }
        });
        tasks.spawn(async move { writer.write_all(&sent).await.unwrap() });
        let mut received = std::vec![0; LENGTH];
        reader.read_exact(&mut received).await.unwrap();
        assert!(received == expected);
    });
}

#[test]
fn a_half_closed_connection_still_carries_the_other_way() {
    with_stack(2, |_, stack| async move {
        let (mut near, mut far) = pair(&stack).await;
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(near.write(b"more").await, Err(Error::Closed));
        assert_eq!(read_all(&mut far).await.unwrap(), b"question");
        assert_eq!(far.read(&mut [0; 8]).await, Ok(0), "the end stays the end");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        assert_eq!(read_all(&mut near).await.unwrap(), b"answer");
    });
}

#[test]
fn an_end_that_comes_with_the_last_bytes_is_seen() {
    with_stack(2, |tasks, stack| async move {
        let (mut near, mut far) = pair(&stack).await;
        far.write_all(b"last").await.unwrap();
        drop(far);
        // Bytes and end are one report of the event loop.
        tasks.sleep(Duration::from_millis(1)).await;
        let mut buffer = [0; 100];
        assert_eq!(near.read(&mut buffer).await, Ok(4));
        assert_eq!(near.read(&mut buffer).await, Ok(0));
    });
}

#[test]
fn an_abort_resets_the_connection() {
    with_stack(2, |_, stack| async move {
        let (mut near, mut far) = pair(&stack).await;
        near.abort();
        let mut buffer = [0; 8];
        assert_eq!(far.read(&mut buffer).await, Err(Error::ConnectionReset));
        assert_eq!(near.write(b"x").await, Err(Error::Closed));
        assert_eq!(near.read(&mut buffer).await, Err(Error::ConnectionReset));
    });
}

#[test]
fn what_was_written_arrives_though_input_was_left_unread() {
    with_stack(2, |tasks, stack| async move {
        let (mut near, mut far) = pair(&stack).await;
        near.write_all(b"nobody reads all of this").await.unwrap();
        far.read_exact(&mut [0]).await.unwrap();
        far.write_all(b"goodbye").await.unwrap();
        drop(far);
        assert_eq!(read_all(&mut near).await.unwrap(), b"goodbye");
        assert_eq!(stack.connections(), 2, "the far side lingers");
        drop(near);
        while stack.connections() > 0 {
            tasks.sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn at_the_limit_accepting_waits_and_connecting_fails() {
    with_stack(3, |tasks, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let address = listener.local_addr();
        let (first, accepted) = join(stack.connect(address), listener.accept()).await;
        let _second = stack.connect(address).await.unwrap();
        assert!(matches!(
            stack.connect(address).await,
            Err(Error::LimitReached)
        ));
        let accepting = tasks.spawn(async move { listener.accept().await.map(drop) });
        tasks.sleep(Duration::from_millis(1)).await;
        assert!(!accepting.is_finished());
        drop((first, accepted));
        assert_eq!(accepting.await, Ok(Ok(())));
    });
}

#[test]
fn failures_have_names() {
    with_stack(10, |_, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let address = listener.local_addr();
        assert!(matches!(
            stack.listen(address).await,
            Err(Error::AddressInUse)
        ));
        drop(listener);
        assert!(matches!(
            stack.connect(address).await,
            Err(Error::ConnectionRefused)
        ));
        let foreign = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0));
        assert!(matches!(
            stack.bind(foreign).await,
            Err(Error::AddressNotAvailable)
        ));
        assert_eq!(stack.connections(), 0);
    });
}

#[test]
fn ipv6_takes_ipv4_peers_too() {
    with_stack(2, |_, stack| async move {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listener = stack.listen(everywhere).await.unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().port()));
        let (near, far) = join(stack.connect(address), listener.accept()).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        assert_eq!(far.peer_addr(), near.local_addr());
        assert_eq!(far.local_addr(), near.peer_addr());
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    with_stack(2, |tasks, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let never = tasks.timeout(Duration::from_millis(1), listener.accept());
        assert!(never.await.is_err());
        let connected = stack.connect(listener.local_addr()).await;
        assert!(connected.is_ok() && listener.accept().await.is_ok());
    });
}

/// The host says whether there is room by giving a connection, if one waits.
#[test]
fn asking_for_room_loses_no_connection() {
    with_stack(1, |tasks, stack| async move {
        let listener = Rc::new(stack.listen(ANY_PORT).await.unwrap());
        let address = listener.local_addr();
        let connect = || std::net::TcpStream::connect(address).unwrap();
        for asks_before in [false, true] {
            let accepting = Rc::clone(&listener);
            let accepting = tasks.spawn(async move { accepting.accept().await.map(drop) });
            tasks.sleep(Duration::from_millis(1)).await;
            // None waits, which the task that does must not take for news.
            assert!(!asks_before || listener.has_room());
            let _client = connect();
            assert!(asks_before || listener.has_room());
            assert_eq!(accepting.await, Ok(Ok(())));
        }
        // Nor does one take a place twice.
        let _client = connect();
        assert!(listener.has_room() && listener.has_room());
        let accepted = listener.accept().await.unwrap();
        assert!(!listener.has_room());
        drop(accepted);
    });
}

#[test]
fn one_busy_connection_does_not_starve_the_others() {
    with_stack(4, |tasks, stack| async move {
        let (mut busy, mut source) = pair(&stack).await;
        let (mut near, mut far) = pair(&stack).await;
        tasks.spawn(async move { while source.write_all(&[0; 4_096]).await.is_ok() {} });
        tasks.spawn(async move { while let Ok(1..) = busy.read(&mut [0; 64]).await {} });
        for _ in 0..100 {
            near.write_all(b"ping").await.unwrap();
            far.read_exact(&mut [0; 4]).await.unwrap();
            yield_now().await;
        }
    });
}

#[test]
fn connections_that_send_come_before_those_that_do_not() {
    with_stack(8, |_, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        listener.peers_send_first();
        let address = listener.local_addr();
        let mut silent = stack.connect(address).await.unwrap();
        let mut quick = stack.connect(address).await.unwrap();
        for client in [&mut quick, &mut silent] {
            client.write_all(b"x").await.unwrap();
            let mut accepted = listener.accept().await.unwrap();
            assert_eq!(accepted.peer_addr(), client.local_addr());
            accepted.read_exact(&mut [0]).await.unwrap();
        }
        // Nor does one have to wait for ever that sends nothing.
        let silent = stack.connect(address).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        assert_eq!(accepted.peer_addr(), silent.local_addr());
    });
}

/// A peer with Nagle's algorithm sends the next bytes once these are acknowledged.
#[test]
fn bytes_that_get_no_answer_yet_are_acknowledged_at_once() {
    with_stack(1, |tasks, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
        std::io::Write::write_all(&mut client, b"half a request").unwrap();
        let mut stream = listener.accept().await.unwrap();
        stream.read_exact(&mut [0; 14]).await.unwrap();
        let more = tasks.timeout(Duration::ZERO, stream.read(&mut [0])).await;
        assert!(more.is_err(), "there is no more");
        assert_eq!(unacknowledged(&client), 0);
    });
}

/// How many bytes were sent and not acknowledged yet.
fn unacknowledged(stream: &std::net::TcpStream) -> i32 {
    let mut count = 0;
    // SAFETY: the host writes an `int`, which lives for the call.
    let status = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    assert_eq!(status, 0);
    count
}

#[test]
fn an_end_that_is_announced_and_does_not_come_keeps_nothing_back() {
    with_stack(2, |_, stack| async move {
        let (mut near, mut far) = pair(&stack).await;
        near.announce_end();
        for part in [b"one", b"two"] {
            near.write_all(part).await.unwrap();
            let mut buffer = [0; 3];
            far.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, part);
        }
        near.write_all(b"end").await.unwrap();
        drop(near);
        assert_eq!(read_all(&mut far).await.unwrap(), b"end");
    });
}

#[test]
fn a_connection_that_was_reset_before_it_is_accepted_harms_no_other() {
    with_stack(8, |_, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let address = listener.local_addr();
        for _ in 0..3 {
            stack.connect(address).await.unwrap().abort();
        }
        let near = stack.connect(address).await.unwrap();
        loop {
            // Linux hands out the others, too, as connections that have failed.
            let mut far = listener.accept().await.unwrap();
            if far.peer_addr() == near.local_addr() {
                break;
            }
            assert_eq!(far.read(&mut [0]).await, Err(Error::ConnectionReset));
        }
    });
}

#[test]
fn an_ipv4_address_in_the_form_of_ipv6_is_reached() {
    with_stack(2, |_, stack| async move {
        let listener = stack.listen(ANY_PORT).await.unwrap();
        let port = listener.local_addr().port();
        let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port));
        let (near, far) = join(stack.connect(mapped), listener.accept()).await;
        assert_eq!(near.unwrap().peer_addr(), far.unwrap().local_addr());
    });
}

#[test]
fn datagrams_of_both_families() {
    with_stack(0, |_, stack| async move {
        let server = stack
            .bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
            .await
            .unwrap();
        let port = server.local_addr().port();
        let client = Rc::new(stack.bind(ANY_PORT).await.unwrap());
        let receiver = Rc::clone(&client);
        let echoing = async {
            let mut buffer = [0; 5];
            let (length, sender) = server.receive_from(&mut buffer).await.unwrap();
            assert_eq!(sender, client.local_addr());
            server.send_to(&buffer[..length], sender).await.unwrap();
        };
        let asking = async {
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            client.send_to(b"hello world", server).await.unwrap();
            let mut buffer = [0; 16];
            let (length, sender) = receiver.receive_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..length], sender), (&b"hello"[..], server));
        };
        join(echoing, asking).await;
        let too_long = client.send_to(&[0; 65_536], client.local_addr()).await;
        assert_eq!(too_long, Err(Error::TooLong));
    });
}

#[test]
fn attachments_are_understood() {
    assert_eq!("host".parse(), Ok(Attachment::Host));
    assert_eq!("tap=t0".parse(), Ok(Attachment::Tap("t0".to_owned())));
    assert!("tap".parse::<Attachment>().is_err());
    assert_eq!(Attachment::Tap("t0".to_owned()).to_string(), "tap=t0");
}
