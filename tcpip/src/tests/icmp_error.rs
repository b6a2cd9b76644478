//! ICMP errors about segments.

use super::packets::{PORT, Peer, SEQUENCE, Segment, accepted, segment};
use super::*;
use smoltcp::wire::{IpProtocol, TcpSeqNumber};

/// Says that the segment with that number did not arrive: `kind` and `code`, and the size of
/// packets that a link takes.
fn complain(peer: &mut Peer, number: TcpSeqNumber, (kind, code): (u8, u8), mtu: u16) {
    let [high, low] = mtu.to_be_bytes();
    let mut message = vec![kind, code, 0, 0, 0, 0, high, low];
    message.extend([0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    message.extend(SERVER.octets());
    message.extend(CLIENT.octets());
    message.extend([80u16, PORT].map(u16::to_be_bytes).concat());
    message.extend((number.0 as u32).to_be_bytes());
    let words = message.as_chunks().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    peer.ipv4(IpProtocol::Icmp, message.len(), |bytes| {
        bytes.copy_from_slice(&message);
    });
    peer.flush();
}

/// Has a server write 5,000 bytes to a peer.
async fn write_to_peer(tasks: &Handle) -> (TcpIp, TcpStream, Peer, TcpSeqNumber) {
    let (stack, mut stream, peer, next) = accepted(tasks).await;
    stream.write_all(&pattern(5_000)).await.expect("written");
    (stack, stream, peer, next)
}

#[test]
fn segments_get_shorter_where_a_link_takes_no_longer_ones() {
    simulate(|tasks| async move {
        let (_stack, _stream, mut peer, next) = write_to_peer(&tasks).await;
        // Without an option in the SYN, 536 bytes are sent.
        let first = |segment: Segment| segment.sequence == next;
        assert_eq!(peer.wait_for(&tasks, PORT, first).await.length, 536);
        let start = tasks.now();
        // That nothing was sent with such a number shows that it is made up.
        complain(&mut peer, next + 100_000, (3, 4), 552);
        complain(&mut peer, next, (3, 4), 552);
        let shorter = peer.wait_for(&tasks, PORT, first).await;
        assert_eq!(shorter.length, 512);
        assert!(
            (tasks.now() - start).as_millis() < 100,
            "no time-out is waited for"
        );
    });
}

#[test]
fn a_lie_about_a_link_changes_nothing() {
    simulate(|tasks| async move {
        let (_stack, _stream, mut peer, next) = write_to_peer(&tasks).await;
        let first = |segment: Segment| segment.sequence == next;
        peer.wait_for(&tasks, PORT, first).await;
        complain(&mut peer, next + 100_000, (3, 4), 552);
        // It comes again once the time is up, as long as before.
        assert_eq!(peer.wait_for(&tasks, PORT, first).await.length, 536);
    });
}

#[test]
fn an_open_connection_outlives_bad_news() {
    simulate(|tasks| async move {
        let (_stack, mut stream, mut peer, next) = write_to_peer(&tasks).await;
        complain(&mut peer, next, (3, 3), 0);
        complain(&mut peer, next, (3, 1), 0);
        peer.segment(PORT, 80, segment(SEQUENCE + 1, Some(next + 5_000)));
        peer.flush();
        tasks.sleep(Duration::from_millis(10)).await;
        assert_eq!(stream.write(b"x").await, Ok(1));
    });
}
