//! Connections that live at random, over a link that loses frames: what is read is what
//! was written, in order, and nothing is left over in the end.

use super::*;
use core::cell::RefCell;
use ports::Random;
use proptest::prelude::*;

/// The byte at a place in a stream. Both sides know it.
fn byte(seed: u64, place: usize) -> u8 {
    (seed as usize).wrapping_add(place * 7 + place / 255) as u8
}

/// Progress of one side's writing, for the other to compare.
#[derive(Default)]
struct Sent {
    count: usize,
    /// Everything was written and this side was closed for good order.
    closed: bool,
}

/// Knowledge that both sides have of each other.
type Known = Rc<[RefCell<Sent>; 2]>;

/// Reads until the end, the half of the time slowly, and checks every byte.
async fn consume(
    tasks: Handle,
    mut reader: ReadHalf,
    seed: u64,
    mut random: Random,
    sent: impl Fn() -> (usize, bool),
) {
    let (mut place, mut buffer) = (0, [0; 3_000]);
    let slow = random.next().is_multiple_of(2);
    loop {
        let length = 1 + random.next() as usize % buffer.len();
        match reader.read(&mut buffer[..length]).await {
            Ok(0) => {
                assert_eq!((place, true), sent(), "the end comes after the last byte");
                return;
            }
            Ok(count) => {
                for read in &buffer[..count] {
                    assert_eq!(*read, byte(seed, place));
                    place += 1;
                }
            }
            // The other side was aborted or dropped, or this one gave up.
            Err(_) => return,
        }
        if slow {
            let pause = random.next() % 200;
            tasks.sleep(Duration::from_millis(pause)).await;
        }
    }
}

/// Lives one side of a connection.
async fn live(tasks: Handle, mut stream: TcpStream, side: usize, known: Known, seed: u64) {
    let mut random = Random::new(seed ^ side as u64);
    match random.next() % 8 {
        0 => return stream.abort(),
        // Dropped before anything was written or read.
        1 => {
            known[side].borrow_mut().closed = true;
            return;
        }
        _ => {}
    }
    let (reader, mut writer) = stream.split();
    let others = Rc::clone(&known);
    let sent = move || {
        let sent = others[1 - side].borrow();
        (sent.count, sent.closed)
    };
    let theirs = seed.wrapping_add(1 - side as u64);
    let reading = consume(tasks.clone(), reader, theirs, Random::new(seed), sent);
    let reading = tasks.spawn(reading);
    for _ in 0..random.next() % 10 {
        let length = random.next() as usize % 6_000;
        let start = known[side].borrow().count;
        let mine = seed.wrapping_add(side as u64);
        let data: Vec<u8> = (start..start + length)
            .map(|place| byte(mine, place))
            .collect();
        if writer.write_all(&data).await.is_err() {
            return;
        }
        known[side].borrow_mut().count += length;
        if random.next().is_multiple_of(3) {
            tasks
                .sleep(Duration::from_millis(random.next() % 3_000))
                .await;
        }
    }
    known[side].borrow_mut().closed = true;
    // Half of the time the stream is closed by dropping both halves.
    let shut_down = random.next().is_multiple_of(2);
    if shut_down && writer.shutdown().is_err() {
        return;
    }
    drop(writer);
    if shut_down && random.next().is_multiple_of(2) {
        let _ = reading.await;
    } else {
        tasks
            .sleep(Duration::from_millis(random.next() % 5_000))
            .await;
        reading.cancel();
    }
}

fn lives(seed: u64, loss: u64) {
    simulate(|tasks| async move {
        let (mut one, mut other) = Link::pair(64);
        for (end, salt) in [(&mut one, 3), (&mut other, 4)] {
            let mut random = Random::new(seed ^ salt);
            end.set_filter(move |_| random.next() % 100 >= loss);
        }
        let one = TcpIp::start(&tasks, one, server_config(), seed);
        let other = TcpIp::start(&tasks, other, client_config(), seed ^ 1);
        let registry: Rc<RefCell<Vec<(SocketAddr, Known, u64)>>> = Rc::default();
        let listener = one.listen(everywhere(80)).await.expect("the port is free");
        let (spawner, find) = (tasks.clone(), Rc::clone(&registry));
        tasks.spawn(async move {
            loop {
                let stream = listener.accept().await.expect("accepting goes on");
                let known = {
                    let registry = find.borrow();
                    let entry = registry.iter().rfind(|entry| entry.0 == stream.peer_addr());
                    entry.map(|(_, known, seed)| (Rc::clone(known), *seed))
                };
                // A client whose own view of the handshake failed is not registered.
                if let Some((known, seed)) = known {
                    spawner.spawn(live(spawner.clone(), stream, 0, known, seed));
                }
            }
        });
        let mut random = Random::new(seed);
        for _ in 0..12 {
            let seed = random.next();
            if let Ok(stream) = Stack::connect(&other, server(80)).await {
                let known = Known::default();
                let entry = (stream.local_addr(), Rc::clone(&known), seed);
                registry.borrow_mut().push(entry);
                tasks.spawn(live(tasks.clone(), stream, 1, known, seed));
            }
            tasks
                .sleep(Duration::from_millis(random.next() % 500))
                .await;
        }
        tasks.sleep(Duration::from_secs(1_200)).await;
        for stack in [one, other] {
            let statistics = stack.statistics();
            assert_eq!(statistics.connections, 0, "{statistics:?}");
            assert_eq!(statistics.buffer_bytes, 0);
        }
    });
}

proptest! {
    // As many as PROPTEST_CASES says.
    #[test]
    fn connections_lose_no_byte_and_leave_nothing_behind(
        seed in any::<u64>(),
        loss in prop_oneof![Just(0u64), 1u64..30],
    ) {
        lives(seed, loss);
    }
}
