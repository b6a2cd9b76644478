//! Bodies that their handlers do not read, or not to their end.

mod common;

use common::{exchange_in_steps, serve, statuses};
use embedded_io_async::{Read, Write};
use fata_http::{Error, Handler, Request, Response, Router, Server, Status, handler};
use fata_task::{Either, Handle, select, simulate};
use std::time::Duration;

async fn hello(_: &mut Request<'_>) -> Result<Response, Error> {
    Ok(Response::text("Hello, World!"))
}

/// Answers piece by piece, and never looks at the body.
async fn stream(request: &mut Request<'_>) -> Result<Response, Error> {
    let mut writer = request.start(Response::new(Status::OK), Some(4))?;
    writer.write_all(b"four").await?;
    Ok(writer.finish())
}

fn app() -> impl Handler + 'static {
    Router::new()
        .get("/", hello)
        .post("/hello", hello)
        .post("/stream", stream)
        .post("/some", async |request| {
            request.read(&mut [0; 2]).await?;
            stream(request).await
        })
}

/// The statuses of what the server answers to `input`, which comes in pieces.
fn answers(input: &str, step: usize) -> Vec<u16> {
    let answers = simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), app());
        exchange_in_steps(&tasks, &network, input.as_bytes(), step).await
    });
    statuses(&answers)
}

#[test]
fn the_next_request_follows_behind_the_body() {
    let length = "Content-Length: 5\r\n\r\nhello";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n1\r\n/\r\n0\r\n\r\n";
    let next = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for path in ["/hello", "/stream", "/some", "/nothing"] {
        let expected = if path == "/nothing" { 404 } else { 200 };
        // How long a body in chunks is, nobody knows before its end: it has to be there.
        for (body, steps) in [(length, &[usize::MAX, 1, 7][..]), (chunked, &[usize::MAX])] {
            let input = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{body}{next}{next}");
            for &step in steps {
                assert_eq!(
                    answers(&input, step),
                    [expected, 200, 200],
                    "{input} {step}"
                );
            }
        }
    }
}

#[test]
fn a_malformed_body_ends_the_connection() {
    let bad = "Transfer-Encoding: chunked\r\n\r\nx\r\n";
    let input =
        format!("POST /stream HTTP/1.1\r\nHost: h\r\n{bad}GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(answers(&input, usize::MAX), [200]);
}

#[test]
fn a_body_that_nobody_reads_has_to_come_soon() {
    for path in ["/hello", "/stream"] {
        simulate(async |tasks: Handle| {
            let network = serve(&tasks, Server::new(tasks.clone()), app());
            let mut client = network.connect();
            let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n");
            client.write_all(head.as_bytes()).await.unwrap();
            let mut writes = 0;
            while !client.is_closed() && client.write(b"x").await.is_ok() {
                writes += 1;
                tasks.sleep(Duration::from_millis(1500)).await;
            }
            assert!(writes < 3, "{writes}");
            assert_eq!(statuses(&client.read_to_end().await), [200]);
        });
    }
}

#[test]
fn a_body_that_was_refused_is_not_waited_for() {
    simulate(async |tasks: Handle| {
        let refuse = handler(async |request| {
            let mut writer = request.start(Response::new(Status::CONFLICT), Some(4))?;
            for _ in 0..2 {
                assert_eq!(request.read(&mut [0; 5]).await, Err(Error::Incomplete));
            }
            writer.write_all(b"four").await?;
            Ok(writer.finish())
        });
        let network = serve(&tasks, Server::new(tasks.clone()), refuse);
        let mut client = network.connect();
        let fields = "Host: h\r\nContent-Length: 5\r\nExpect: 100-continue";
        let head = format!("PUT / HTTP/1.1\r\n{fields}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(statuses(&client.read_to_end().await), [409]);
        assert_eq!(tasks.now().as_millis(), 0);
    });
}

#[test]
fn a_read_that_was_given_up_does_not_go_on() {
    simulate(async |tasks: Handle| {
        let timer = tasks.clone();
        let patient = handler(async move |request| {
            let pause = timer.sleep(Duration::from_secs(1));
            let given_up = select(request.read(&mut [0; 5]), pause).await;
            assert!(matches!(given_up, Either::Second(())));
            timer.sleep(Duration::from_secs(3600)).await;
            Ok(Response::text(request.read_to_vec(5).await?))
        });
        let network = serve(&tasks, Server::new(tasks.clone()), patient);
        let mut client = network.connect();
        let head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
        client.write_all(head).await.unwrap();
        tasks.sleep(Duration::from_secs(3610)).await;
        client.write_all(b"hello").await.unwrap();
        let answer = client.read_until("hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    });
}
