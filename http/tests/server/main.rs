//! The server, driven with bytes as a client would send them.

#[path = "../common/mod.rs"]
mod common;
mod limits;

use common::{exchange, serve, statuses};
use embedded_io_async::{Read, Write};
use fata_http::{Error, Request, Response, Router, Server, Status};
use fata_task::{Handle, simulate};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

async fn hello(_: &mut Request<'_>) -> Result<Response, Error> {
    Ok(Response::text("Hello, World!"))
}

async fn echo(request: &mut Request<'_>) -> Result<Response, Error> {
    let length = request.remaining();
    let mut buffer = [0; 100];
    let head = Response::new(Status::OK).content_type("application/octet-stream");
    let mut read = request.read(&mut buffer).await?;
    let mut writer = request.start(head, length)?;
    while read > 0 {
        writer.write_all(&buffer[..read]).await?;
        read = request.read(&mut buffer).await?;
    }
    Ok(writer.finish())
}

fn app() -> impl fata_http::Handler + 'static {
    Router::new()
        .get("/", hello)
        .get("/users/:id", async |request| {
            let id = request.param("id").unwrap_or_default();
            let verbose = request.query_value("v").unwrap_or_default();
            Ok(Response::text(format!("user {id} {verbose}")))
        })
        .post("/echo", echo)
        .post("/ignore", hello)
        .get("/fail", async |_| Err(Error::Status(Status::CONFLICT)))
        .get("/none", async |_| Ok(Response::new(Status::NO_CONTENT)))
        .get("/short", async |request| {
            let mut writer = request.start(Response::new(Status::OK), Some(10))?;
            writer.write_all(b"four").await?;
            Ok(writer.finish())
        })
        .get("/long", async |request| {
            let mut writer = request.start(Response::new(Status::OK), Some(2))?;
            writer.write_all(b"four").await?;
            Ok(writer.finish())
        })
        .get("/chunks", async |request| {
            let mut writer = request.start(Response::new(Status::OK), None)?;
            writer.write_all(b"one").await?;
            writer.write_all(b"two").await?;
            writer.flush().await?;
            writer.write_all(b"three").await?;
            Ok(writer.finish())
        })
}

/// A handler whose answer is larger than any buffer.
fn large() -> impl fata_http::Handler + 'static {
    static LARGE: [u8; 100_000] = [b'x'; 100_000];
    fata_http::handler(async |_| Ok(Response::text(&LARGE)))
}

/// The answer of the server to `input`, dates left out.
fn answer(input: &str) -> String {
    let answer = simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), app());
        exchange(&tasks, &network, input.as_bytes()).await
    });
    let answer = String::from_utf8(answer).unwrap();
    answer
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("Date: "))
        .collect()
}

