//! Bulk data each way over an impaired device: every byte is checked.

use super::*;
use core::net::SocketAddr;

/// Enough for a debug build, and for every way to recover from losses.
const SOME: u64 = 4_000_000;
const MUCH: u64 = 100_000_000;
const BLOCK: usize = 64 * 1024;

/// The impairment of `ci/bench impairment`: late frames that others overtake, doubled frames.
fn impairment(loss: f64) -> Impairment {
    Impairment {
        loss,
        duplication: 0.005,
        reordering: 0.01,
        lag: Duration::from_millis(3),
        delay: Duration::from_millis(1),
        ..Impairment::default()
    }
}

/// The byte at a place of a stream: of blocks that are swapped or doubled, none is taken for
/// another.
fn fill(place: u64, block: &mut [u8]) {
    for (place, byte) in (place..).zip(block) {
        let word = (place / 8 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *byte = (word >> (place % 8 * 8)) as u8;
    }
}

async fn send_all(mut stream: impl TcpStream, bytes: u64) {
    let mut block = std::vec![0; BLOCK];
    for place in (0..bytes).step_by(BLOCK) {
        let length = (bytes - place).min(BLOCK as u64) as usize;
        fill(place, &mut block[..length]);
        let sent = stream.write_all(&block[..length]).await;
        sent.expect("the connection holds");
    }
    stream.shutdown().await.expect("it can be closed");
}

async fn receive_checked(mut stream: impl TcpStream, bytes: u64) {
    let (mut expected, mut place) = (std::vec![0; BLOCK], 0);
    loop {
        let read = stream.fill_buf().await.expect("the connection holds");
        let length = read.len().min(BLOCK);
        if length == 0 {
            break;
        }
        fill(place, &mut expected[..length]);
        assert!(read[..length] == expected[..length], "behind {place}");
        stream.consume(length);
        place += length as u64;
    }
    assert_eq!(place, bytes);
}

/// Sends so many bytes, then lets as many come, over a device that loses that share of the
/// frames. Returns the bits that came a second of the simulated time.
fn each_way(bytes: u64, loss: f64, offloads: Offloads) -> [f64; 2] {
    simulate(|tasks| async move {
        let (mut near, mut far) = Link::pair(1_024);
        near.set_offloads(offloads);
        far.set_offloads(offloads);
        let impaired = ImpairedNet::new(near, &tasks, impairment(loss), impairment(loss), 7);
        let handle = impaired.handle();
        let roomy = |address| Config {
            receive_buffer: 1 << 20,
            transmit_buffer: 1 << 20,
            ..config(address)
        };
        let near = TcpIp::start(&tasks, impaired, roomy(CLIENT), 1);
        let far = TcpIp::start(&tasks, far, roomy(SERVER), 2);
        let remote = SocketAddr::from((SERVER, 9));
        let listener = far.listen(remote).await.expect("the port is free");
        let mut rates = [0.0; 2];
        for (rate, outgoing) in rates.iter_mut().zip([true, false]) {
            let start = tasks.now();
            let one = Stack::connect(&near, remote).await.expect("connected");
            let other = listener.accept().await.expect("accepted");
            let (sender, receiver) = if outgoing { (one, other) } else { (other, one) };
            let sending = tasks.spawn(send_all(sender, bytes));
            receive_checked(receiver, bytes).await;
            assert_eq!(sending.await, Ok(()));
            let took = tasks.now().since(start).as_secs_f64();
            *rate = bytes as f64 * 8.0 / took;
        }
        // Of the merged frames that come in, few may be enough.
        let (out, back) = (handle.outgoing(), handle.incoming());
        assert!(out.duplicated + back.duplicated > 0);
        assert!(out.reordered + back.reordered > 0);
        assert_eq!(out.lost + back.lost > 0, loss > 0.0);
        rates
    })
}

fn at_all_losses(bytes: u64) {
    let all = Offloads {
        checksum: true,
        tcp_ipv4: true,
        tcp_ipv6: true,
    };
    for offloads in [Offloads::default(), all] {
        for loss in [0.0, 0.001, 0.01, 0.05] {
            let [out, back] = each_way(bytes, loss, offloads).map(|rate| rate / 1e6);
            std::println!(
                "loss {loss}, offloads {}: {out:.0} Mbit/s, back {back:.0}",
                offloads.checksum
            );
        }
    }
}

#[test]
fn bulk_data_comes_right_at_all_losses() {
    at_all_losses(SOME);
}

#[test]
#[ignore = "takes long without optimization: cargo test --release -p fata-tcpip -- --ignored hundred"]
fn a_hundred_megabytes_come_right_at_all_losses() {
    at_all_losses(MUCH);
}
