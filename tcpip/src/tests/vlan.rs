use super::packets::Peer;
use super::*;
use crate::arp::Message;
use fata_net::Frame as _;
use smoltcp::wire::{ArpOperation, TcpControl};

/// The number of the VLAN, and another one.
const OWN: u16 = 5;
const OTHER: u16 = 6;
/// The highest priority, and that the frame may be dropped (IEEE 802.1Q).
const PRIORITY: u16 = 0xf000;

fn start(tasks: &Handle, vlan: u16) -> (TcpIp, Peer) {
    let (device, link) = Link::pair(256);
    let config = Config {
        vlan: VlanId::new(vlan),
        ..server_config()
    };
    let stack = TcpIp::start(tasks, device, config, 1);
    (stack, Peer::new(link))
}

/// Asks for the stack's address in a frame with that tag. Returns the tags of the answers.
async fn ask(tasks: &Handle, peer: &mut Peer, tag: Option<u16>) -> Vec<Option<u16>> {
    peer.tag = tag;
    peer.introduce(SERVER).await;
    tasks.sleep(Duration::from_millis(10)).await;
    let mut tags = Vec::new();
    while let Some(frame) = peer.link.receive() {
        let mut bytes = frame.to_vec();
        peer.link.recycle(frame);
        let tag = bytes[12..].starts_with(&[0x81, 0]).then(|| {
            let tag = u16::from_be_bytes([bytes[14], bytes[15]]);
            bytes.remove_tag();
            tag
        });
        let message = Message::read(&bytes);
        if message.is_some_and(|message| message.operation == ArpOperation::Reply) {
            tags.push(tag);
        }
    }
    tags
}

#[test]
fn a_host_without_a_vlan_hears_those_who_tag_a_priority() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks, 0);
        for tag in [None, Some(0), Some(PRIORITY)] {
            assert_eq!(ask(&tasks, &mut peer, tag).await, [None], "{tag:?}");
        }
        let before = stack.statistics().totals.dropped_frames;
        for tag in [OWN, PRIORITY | OWN, 1, 4095] {
            assert_eq!(ask(&tasks, &mut peer, Some(tag)).await, [], "{tag}");
        }
        assert_eq!(stack.statistics().totals.dropped_frames, before + 4);
    });
}

#[test]
fn a_connection_is_opened_with_segments_that_tag_a_priority() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks, 0);
        let _listener = stack.listen(everywhere(80)).await.expect("it is free");
        peer.tag = Some(PRIORITY);
        peer.syn(1_000, 80);
        peer.flush();
        let answer = peer.wait_for(&tasks, 1_000, |_| true).await;
        assert_eq!(answer.control, TcpControl::Syn);
    });
}

#[test]
fn a_host_in_a_vlan_hears_nobody_else_and_tags_what_it_says() {
    simulate(|tasks| async move {
        let (_stack, mut peer) = start(&tasks, OWN);
        for tag in [OWN, PRIORITY | OWN] {
            assert_eq!(ask(&tasks, &mut peer, Some(tag)).await, [Some(OWN)]);
        }
        for tag in [None, Some(0), Some(PRIORITY), Some(OTHER)] {
            assert_eq!(ask(&tasks, &mut peer, tag).await, [], "{tag:?}");
        }
    });
}

#[test]
fn a_frame_of_a_tag_and_nothing_else_does_no_harm() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks, 0);
        for length in 0..20 {
            let sent = peer.link.transmit(length, |frame| {
                for (index, byte) in frame.iter_mut().enumerate() {
                    *byte = if index == 12 { 0x81 } else { 0 };
                }
            });
            assert_eq!(sent, Ok(()));
        }
        peer.flush();
        tasks.sleep(Duration::from_millis(10)).await;
        assert_eq!(stack.statistics().totals.dropped_frames, 20);
    });
}

#[test]
fn numbers_of_vlans() {
    assert_eq!("4094".parse(), Ok(VlanId::new(4094).expect("it is one")));
    for text in ["0", "4095", "65541", "-1", "five", ""] {
        assert!(text.parse::<VlanId>().is_err(), "{text}");
    }
}
