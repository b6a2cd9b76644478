//! Frames that are left to the device meet their fate in pieces.

use super::*;
use crate::PartialChecksum;
use core::num::NonZeroU16;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket,
};

const ALL: Offloads = Offloads {
    checksum: true,
    tcp_ipv4: true,
    tcp_ipv6: true,
};
const SIZE: usize = 1_000;
const PAYLOAD: usize = 20_500;
const FIRST_SEQUENCE: u32 = 0xffff_f000;

/// Transmits one TCP segment with FIN and PSH that the device is to cut.
fn send_segment(device: &mut impl Net, ipv6: bool) {
    let tcp = if ipv6 { 54 } else { 34 };
    let headers = tcp + 20;
    let sent = device.transmit_offloaded(headers + PAYLOAD, |frame| {
        frame.fill(0);
        for (index, byte) in frame[headers..].iter_mut().enumerate() {
            *byte = (index % 251) as u8;
        }
        let length = PAYLOAD + 20;
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
        if ipv6 {
            ethernet.set_ethertype(EthernetProtocol::Ipv6);
            let mut packet = Ipv6Packet::new_unchecked(ethernet.payload_mut());
            packet.set_version(6);
            packet.set_payload_len(length as u16);
            packet.set_next_header(IpProtocol::Tcp);
        } else {
            ethernet.set_ethertype(EthernetProtocol::Ipv4);
            let mut packet = Ipv4Packet::new_unchecked(ethernet.payload_mut());
            packet.set_version(4);
            packet.set_header_len(20);
            packet.set_total_len((length + 20) as u16);
            packet.set_next_header(IpProtocol::Tcp);
        }
        let mut segment = TcpPacket::new_unchecked(&mut frame[tcp..]);
        segment.set_seq_number(smoltcp::wire::TcpSeqNumber(FIRST_SEQUENCE as i32));
        segment.set_header_len(20);
        segment.set_fin(true);
        segment.set_psh(true);
        segment.set_ack(true);
        // The addresses are zero, so the pseudo-header is the protocol and the length.
        segment.set_checksum(6 + length as u16);
        let checksum = PartialChecksum {
            start: tcp as u16,
            offset: 16,
        };
        let offload = Offload::Segments {
            checksum,
            ipv6,
            headers: headers as u16,
            size: NonZeroU16::new(SIZE as u16).expect("not zero"),
        };
        ((), offload)
    });
    assert_eq!(sent, Ok(()));
    device.flush();
}

/// Sends a segment into `impairment`. Returns the pieces that come, each by where it begins.
fn cut(impairment: Impairment, ipv6: bool) -> (Vec<(usize, Vec<u8>)>, ImpairmentCounts) {
    simulate(|tasks| async move {
        let (mut good, mut bad) = Link::pair(4_096);
        bad.set_offloads(ALL);
        let mut bad = ImpairedNet::new(bad, &tasks, impairment, Impairment::default(), 1);
        assert_eq!(bad.offloads(), ALL);
        send_segment(&mut bad, ipv6);
        let frames = receive_all(&tasks, &mut good).await;
        let pieces = frames.into_iter().map(|(_, frame)| piece(frame, ipv6));
        (pieces.collect(), bad.handle().outgoing())
    })
}

/// Checks a frame's headers. Returns its payload, and where in the whole that begins.
fn piece(frame: Vec<u8>, ipv6: bool) -> (usize, Vec<u8>) {
    let ethernet = EthernetFrame::new_unchecked(&frame);
    let (bytes, source, destination) = if ipv6 {
        let packet = Ipv6Packet::new_checked(ethernet.payload()).expect("a packet");
        (
            packet.payload(),
            packet.src_addr().into(),
            packet.dst_addr().into(),
        )
    } else {
        let packet = Ipv4Packet::new_checked(ethernet.payload()).expect("a packet");
        assert!(packet.verify_checksum());
        (
            packet.payload(),
            packet.src_addr().into(),
            packet.dst_addr().into(),
        )
    };
    let segment = TcpPacket::new_checked(bytes).expect("a segment");
    assert!(segment.verify_checksum(&source, &destination));
    let start = (segment.seq_number().0 as u32).wrapping_sub(FIRST_SEQUENCE) as usize;
    let last = start + segment.payload().len() == PAYLOAD;
    assert_eq!(
        (segment.fin(), segment.psh(), segment.ack()),
        (last, last, true)
    );
    (start, segment.payload().to_vec())
}

#[test]
fn a_long_segment_is_cut_and_each_piece_is_right() {
    for ipv6 in [false, true] {
        let (pieces, counts) = cut(Impairment::default(), ipv6);
        assert_eq!((pieces.len(), counts.frames), (21, 21));
        let mut whole = Vec::new();
        for (start, payload) in pieces {
            assert_eq!(start, whole.len());
            assert!(payload.len() == SIZE || start == 20 * SIZE);
            whole.extend(payload);
        }
        let sent = (0..PAYLOAD).map(|index| (index % 251) as u8);
        assert!(whole.into_iter().eq(sent));
    }
}

#[test]
fn pieces_are_lost_one_by_one() {
    let impairment = Impairment {
        loss: 0.5,
        ..Impairment::default()
    };
    let (pieces, counts) = cut(impairment, false);
    assert_eq!(counts.frames, 21);
    assert_eq!(pieces.len() as u64, 21 - counts.lost);
    assert!((1..21).contains(&pieces.len()), "{}", pieces.len());
}

#[test]
fn a_frame_that_the_device_vouches_for_is_vouched_for_until_it_is_damaged() {
    for (corruption, expected) in [(0.0, true), (1.0, false)] {
        let impairment = Impairment {
            corruption,
            ..Impairment::default()
        };
        simulate(|tasks| async move {
            let (mut good, mut bad) = Link::pair(8);
            good.set_offloads(ALL);
            bad.set_offloads(ALL);
            let mut bad = ImpairedNet::new(bad, &tasks, Impairment::default(), impairment, 1);
            send_segment(&mut good, false);
            let frame = next(&tasks, &mut bad).await.expect("it comes");
            assert_eq!(frame.as_ref().len(), 54 + PAYLOAD, "it is one frame");
            assert_eq!(frame.is_verified(), expected);
        });
    }
}
