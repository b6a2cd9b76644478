//! The client and the server, talking to each other.

mod common;

use common::{duplex, serve};
use embedded_io_async::{Read, Write};
use fata_http::{Client, ClientError, Error, Limits, Method, Request, Response, Server, Status};
use fata_net::TcpStream;
use fata_task::{Handle, join, join3, simulate};
use proptest::prelude::*;

/// How one message's body travels.
#[derive(Clone, Debug)]
struct Body {
    bytes: Vec<u8>,
    /// True if its length is announced; otherwise it is chunked.
    announced: bool,
    /// The sizes of its writes and reads.
    pieces: usize,
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..50),
        prop::collection::vec(any::<u8>(), 0..20_000),
    ];
    (bytes, any::<bool>(), 1_usize..5_000).prop_map(|(bytes, announced, pieces)| Body {
        bytes,
        announced,
        pieces,
    })
}

async fn write_in_pieces<W: Write>(mut writer: W, body: &Body) -> Result<W, W::Error> {
    for piece in body.bytes.chunks(body.pieces) {
        writer.write_all(piece).await?;
        if piece.len() % 3 == 0 {
            writer.flush().await?;
        }
    }
    Ok(writer)
}

async fn read_in_pieces<R: Read>(reader: &mut R, pieces: usize) -> Result<Vec<u8>, R::Error> {
    let mut all = Vec::new();
    let mut buffer = vec![0; pieces];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(all),
            length => all.extend_from_slice(&buffer[..length]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn bodies_arrive_as_they_were_sent(
        rounds in prop::collection::vec((body(), body()), 1..5),
        capacity in 1_usize..3_000,
        client_step in 1_usize..2_000,
        server_step in 1_usize..2_000,
    ) {
        simulate(async |tasks: Handle| {
            let (mut near, mut far) = duplex(capacity);
            near.step = client_step;
            far.step = server_step;
            let answers = rounds.clone();
            let expected = rounds.clone();
            let handler = fata_http::handler(async move |request| {
                let round: usize = request.path()[1..].parse().unwrap();
                let (question, answer) = &answers[round];
                let body = read_in_pieces(request, question.pieces).await?;
                assert_eq!(body, expected[round].0.bytes);
                let length = answer.announced.then_some(answer.bytes.len() as u64);
                let writer = request.start(Response::new(Status::OK), length)?;
                Ok(write_in_pieces(writer, answer).await?.finish())
            });
            let server = Server::new(tasks.clone());
            let serving = async {
                server.serve_connection(&mut far, None, &handler).await;
            };
            let asking = async {
                let mut client = Client::new(near, "h");
                for (round, (question, answer)) in rounds.iter().enumerate() {
                    let length = question.announced.then_some(question.bytes.len() as u64);
                    let target = format!("/{round}");
                    let upload = client.start(Method::Post, &target, &[], length).await.unwrap();
                    let upload = write_in_pieces(upload, question).await.unwrap();
                    let mut received = upload.finish().await.unwrap();
                    assert_eq!(received.status(), Status::OK);
                    let body = read_in_pieces(&mut received, answer.pieces).await.unwrap();
                    assert_eq!(body, answer.bytes);
                }
                assert!(client.is_reusable());
            };
            join(serving, asking).await;
        });
    }

    #[test]
    fn pipelined_requests_are_answered_in_order(
        count in 1_usize..200,
        capacity in 100_usize..5_000,
        step in 1_usize..500,
    ) {
        simulate(async |tasks: Handle| {
            let (near, mut far) = duplex(capacity);
            far.step = step;
            let input: String = (0..count)
                .map(|number| format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n"))
                .collect();
            let handler = fata_http::handler(async |request| {
                Ok(Response::text(format!("<{}>", request.path())))
            });
            let server = Server::new(tasks.clone());
            let serving = async {
                server.serve_connection(&mut far, None, &handler).await;
                far.finish();
            };
            let (mut reader, mut writer) = near.split();
            let asking = async {
                writer.write_all(input.as_bytes()).await.unwrap();
                writer.finish();
            };
            let (_, _, all) = join3(serving, asking, reader.read_to_end()).await;
            let all = String::from_utf8(all).unwrap();
            let answers: Vec<_> = all.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
            let expected: Vec<_> = (0..count).map(|number| format!("/{number}")).collect();
            assert_eq!(answers, expected);
        });
    }
}

/// Receives `answer` with a client: its status and body, and true if the connection is reusable.
fn receive(
    method: Method,
    answer: &str,
) -> Result<(u16, Vec<u8>, bool), ClientError<fata_net::Error>> {
    simulate(async |_: Handle| {
        let (near, mut far) = duplex(10_000);
        far.write_all(answer.as_bytes()).await.unwrap();
        far.finish();
        let limits = Limits {
            header_count: 5,
            body: 100,
            ..Limits::default()
        };
        let mut client = Client::new(near, "h").limits(limits);
        let mut answer = client.send(method, "/", &[], &[]).await?;
        let status = answer.status().code();
        let body = answer.read_to_vec(1000).await?;
        Ok((status, body, client.is_reusable()))
    })
}

#[test]
fn answers_are_understood() {
    for (method, answer, expected) in [
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!",
            (200, &b"hi"[..], true),
        ),
        (
            Method::Get,
            "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
            (404, b"", true),
        ),
        (
            Method::Head,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            (200, b"", true),
        ),
        (
            Method::Get,
            "HTTP/1.1 304 \r\nContent-Length: 2\r\n\r\n",
            (304, b"", true),
        ),
        (
            Method::Get,
            "HTTP/1.1 200 OK\r\n\r\nall of it",
            (200, b"all of it", false),
        ),
        (
            Method::Get,
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
            (200, b"x", false),
        ),
        (
            Method::Get,
            "HTTP/1.1 100 \r\n\r\nHTTP/1.1 103 Hm\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n",
            (200, b"a", false),
        ),
    ] {
        let (status, body, reusable) = receive(method, answer).unwrap();
        assert_eq!((status, &body[..], reusable), expected, "{answer}");
    }
}

#[test]
fn bad_answers_are_refused() {
    let interim = "HTTP/1.1 100 \r\n\r\n".repeat(100);
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(6));
    let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(101));
    for (answer, expected) in [
        ("", ClientError::Closed),
        ("HTTP/1.1 200 OK\r\n", ClientError::Closed),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            ClientError::Closed,
        ),
        ("SSH-2.0-x\r\n\r\n", ClientError::BadAnswer),
        ("HTTP/1.1 200 OK\n\n", ClientError::BadAnswer),
        ("HTTP/2.0 200 OK\r\n\r\n", ClientError::BadAnswer),
        ("HTTP/1.1 20 OK\r\n\r\n", ClientError::BadAnswer),
        ("HTTP/1.1 2000 OK\r\n\r\n", ClientError::BadAnswer),
        ("HTTP/1.1 101 X\r\n\r\n", ClientError::BadAnswer),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            ClientError::BadAnswer,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            ClientError::BadAnswer,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
            ClientError::BadAnswer,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
            ClientError::Body(Error::BadBody),
        ),
        (&interim, ClientError::BadAnswer),
        (&fields, ClientError::BadAnswer),
        (&long, ClientError::Body(Error::BodyTooLarge)),
    ] {
        assert_eq!(
            receive(Method::Get, answer),
            Err(expected),
            "{}",
            answer.escape_debug()
        );
    }
}

