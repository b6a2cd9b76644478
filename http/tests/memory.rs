//! Servers run short of memory, and meet clients that are too slow.

mod common;

use common::{Network, Stream, serve, serve_within, statuses};
use embedded_io_async::{Read, Write};
use fata_http::{Limits, Request, Response, Router, Server, Status};
use fata_memory::{Budget, Part};
use fata_task::{Handle, simulate};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Room for some forty long requests, not for more.
const MEMORY: usize = 1 << 20;
/// Bytes of an answer that fits nobody's buffers.
const LONG: usize = 1 << 20;

fn app() -> impl fata_http::Handler + 'static {
    Router::new()
        .get("/short", async |_| Ok(Response::text("short")))
        .get("/long", async |request: &mut Request<'_>| {
            let mut writer = request.start(Response::new(Status::OK), Some(LONG as u64))?;
            for _ in 0..LONG / 1024 {
                writer.write_all(&[b'x'; 1024]).await?;
            }
            Ok(writer.finish())
        })
        .post("/keep", async |request: &mut Request<'_>| {
            let body = request.read_to_vec(LONG).await?;
            Ok(Response::text(body.len().to_string()))
        })
}

fn start(tasks: &Handle, memory: &Budget) -> Network {
    serve_within(tasks, memory.clone(), Server::new(tasks.clone()), app())
}

async fn ask(network: &Network, path: &str) -> Stream {
    let mut stream = network.connect();
    let head = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads on as a quick client does, without an end.
async fn read_on(mut stream: Stream, tasks: Handle) {
    let mut buffer = [0; 512];
    while let Ok(1..) = stream.read(&mut buffer).await {
        tasks.sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_short_request_is_served_beside_all_long_ones() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let network = start(&tasks, &memory);
        for _ in 0..100 {
            let stream = ask(&network, "/long").await;
            tasks.spawn(read_on(stream, tasks.clone()));
        }
        tasks.sleep(Duration::from_secs(2)).await;
        assert!(memory.used(Part::Http) > MEMORY / 2, "they hold memory");
        for _ in 0..20 {
            let start = tasks.now();
            let mut stream = ask(&network, "/short").await;
            let answer = stream.read_until("short").await;
            assert_eq!(statuses(answer.as_bytes()), [200]);
            assert!(tasks.now().since(start) < Duration::from_secs(1));
        }
    });
}

#[test]
fn a_long_request_without_room_is_told_to_come_back() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let network = start(&tasks, &memory);
        let taken = memory.room(Part::Program) - MEMORY / 8;
        let others = memory.try_take(Part::Program, taken).expect("it fits");
        let mut stream = ask(&network, "/long").await;
        let answer = stream.read_to_end().await;
        assert_eq!(statuses(&answer), [503]);
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains("Retry-After: 1\r\n"), "{text}");
        assert!(text.contains("Connection: close\r\n"), "{text}");
        // Once there is room, it is served.
        drop(others);
        let mut stream = ask(&network, "/long").await;
        assert!(stream.read_until("\r\n").await.contains(" 200 "));
    });
}

#[test]
fn a_request_waits_a_while_for_room() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let network = start(&tasks, &memory);
        let taken = memory.room(Part::Program) - MEMORY / 8;
        let others = memory.try_take(Part::Program, taken).expect("it fits");
        let pause = tasks.sleep(Duration::from_millis(500));
        tasks.spawn(async move {
            pause.await;
            drop(others);
        });
        let mut stream = ask(&network, "/long").await;
        assert!(stream.read_until("\r\n").await.contains(" 200 "));
    });
}

#[test]
fn bodies_that_are_kept_take_memory_first() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let network = start(&tasks, &memory);
        let post = |length: usize| {
            let head =
                format!("POST /keep HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
            let mut stream = network.connect();
            async move {
                stream.write_all(head.as_bytes()).await.unwrap();
                stream
            }
        };
        // More than there can ever be.
        let mut stream = post(LONG).await;
        assert_eq!(statuses(&stream.read_to_end().await), [413]);
        // Of two that fit, but not together, one is told to come back.
        let mut first = post(500_000).await;
        let clock = tasks.clone();
        let first = tasks.spawn(async move {
            for _ in 0..500 {
                clock.sleep(Duration::from_millis(10)).await;
                first.write_all(&[b'x'; 1_000]).await.unwrap();
            }
            first.read_until("500000").await
        });
        tasks.sleep(Duration::from_millis(100)).await;
        assert!(memory.used(Part::Program) >= 500_000);
        let mut second = post(500_000).await;
        assert_eq!(statuses(&second.read_to_end().await), [503]);
        assert!(first.await.expect("it ends").contains(" 200 "));
        drop(second);
        tasks.sleep(Duration::from_secs(5)).await;
        assert_eq!(memory.used(Part::Program), 0);
        assert_eq!(memory.used(Part::Http), 0, "nobody is connected");
    });
}

