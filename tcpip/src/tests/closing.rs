//! Tests of connections that the application is done with.

use super::packets::{PORT, SEQUENCE, accepted, segment};
use super::*;
use smoltcp::wire::TcpRepr;

/// Bytes that a server writes: as many as it may have under way, and a client buffer more.
const LENGTH: usize = 36_000;

/// Lets a server write bytes and drop the stream, and a client with a small buffer read `pace`
/// bytes a second. Returns what that has read, and after how many seconds it ended.
async fn download(tasks: Handle, pace: usize) -> (Vec<u8>, Result<(), Error>, u64) {
    let client = Config {
        receive_buffer: 8 * 1024,
        ..client_config()
    };
    let (one, other) = network(&tasks, server_config(), client);
    let listener = one.listen(everywhere(80)).await.expect("the port is free");
    let mut stream = Stack::connect(&other, server(80)).await.expect("connected");
    let mut server = listener.accept().await.expect("accepted");
    let timer = tasks.clone();
    let writer = tasks.spawn(async move {
        server.write_all(&pattern(LENGTH)).await.expect("written");
        timer.now()
    });
    let (mut all, mut buffer) = (Vec::new(), vec![0; pace]);
    let result = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break Ok(()),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error),
        }
        tasks.sleep(Duration::from_secs(1)).await;
    };
    let dropped = writer.await.expect("all was written");
    (all, result, (tasks.now() - dropped).as_secs())
}

#[test]
fn a_peer_that_takes_what_is_left_gets_it_all() {
    simulate(|tasks| async move {
        let (all, result, seconds) = download(tasks, 700).await;
        assert_eq!((result, all.len()), (Ok(()), LENGTH));
        assert!(all == pattern(LENGTH));
        assert!(seconds > 35, "more than the time to close");
    });
}

#[test]
fn a_peer_that_takes_hardly_anything_is_given_up() {
    simulate(|tasks| async move {
        let (all, result, _) = download(tasks, 100).await;
        assert_eq!(result, Err(Error::ConnectionReset));
        assert!(all.len() < LENGTH);
    });
}

#[test]
fn bytes_behind_a_gap_go_with_the_stream() {
    simulate(|tasks| async move {
        let (stack, stream, mut peer, next) = accepted(&tasks).await;
        let early = TcpRepr {
            payload: b"early",
            ..segment(SEQUENCE + 60_001, Some(next))
        };
        peer.segment(PORT, 80, early);
        peer.flush();
        tasks.sleep(Duration::from_millis(1)).await;
        assert!(stack.statistics().buffer_bytes > 0);
        drop(stream);
        assert_eq!(stack.statistics().buffer_bytes, 0);
        peer.segment(PORT, 80, early);
        peer.flush();
        tasks.sleep(Duration::from_millis(1)).await;
        assert_eq!(stack.statistics().buffer_bytes, 0);
    });
}
