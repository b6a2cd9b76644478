//! Connections over impaired devices lose no byte.

mod bulk;

use core::net::{Ipv4Addr, SocketAddr};
use embedded_io_async::{Read, Write};
use fata_net::{
    ImpairedNet, Impairment, ImpairmentCounts, Link, Offloads, Stack, TcpListener, TcpStream,
};
use fata_task::simulate;
use fata_tcpip::{Config, Ipv4Config, TcpIp};
use proptest::prelude::*;
use std::num::NonZeroU64;
use std::time::Duration;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn config(address: Ipv4Addr) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address,
            prefix: 24,
            gateway: None,
        },
        receive_buffer: 64 * 1024,
        transmit_buffer: 64 * 1024,
        ..Config::default()
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

/// Sends bytes to an echo over an impaired device, and checks what comes back.
fn echo_through(
    impairment: Impairment,
    offloads: Offloads,
    length: usize,
    seed: u64,
) -> ImpairmentCounts {
    simulate(|tasks| async move {
        let (mut near, mut far) = Link::pair(256);
        near.set_offloads(offloads);
        far.set_offloads(offloads);
        let unharmed = Impairment::default();
        let impaired = ImpairedNet::new(near, &tasks, unharmed, unharmed, seed);
        let handle = impaired.handle();
        let client = TcpIp::start(&tasks, impaired, config(CLIENT), 1);
        let server = TcpIp::start(&tasks, far, config(SERVER), 2);
        let remote = SocketAddr::from((SERVER, 7));
        let listener = server.listen(remote).await.expect("the port is free");
        tasks.spawn(async move {
            let (mut reader, mut writer) = listener.accept().await.expect("accepted").split();
            let mut buffer = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                writer.write_all(&buffer[..count]).await.expect("echoed");
            }
        });
        let stream = Stack::connect(&client, remote).await.expect("connected");
        // ARP has no checksum: a neighbor's damaged address would be believed for a minute.
        handle.set_outgoing(impairment);
        handle.set_incoming(impairment);
        let (mut reader, mut writer) = stream.split();
        let sent = pattern(length);
        tasks.spawn(async move { writer.write_all(&sent).await.expect("sent") });
        let mut received = std::vec![0; length];
        reader.read_exact(&mut received).await.expect("received");
        assert!(received == pattern(length), "other bytes came back");
        handle.outgoing()
    })
}

fn offloads() -> impl Strategy<Value = Offloads> {
    any::<bool>().prop_map(|all| Offloads {
        checksum: all,
        tcp_ipv4: all,
        tcp_ipv6: all,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_byte_is_lost_or_changed(
        loss in 0.0..0.05,
        duplication in 0.0..0.1,
        reordering in 0.0..0.1,
        corruption in 0.0..0.03,
        delay in 0_u64..30,
        length in 1_usize..100_000,
        offloads in offloads(),
        seed: u64,
    ) {
        let impairment = Impairment {
            loss,
            duplication,
            reordering,
            corruption,
            lag: Duration::from_millis(5),
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(delay / 2),
            ..Impairment::default()
        };
        echo_through(impairment, offloads, length, seed);
    }
}

#[test]
fn a_slow_line_with_a_short_queue_slows_down_and_no_more() {
    let impairment = Impairment {
        rate: NonZeroU64::new(2_000_000),
        delay: Duration::from_millis(20),
        queue: 30,
        ..Impairment::default()
    };
    let counts = echo_through(impairment, Offloads::default(), 300_000, 1);
    assert!(counts.frames > 200 && counts.lost == 0);
}