#[test]
fn those_who_take_nothing_make_room() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let network = start(&tasks, &memory);
        let mut stuck = Vec::new();
        for _ in 0..100 {
            stuck.push(ask(&network, "/long").await);
        }
        tasks.sleep(Duration::from_secs(3)).await;
        let start = tasks.now();
        let stream = ask(&network, "/long").await;
        let mut quick = stream;
        assert!(quick.read_until("\r\n").await.contains(" 200 "));
        assert!(tasks.now().since(start) < Duration::from_secs(1));
    });
}

/// Sends a body byte by byte. Returns what the server answers, and after how long.
async fn trickle(tasks: &Handle, limits: Limits, pause: Duration) -> (Vec<u16>, Duration) {
    let server = Server::new(tasks.clone()).limits(limits);
    let network = serve(tasks, server, app());
    let mut stream = network.connect();
    let head =
        b"POST /keep HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let start = tasks.now();
    for _ in 0..1000 {
        tasks.sleep(pause).await;
        if stream.write_all(b"x").await.is_err() {
            break;
        }
    }
    (
        statuses(&stream.read_to_end().await),
        tasks.now().since(start),
    )
}

#[test]
fn a_body_that_trickles_is_given_up() {
    simulate(async |tasks: Handle| {
        let limits = Limits::default();
        // Ten bytes a second, where 240 are wanted.
        let (seen, took) = trickle(&tasks, limits.clone(), Duration::from_millis(100)).await;
        assert_eq!(seen, [408]);
        assert!(took >= limits.rate_window, "{took:?}");
        // Five hundred.
        let (seen, _) = trickle(&tasks, limits.clone(), Duration::from_millis(2)).await;
        assert_eq!(seen, [200]);
        let patient = Limits {
            least_rate: 0,
            ..limits
        };
        let (seen, _) = trickle(&tasks, patient, Duration::from_millis(100)).await;
        assert_eq!(seen, [200]);
    });
}

#[test]
fn an_answer_that_is_taken_in_trickles_is_given_up() {
    for (pause, is_cut) in [(100, true), (2, false)] {
        simulate(async |tasks: Handle| {
            let network = serve(&tasks, Server::new(tasks.clone()), app());
            let mut stream = ask(&network, "/long").await;
            let mut taken = 0;
            let mut byte = [0];
            while taken < 60_000 && stream.read(&mut byte).await == Ok(1) {
                taken += 1;
                tasks.sleep(Duration::from_millis(pause)).await;
            }
            // Bytes that were under way at the cut are still there to be read.
            assert_eq!(taken < 60_000, is_cut, "after {taken} bytes");
        });
    }
}

#[test]
fn a_server_that_is_slow_itself_cuts_nobody() {
    simulate(async |tasks: Handle| {
        let handle = tasks.clone();
        let slow = fata_http::handler(async move |request: &mut Request<'_>| {
            let mut writer = request.start(Response::new(Status::OK), None)?;
            for _ in 0..20 {
                handle.sleep(Duration::from_secs(10)).await;
                writer.write_all(b"x").await?;
                writer.flush().await?;
            }
            Ok(writer.finish())
        });
        let network = serve(&tasks, Server::new(tasks.clone()), slow);
        let mut stream = ask(&network, "/").await;
        assert!(stream.read_until("0\r\n\r\n").await.ends_with("0\r\n\r\n"));
    });
}

#[test]
fn a_window_of_no_time_counts_as_a_second() {
    simulate(async |tasks: Handle| {
        let limits = Limits {
            rate_window: Duration::ZERO,
            ..Limits::default()
        };
        let (seen, took) = trickle(&tasks, limits, Duration::from_millis(100)).await;
        assert_eq!(seen, [408]);
        assert!(took >= Duration::from_secs(1), "{took:?}");
    });
}

/// Requests that wait for something else than their peers make room for others.
#[test]
fn requests_that_wait_for_their_turn_make_room() {
    simulate(async |tasks: Handle| {
        let memory = Budget::new(MEMORY);
        let app = Router::new()
            .get("/short", async |_| Ok(Response::text("short")))
            .get("/turn", async |_| std::future::pending().await);
        let server = Server::new(tasks.clone());
        let network = serve_within(&tasks, memory.clone(), server, app);
        let refused = Rc::new(RefCell::new(Vec::new()));
        for number in 0..60 {
            tasks.sleep(Duration::from_millis(10)).await;
            let (mut stream, refused) = (ask(&network, "/turn").await, Rc::clone(&refused));
            tasks.spawn(async move {
                assert_eq!(statuses(&stream.read_to_end().await), [503]);
                refused.borrow_mut().push(number);
            });
        }
        tasks.sleep(Duration::from_secs(7)).await;
        for _ in 0..20 {
            let mut stream = ask(&network, "/short").await;
            let answer = stream.read_until("short").await;
            assert_eq!(statuses(answer.as_bytes()), [200]);
        }
        // The first ones wait on, who are nearest to their turn.
        let refused = refused.borrow();
        assert!(!refused.is_empty() && refused.iter().all(|number| *number >= 10));
    });
}
