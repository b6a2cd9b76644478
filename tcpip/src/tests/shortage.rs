//! Who accepts learns that somebody was turned away, and can make room.

use super::*;
use core::future::poll_fn;
use core::task::Poll;
use fata_net::TcpStream as _;
use std::cell::Cell;
use std::pin::pin;

const PLACES: usize = 4;

/// Accepts connections and keeps them. Counts how often it was woken for nothing.
fn spawn_keeper(tasks: &Handle, stack: &TcpIp, in_vain: &Rc<Cell<usize>>) {
    let (stack, in_vain) = (stack.clone(), Rc::clone(in_vain));
    tasks.spawn(async move {
        let listener = stack
            .listen(everywhere(80))
            .await
            .expect("the port is free");
        let mut kept = Vec::new();
        loop {
            let mut accepted = pin!(listener.accept());
            let stream = poll_fn(|context| match accepted.as_mut().poll(context) {
                Poll::Pending if !listener.has_room() => {
                    in_vain.set(in_vain.get() + 1);
                    Poll::Pending
                }
                result => result,
            });
            kept.push(stream.await.expect("accepting goes on"));
        }
    });
}

#[test]
fn acceptors_hear_of_those_who_find_no_place() {
    simulate(|tasks| async move {
        let config = Config {
            max_connections: PLACES,
            ..server_config()
        };
        let (one, other) = network(&tasks, config, client_config());
        let in_vain = Rc::new(Cell::new(0));
        spawn_keeper(&tasks, &one, &in_vain);
        tasks.sleep(Duration::from_millis(1)).await;
        let mut clients = Vec::new();
        for _ in 0..PLACES {
            clients.push(Stack::connect(&other, server(80)).await.expect("connected"));
        }
        tasks.sleep(Duration::from_secs(1)).await;
        // Once, as the last one took the last place.
        assert_eq!(in_vain.get(), 1);
        // The answer to its SYN is on its way while others make room.
        let late = Stack::connect(&other, server(80));
        let soon = Duration::from_millis(500);
        let late = tasks.timeout(soon, late).await.expect("an answer comes");
        clients.push(late.expect("connected"));
        assert!(in_vain.get() > 1, "the acceptor was woken");
        let statistics = one.statistics();
        assert_eq!(statistics.connections - statistics.half_open, PLACES);
    });
}

#[test]
fn acceptors_hear_of_those_who_find_no_memory() {
    simulate(|tasks| async move {
        let config = Config {
            buffer_memory: 4 << 10,
            ..server_config()
        };
        let (one, other) = network(&tasks, config, client_config());
        let woken = Rc::new(Cell::new(0));
        let (stack, counter) = (one.clone(), Rc::clone(&woken));
        tasks.spawn(async move {
            let listener = stack
                .listen(everywhere(80))
                .await
                .expect("the port is free");
            let mut kept = Vec::new();
            loop {
                let mut accepted = pin!(listener.accept());
                let stream = poll_fn(|context| {
                    counter.set(counter.get() + 1);
                    accepted.as_mut().poll(context)
                });
                kept.push(stream.await.expect("accepting goes on"));
            }
        });
        tasks.sleep(Duration::from_millis(1)).await;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Stack::connect(&other, server(80)).await.expect("connected"));
        }
        tasks.sleep(Duration::from_secs(1)).await;
        let before = woken.get();
        for client in &mut clients {
            client.write_all(b"a request").await.expect("it is sent");
        }
        tasks.sleep(Duration::from_millis(100)).await;
        assert!(woken.get() > before, "the third one finds no memory");
    });
}

/// A server with one place, which echoes, and a client.
async fn start_echo(tasks: &Handle) -> (TcpIp, TcpIp) {
    let config = Config {
        max_connections: 1,
        ..server_config()
    };
    let (one, other) = network(tasks, config, client_config());
    spawn_echo(tasks, &one);
    tasks.sleep(Duration::from_millis(1)).await;
    (one, other)
}

#[test]
fn a_place_goes_to_who_has_waited_longest() {
    simulate(|tasks| async move {
        let (one, other) = start_echo(&tasks).await;
        let connect = || Stack::connect(&other, server(7));
        let first = connect().await.expect("connected");
        let mut second = connect().await.expect("connected");
        let mut third = connect().await.expect("connected");
        tasks.sleep(Duration::from_secs(1)).await;
        let counts = |stack: &TcpIp| {
            let statistics = stack.statistics();
            (statistics.open + statistics.waiting, statistics.half_open)
        };
        assert_eq!(counts(&one), (1, 2));
        // The second gets the place before it sends anything, and the third does not overtake it.
        third.write_all(b"3").await.expect("it is sent");
        drop(first);
        tasks.sleep(Duration::from_millis(10)).await;
        assert_eq!(counts(&one), (1, 1));
        second.write_all(b"2").await.expect("it is sent");
        let start = tasks.now();
        second.read_exact(&mut [0]).await.expect("echoed");
        assert!(tasks.now() - start < Duration::from_millis(100));
        drop(second);
        third.read_exact(&mut [0]).await.expect("echoed");
        assert_eq!(counts(&one), (1, 0));
    });
}

#[test]
fn peers_that_leave_the_queue_free_their_place_in_it() {
    simulate(|tasks| async move {
        let (one, other) = start_echo(&tasks).await;
        let first = Stack::connect(&other, server(7)).await.expect("connected");
        for _ in 0..100 {
            let mut stream = Stack::connect(&other, server(7)).await.expect("connected");
            stream.abort();
            tasks.sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(one.statistics().half_open, 0);
        let mut last = Stack::connect(&other, server(7)).await.expect("connected");
        drop(first);
        last.write_all(b"x").await.expect("it is sent");
        last.read_exact(&mut [0]).await.expect("echoed");
    });
}
