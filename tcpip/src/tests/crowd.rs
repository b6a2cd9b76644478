//! Strangers who want more answers than the device has room for.

use super::packets::{PORT, Peer, SEQUENCE, segment};
use super::*;
use smoltcp::wire::{TcpControl, TcpRepr};

/// Frames that are under way at most.
const ROOM: usize = 16;

/// A stack that listens on port 80, and a peer that does not take answers unless it says so.
async fn start(tasks: &Handle, config: Config) -> (TcpIp, TcpListener, Peer) {
    let (device, link) = Link::pair(ROOM);
    let stack = TcpIp::start(tasks, device, config, 1);
    let listener = stack.listen(everywhere(80)).await;
    let mut peer = Peer::new(link);
    peer.introduce(SERVER).await;
    tasks.sleep(Duration::from_millis(1)).await;
    while let Some(frame) = peer.link.receive() {
        peer.link.recycle(frame);
    }
    (stack, listener.expect("the port is free"), peer)
}

/// Has a peer send one frame after another, of which the stack takes each in.
async fn flood(tasks: &Handle, peer: &mut Peer, send: impl Fn(&mut Peer, u16)) {
    for port in 1_024..1_024 + 4 * ROOM as u16 {
        send(peer, port);
        peer.flush();
        tasks.sleep(Duration::from_micros(1)).await;
    }
}

/// Functions that send packets to closed ports.
fn nuisances() -> [fn(&mut Peer, u16); 2] {
    [
        |peer, port| peer.syn(port, 81),
        |peer, port| peer.datagram(port, 81, b"is anybody there?"),
    ]
}

#[test]
fn a_syn_is_answered_beside_a_flood() {
    for nuisance in nuisances() {
        simulate(|tasks| async move {
            let (stack, _listener, mut peer) = start(&tasks, server_config()).await;
            flood(&tasks, &mut peer, nuisance).await;
            let start = tasks.now();
            peer.syn(PORT, 80);
            peer.flush();
            tasks.sleep(Duration::from_millis(1)).await;
            let answer = peer.wait_for(&tasks, PORT, |_| true).await;
            assert_eq!(answer.control, TcpControl::Syn);
            assert!((tasks.now() - start).as_millis() < 100, "no time-out");
            assert_eq!(stack.statistics().half_open, 1);
        });
    }
}

#[test]
fn an_open_connection_goes_on_beside_a_flood() {
    for nuisance in nuisances() {
        simulate(|tasks| async move {
            let (_stack, listener, mut peer) = start(&tasks, server_config()).await;
            let next = peer.handshake(&tasks, PORT, 80).await;
            let mut stream = listener.accept().await.expect("accepted");
            flood(&tasks, &mut peer, nuisance).await;
            let request = TcpRepr {
                payload: b"hello",
                ..segment(SEQUENCE + 1, Some(next))
            };
            peer.segment(PORT, 80, request);
            peer.flush();
            stream.read(&mut [0; 5]).await.expect("it comes");
            stream.write_all(b"hello").await.expect("written");
            tasks.sleep(Duration::from_millis(1)).await;
            let answer = peer.take(PORT).expect("there was room");
            assert_eq!((answer.length, answer.sequence), (5, next));
        });
    }
}

#[test]
fn cookies_wait_for_room_up_to_a_bound() {
    simulate(|tasks| async move {
        let config = Config {
            backlog: 1,
            ..server_config()
        };
        let (stack, _listener, mut peer) = start(&tasks, config).await;
        let ports = 1_000..1_400;
        for port in ports.clone() {
            peer.syn(port, 80);
            peer.flush();
            tasks.sleep(Duration::from_micros(1)).await;
        }
        let totals = stack.statistics().totals;
        let kept = totals.cookies as usize;
        assert!((256..256 + ROOM).contains(&kept), "{kept}");
        assert_eq!(totals.dropped_syns as usize, ports.len() - 1 - kept);
        // Each of them is sent as there is room, and the answer to the first SYN.
        for port in ports.take(kept + 1) {
            let answer = peer.wait_for(&tasks, port, |_| true).await;
            assert_eq!(answer.control, TcpControl::Syn);
        }
    });
}
