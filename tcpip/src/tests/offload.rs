use super::packets::{Peer, SEQUENCE, segment};
use super::*;
use fata_net::Offloads;
use proptest::prelude::*;
use smoltcp::wire::{TcpControl, TcpRepr};

const ALL: Offloads = Offloads {
    checksum: true,
    tcp_ipv4: true,
    tcp_ipv6: true,
};

/// Sends `data` from the server to the client and back, with offloads on the sides that say
/// so, buffers of `buffer` bytes, in a VLAN or in none.
fn transfer(
    data: Vec<u8>,
    sides: [Option<Offloads>; 2],
    buffer: usize,
    address: IpAddr,
    vlan: Option<VlanId>,
) {
    simulate(move |tasks| async move {
        let (mut one, mut other) = Link::pair(256);
        for (link, offloads) in [(&mut one, sides[0]), (&mut other, sides[1])] {
            link.set_offloads(offloads.unwrap_or_default());
        }
        let with_buffers = |config: Config| Config {
            receive_buffer: buffer,
            transmit_buffer: buffer,
            vlan,
            ..config
        };
        let one = TcpIp::start(&tasks, one, with_buffers(server_config()), 1);
        let other = TcpIp::start(&tasks, other, with_buffers(client_config()), 2);
        spawn_echo(&tasks, &one);
        tasks.sleep(Duration::from_millis(1)).await;
        let remote = SocketAddr::new(address, 7);
        let stream = Stack::connect(&other, remote).await.expect("connected");
        let (mut reader, mut writer) = fata_net::TcpStream::split(stream);
        let sent = data.clone();
        tasks.spawn(async move {
            writer.write_all(&sent).await.expect("written");
            writer.shutdown().expect("closed");
        });
        assert_eq!(read_to_end(&mut reader).await.expect("read"), data);
        assert_eq!(one.statistics().totals.dropped_frames, 0);
        assert_eq!(other.statistics().totals.dropped_frames, 0);
    });
}

fn sides() -> impl Strategy<Value = Option<Offloads>> {
    let only = |tcp_ipv4, tcp_ipv6| Offloads {
        checksum: true,
        tcp_ipv4,
        tcp_ipv6,
    };
    prop_oneof![
        Just(None),
        Just(Some(ALL)),
        Just(Some(only(false, false))),
        Just(Some(only(true, false))),
        Just(Some(only(false, true))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transfers_with_offloads_are_exact(
        length in 0usize..200_000,
        ours in sides(),
        theirs in sides(),
        buffer in 2_000usize..150_000,
        ipv6: bool,
        vlan in proptest::option::of(1u16..=4094),
    ) {
        let address = if ipv6 { SERVER_V6.into() } else { SERVER.into() };
        let vlan = vlan.and_then(VlanId::new);
        transfer(pattern(length), [ours, theirs], buffer, address, vlan);
    }
}

#[test]
fn a_damaged_segment_is_dropped_where_the_device_does_not_vouch_for_it() {
    simulate(|tasks| async move {
        let (mut one, other) = Link::pair(256);
        one.set_offloads(ALL);
        let stack = TcpIp::start(&tasks, one, server_config(), 1);
        let _listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        let mut peer = Peer::new(other);
        peer.introduce(SERVER).await;
        let next = peer.handshake(&tasks, 1_000, 80).await;
        let wrong = TcpRepr {
            control: TcpControl::Psh,
            payload: b"data",
            ..segment(SEQUENCE + 1, Some(next))
        };
        let before = stack.statistics().totals.dropped_frames;
        peer.segment_with(1_000, 80, wrong, |bytes| bytes[16] ^= 1);
        peer.flush();
        tasks.sleep(Duration::from_millis(10)).await;
        assert_eq!(stack.statistics().totals.dropped_frames, before + 1);
    });
}