#[test]
fn the_client_guards_its_requests() {
    simulate(async |tasks: Handle| {
        async fn hello(_: &mut Request<'_>) -> Result<Response, Error> {
            Ok(Response::text("Hello, World!").header("x-one", "two"))
        }
        let network = serve(&tasks, Server::new(tasks.clone()), hello);
        let mut client = Client::new(network.connect(), "h");
        for target in ["", "/ HTTP/1.1\r\nX: y", "/a b"] {
            assert_eq!(client.get(target).await.err(), Some(ClientError::Invalid));
        }
        for (name, value) in [
            ("x", "a\r\nb: c"),
            ("x y", "z"),
            ("Content-Length", "0"),
            ("transfer-encoding", "chunked"),
            ("CONNECTION", "close"),
            ("Host", "h"),
        ] {
            let sent = client.send(Method::Get, "/", &[(name, value)], &[]).await;
            assert_eq!(sent.err(), Some(ClientError::Invalid), "{name}");
        }
        // The body of this answer is left unread, and the connection goes on.
        let answer = client.get("/").await.unwrap();
        assert_eq!(answer.header("X-One"), Some("two"));
        let mut answer = client.get("/").await.unwrap();
        assert_eq!(
            answer.read_to_vec(12).await,
            Err(ClientError::Body(Error::BodyTooLarge))
        );
        // A request that is given up makes an end.
        drop(client.start(Method::Post, "/", &[], Some(3)).await.unwrap());
        assert_eq!(client.get("/").await.err(), Some(ClientError::NotReusable));
    });
}

#[test]
fn nothing_is_taken_for_the_answer_behind_a_bad_one() {
    // Each could be read on as a whole answer behind another.
    let next = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for bad in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        simulate(async |_: Handle| {
            let (near, mut far) = duplex(10_000);
            far.write_all(format!("{bad}{next}{next}").as_bytes())
                .await
                .unwrap();
            let mut client = Client::new(near, "h");
            let body = match client.get("/").await {
                Ok(mut answer) => {
                    let read = answer.read_to_vec(100).await;
                    assert_eq!(answer.read_to_vec(100).await, read, "it stays so");
                    read
                }
                Err(error) => Err(error),
            };
            assert!(body.is_err(), "{bad}");
            let second = client.get("/").await.err();
            assert_eq!(second, Some(ClientError::NotReusable), "{bad}");
        });
    }
}

#[test]
fn nothing_is_taken_for_the_answer_to_a_later_request() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    ] {
        for is_read in [true, false] {
            simulate(async |_: Handle| {
                let (near, mut far) = duplex(10_000);
                let forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
                far.write_all(format!("{answer}{forged}").as_bytes())
                    .await
                    .unwrap();
                let mut client = Client::new(near, "h");
                let mut first = client.get("/").await.unwrap();
                if is_read {
                    assert_eq!(first.read_to_vec(100).await.unwrap(), b"hi");
                }
                for _ in 0..2 {
                    let second = client.get("/").await.err();
                    assert_eq!(second, Some(ClientError::NotReusable));
                }
                assert!(!client.is_reusable());
            });
        }
    }
}

#[test]
fn chunks_stay_below_what_their_size_can_tell() {
    for piece in [100_000, 60_000, 65_535, 1] {
        simulate(async |tasks: Handle| {
            let limits = Limits {
                write_buffer: 200_000,
                ..Limits::default()
            };
            let server = Server::new(tasks.clone()).limits(limits);
            let body: Vec<u8> = (0..140_000_u32).map(|number| number as u8).collect();
            let expected = body.clone();
            let network = serve(
                &tasks,
                server,
                fata_http::handler(async move |request| {
                    let mut writer = request.start(Response::new(Status::OK), None)?;
                    for piece in body.chunks(piece) {
                        writer.write_all(piece).await?;
                    }
                    Ok(writer.finish())
                }),
            );
            let mut client = Client::new(network.connect(), "h");
            for _ in 0..2 {
                let mut answer = client.get("/").await.unwrap();
                assert!(answer.read_to_vec(200_000).await.unwrap() == expected);
            }
        });
    }
}
