//! What becomes of connections that the application is done with.

use super::packets::{Peer, SEQUENCE, segment};
use super::*;
use smoltcp::wire::TcpRepr;

#[test]
fn bytes_behind_a_gap_go_with_the_stream() {
    simulate(|tasks| async move {
        let (device, link) = Link::pair(16);
        let stack = TcpIp::start(&tasks, device, server_config(), 1);
        let listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        let mut peer = Peer::new(link);
        peer.introduce(SERVER).await;
        let next = peer.handshake(&tasks, 40_000, 80).await;
        let stream = listener.accept().await.expect("accepted");
        let early = TcpRepr {
            payload: b"early",
            ..segment(SEQUENCE + 60_001, Some(next))
        };
        peer.segment(40_000, 80, early);
        peer.flush();
        tasks.sleep(Duration::from_millis(1)).await;
        assert!(stack.statistics().buffer_bytes > 0);
        drop(stream);
        assert_eq!(stack.statistics().buffer_bytes, 0);
        peer.segment(40_000, 80, early);
        peer.flush();
        tasks.sleep(Duration::from_millis(1)).await;
        assert_eq!(stack.statistics().buffer_bytes, 0);
    });
}