#[test]
fn a_simple_answer() {
    assert_eq!(
        answer("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 13\r\n\r\nHello, World!"
    );
}

#[test]
fn the_answer_leaves_in_one_write_and_has_a_date() {
    simulate(async |tasks: Handle| {
        let (mut client, mut server) = common::duplex(4096);
        for _ in 0..3 {
            client
                .write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                .await
                .unwrap();
        }
        client.finish();
        let serving = Server::new(tasks);
        serving.serve_connection(&mut server, None, &hello).await;
        assert_eq!(server.writes, 1, "three pipelined answers");
        drop(server);
        let answers = client.read_to_end().await;
        assert_eq!(statuses(&answers), [200, 200, 200]);
        let text = String::from_utf8(answers).unwrap();
        assert!(text.contains("\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"));
    });
}

#[test]
fn head_has_no_body() {
    for path in ["/", "/chunks", "/none"] {
        let all = answer(&format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(all.ends_with("\r\n\r\n"), "{all}");
    }
    assert!(answer("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").contains("Content-Length: 13\r\n"));
}

#[test]
fn routes() {
    for (request, expected) in [
        ("GET /users/7?v=a+b%21", "user 7 a b!"),
        ("GET /users/a%20b", "user a b "),
        ("GET http://h/users/8?v", "user 8 "),
        ("GET /fail", "409 Conflict\n"),
        ("GET /nothing", "404 Not Found\n"),
        ("DELETE /users/7", "405 Method Not Allowed\n"),
    ] {
        let all = answer(&format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(all.ends_with(expected), "{request}: {all}");
    }
    let refused = answer("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        refused.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"),
        "{refused}"
    );
    let options = answer("OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        options.starts_with("HTTP/1.1 204 No Content\r\nAllow: POST, OPTIONS\r\n\r\n"),
        "{options}"
    );
    let server = answer("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(server.starts_with("HTTP/1.1 204 "), "{server}");
}

#[test]
fn chunks_gather_until_they_are_flushed() {
    let all = answer("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(
        all.ends_with(
            "Transfer-Encoding: chunked\r\n\r\n0006\r\nonetwo\r\n0005\r\nthree\r\n0\r\n\r\n"
        ),
        "{all}"
    );
}

#[test]
fn http_1_0() {
    let all = answer("GET /chunks HTTP/1.0\r\n\r\n");
    assert_eq!(
        all,
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonetwothree"
    );
    let closed = answer("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(closed.matches("Hello").count(), 1);
    assert!(closed.contains("Connection: close\r\n"));
    let kept = answer("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(kept.matches("Hello").count(), 2);
    assert!(kept.contains("Connection: keep-alive\r\n"));
}

#[test]
fn bodies_are_echoed() {
    let all = answer("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert!(all.ends_with("Content-Length: 5\r\n\r\nhello"), "{all}");
    let all = answer(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: yes\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert!(
        all.contains("\r\n\r\n0003\r\nhel\r\n0002\r\nlo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
            || all.contains("0005\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{all}"
    );
    assert!(all.ends_with("Hello, World!"));
}

#[test]
fn a_body_that_nobody_reads_is_dropped() {
    let all = answer(
        "POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
         POST /nothing HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\
         GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(statuses(all.as_bytes()), [200, 404, 200]);
}

#[test]
fn an_unfinished_answer_closes_the_connection() {
    for path in ["/short", "/long"] {
        let get = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let all = answer(&format!("{get}{get}"));
        assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 1, "{all}");
    }
}

#[test]
fn continue_is_sent_when_the_body_is_read() {
    simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), app());
        let mut client = network.connect();
        let head =
            b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
        client.write(head).await.unwrap();
        assert_eq!(
            client.read_until("\r\n\r\n").await,
            "HTTP/1.1 100 Continue\r\n\r\n"
        );
        client.write(b"hello").await.unwrap();
        assert!(
            client
                .read_until("hello")
                .await
                .starts_with("HTTP/1.1 200 OK\r\n")
        );

        // A handler that does not want the body: no 100, and the connection ends.
        let head = b"POST /ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
        client.write(head).await.unwrap();
        let rest = client.read_until("never").await;
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
        assert!(rest.contains("Connection: close\r\n"));
    });
}

#[test]
fn continue_is_sent_before_an_answer_that_streams() {
    simulate(async |tasks: Handle| {
        let upper = fata_http::handler(async |request| {
            let mut writer = request.start(Response::new(Status::OK), request.remaining())?;
            let mut byte = [0];
            while request.read(&mut byte).await? > 0 {
                writer
                    .write_all(&byte.map(|byte| byte.to_ascii_uppercase()))
                    .await?;
            }
            Ok(writer.finish())
        });
        let network = serve(&tasks, Server::new(tasks.clone()), upper);
        let mut client = network.connect();
        for _ in 0..3 {
            let head =
                b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
            client.write(head).await.unwrap();
            let interim = client.read_until("\r\n\r\n").await;
            assert_eq!(interim, "HTTP/1.1 100 Continue\r\n\r\n");
            client.write(b"hello").await.unwrap();
            let answer = client.read_until("HELLO").await;
            assert!(!answer.contains("Connection: close"), "{answer}");
        }
    });
}

#[test]
fn the_answer_streams_while_the_body_streams() {
    simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), app());
        let mut client = network.connect();
        let head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.write(head).await.unwrap();
        for round in 0..1_000 {
            client.write(b"4\r\nping\r\n").await.unwrap();
            let answer = client.read_until("ping\r\n").await;
            assert!(answer.ends_with("0004\r\nping\r\n"), "{round}: {answer}");
        }
        client.write(b"0\r\n\r\n").await.unwrap();
        assert_eq!(client.read_until("0\r\n\r\n").await, "0\r\n\r\n");
    });
}

#[test]
fn large_answers_are_sent_from_where_they_are() {
    simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), large());
        let all = exchange(
            &tasks,
            &network,
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        )
        .await;
        assert_eq!(statuses(&all), [200, 200]);
    });
}

#[test]
fn stopping() {
    simulate(async |tasks: Handle| {
        let server = Server::new(tasks.clone());
        let stopper = server.stopper();
        let network = common::Network::default();
        let serving = tasks.spawn(server.serve(network.clone(), {
            let tasks = tasks.clone();
            fata_http::handler(async move |_| {
                tasks.sleep(Duration::from_secs(5)).await;
                Ok(Response::text("late"))
            })
        }));
        let mut idle = network.connect();
        let mut busy = network.connect();
        busy.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        tasks.sleep(Duration::from_secs(1)).await;
        stopper.stop();
        assert_eq!(idle.read_to_end().await, b"");
        assert_eq!(tasks.now().as_millis(), 1_000);
        let answer = busy.read_to_end().await;
        assert_eq!(statuses(&answer), [200]);
        assert!(
            String::from_utf8(answer)
                .unwrap()
                .contains("Connection: close\r\n")
        );
        drop(busy);
        assert_eq!(serving.await, Ok(Ok(())));
    });
}

#[test]
fn the_access_log() {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&lines);
    simulate(async |tasks: Handle| {
        let server = Server::new(tasks.clone())
            .access_log(move |access| log.borrow_mut().push(access.to_string()));
        let network = serve(&tasks, server, app());
        let input = b"GET /users/7?x HTTP/1.1\r\nHost: h\r\n\r\nGET /chunks HTTP/1.1\r\nHost: h\r\n\r\nGET\r\n";
        exchange(&tasks, &network, input).await;
    });
    assert_eq!(
        *lines.borrow(),
        [
            "198.51.100.7 GET /users/7 200 7 0 ms",
            "198.51.100.7 GET /chunks 200 11 0 ms",
        ]
    );
}
