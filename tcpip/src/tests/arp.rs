use super::packets::Peer;
use super::*;
use crate::arp::Message;
use smoltcp::wire::{ArpOperation, EthernetAddress};

/// A router outside of the network.
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);

fn start(tasks: &Handle) -> (TcpIp, Peer) {
    let (device, link) = Link::pair(256);
    let stack = TcpIp::start(tasks, device, server_config(), 1);
    (stack, Peer::new(link))
}

/// Asks for the stack's address in the name of `source`. Returns the answers.
async fn ask(tasks: &Handle, peer: &mut Peer, source: Ipv4Addr) -> Vec<Message> {
    peer.source = source;
    peer.introduce(SERVER).await;
    tasks.sleep(Duration::from_millis(10)).await;
    let mut answers = messages(peer);
    answers.retain(|message| message.operation == ArpOperation::Reply);
    answers
}

/// The messages that have arrived.
pub(super) fn messages(peer: &mut Peer) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(frame) = peer.link.receive() {
        messages.extend(Message::read(&frame));
        peer.link.recycle(frame);
    }
    messages
}

fn known(stack: &TcpIp, address: Ipv4Addr) -> Option<EthernetAddress> {
    let engine = stack.shared.engine.borrow();
    engine.neighbors.known(address.into())
}

#[test]
fn everyone_who_asks_is_answered_once() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks);
        for source in [CLIENT, STRANGER, Ipv4Addr::UNSPECIFIED] {
            let answers = ask(&tasks, &mut peer, source).await;
            let own = stack.shared.engine.borrow().hardware;
            let expected = Message {
                operation: ArpOperation::Reply,
                source: (own, SERVER),
                target: (peer.mac(), source),
            };
            assert_eq!(answers, [expected]);
        }
        assert_eq!(known(&stack, STRANGER), Some(peer.mac()));
        assert_eq!(known(&stack, Ipv4Addr::UNSPECIFIED), None);
        for source in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
            assert_eq!(ask(&tasks, &mut peer, source).await, []);
        }
    });
}

#[test]
fn others_are_not_asked_for() {
    simulate(|tasks| async move {
        let (_stack, mut peer) = start(&tasks);
        peer.source = STRANGER;
        peer.introduce(CLIENT).await;
        peer.reply();
        tasks.sleep(Duration::from_millis(10)).await;
        let mut answers = messages(&mut peer).into_iter();
        assert!(answers.all(|message| message.operation != ArpOperation::Reply));
    });
}

#[test]
fn an_address_is_announced_once() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks);
        tasks.sleep(Duration::from_secs(60)).await;
        let own = stack.shared.engine.borrow().hardware;
        let announcement = Message::request((own, SERVER), SERVER);
        assert_eq!(messages(&mut peer), [announcement]);
    });
}

#[test]
fn another_host_with_the_address_is_noticed_but_not_believed() {
    simulate(|tasks| async move {
        let (stack, mut peer) = start(&tasks);
        let complained = || stack.shared.engine.borrow().arp.complained;
        assert!(ask(&tasks, &mut peer, CLIENT).await.len() == 1 && complained().is_none());
        assert_eq!(ask(&tasks, &mut peer, SERVER).await, []);
        assert_eq!(known(&stack, SERVER), None);
        let first = complained();
        assert!(first.is_some());
        // Others cannot fill the log.
        for _ in 0..50 {
            tasks.sleep(Duration::from_secs(1)).await;
            ask(&tasks, &mut peer, SERVER).await;
        }
        assert_eq!(complained(), first);
        tasks.sleep(Duration::from_secs(10)).await;
        ask(&tasks, &mut peer, SERVER).await;
        assert!(complained() > first);
    });
}
