//! Generated malformed and hostile input: never a panic, always an answer or a clean
//! close, and the server still serves afterwards.

mod common;
mod torture;

use common::{exchange_in_steps, serve, statuses};
use fata_http::{Error, Limits, Request, Response, Router, Server};
use fata_task::{Handle, simulate};
use proptest::prelude::*;
use proptest::sample::select;

async fn echo(request: &mut Request<'_>) -> Result<Response, Error> {
    let body = request.read_to_vec(1000).await?;
    Ok(Response::text(body))
}

/// Looks at everything that a request offers.
async fn inspect(request: &mut Request<'_>) -> Result<Response, Error> {
    let mut text = format!("{:?} {:?}", request.path(), request.query());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", value.escape_ascii());
    }
    text += &format!("{:?} {:?}", request.query_value("q"), request.param("rest"));
    text += &format!("{} {:?}", request.host(), request.remaining());
    Ok(Response::text(text))
}

const CORPUS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a/b?q=%20 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET http://h/x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;e=\"x\"\r\nhello\r\n0\r\nT: v\r\n\r\n",
    b"POST /x HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody",
    b"DELETE /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const ANSWERS: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;e=\"x\"\r\nhello\r\n0\r\nT: v\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 302 \r\nLocation: /\r\nConnection: close\r\n\r\nbye",
    b"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
];

/// Pieces of input that confuse parsers.
const SPICE: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b"%",
    b"%00",
    b"\xff",
    b"\x7f",
    b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"-1",
    b"+1",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Host: h\r\n",
    b"Host: x y\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b" HTTP/1.1",
    b"HTTP/9.9",
    b"GET ",
    b"POST /echo HTTP/1.1\r\n",
    b"../",
    b"//",
    b"*",
    b"?",
    b"#",
    b"\\",
    b"; x=y",
    b"\x0b",
    b"\xc2\x85",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(usize, &'static [u8]),
    Set(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
    Truncate(usize),
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>) {
        let length = input.len().max(1);
        let at = |position: usize| (position % length).min(input.len());
        match *self {
            Self::Insert(position, bytes) => {
                let at = at(position);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Set(position, byte) => {
                let at = at(position);
                if let Some(old) = input.get_mut(at) {
                    *old = byte;
                }
            }
            Self::Remove(position, count) => {
                let start = at(position);
                input.drain(start..(start + count).min(length).min(input.len()));
            }
            Self::Repeat(position, count, times) => {
                let start = at(position);
                let part = input[start..(start + count).min(input.len())].repeat(times);
                input.splice(start..start, part);
            }
            Self::Truncate(position) => {
                let at = at(position);
                input.truncate(at);
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let position = 0_usize..200;
    prop_oneof![
        4 => (position.clone(), select(SPICE)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        2 => (position.clone(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        2 => (position.clone(), 1_usize..20).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (position.clone(), 1_usize..40, 1_usize..200)
            .prop_map(|(at, count, times)| Mutation::Repeat(at, count, times)),
        1 => position.prop_map(Mutation::Truncate),
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let requests = prop::collection::vec(select(CORPUS), 1..4);
    let mutations = prop::collection::vec(mutation(), 0..6);
    (requests, mutations).prop_map(|(requests, mutations)| {
        let mut input = requests.concat();
        for mutation in mutations {
            mutation.apply(&mut input);
        }
        input
    })
}

/// Requests put together from parts, most of them wrong somewhere.
fn assembled() -> impl Strategy<Value = Vec<u8>> {
    let line_end = select(&["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", ""]);
    let line = (
        select(&[
            "GET", "POST", "PUT", "OPTIONS", "CONNECT", "get", "", "G E T", "\u{e9}",
        ]),
        select(&[" ", " ", " ", "  ", "\t", ""]),
        select(&[
            "/",
            "/echo",
            "/a?b",
            "*",
            "http://h/",
            "http://",
            "/%zz",
            "/\\",
            "x",
            "",
        ]),
        select(&[
            "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1", "",
        ]),
    );
    let field = (
        select(&[
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Expect",
            "Range",
            "X",
            " X",
            "X ",
            "",
            "Content-Length\0",
        ]),
        select(&[": ", ": ", ":", " :", ""]),
        select(&[
            "h",
            "5",
            "0",
            "chunked",
            "close",
            "keep-alive",
            "100-continue",
            "bytes=0-",
            "-1",
            "1,1",
            "gzip, chunked",
            "99999999999999999999",
            "\0",
            "\u{7f}",
            "",
        ]),
        line_end.clone(),
    );
    let body = select(&[
        "",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhel",
        "0\r\n\r\n",
        "z\r\n",
    ]);
    (
        line,
        line_end.clone(),
        prop::collection::vec(field, 0..8),
        line_end,
        body,
    )
        .prop_map(
            |((method, space, target, version), end, fields, last, body)| {
                let mut input = format!("{method}{space}{target}{space}{version}{end}");
                for (name, colon, value, end) in fields {
                    input += &format!("{name}{colon}{value}{end}");
                }
                format!("{input}{last}{body}").into_bytes()
            },
        )
}

/// Answers of servers that are confused, or want to confuse.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let answers = prop::collection::vec(select(ANSWERS), 1..5);
    let mutations = prop::collection::vec(mutation(), 0..4);
    (answers, mutations).prop_map(|(answers, mutations)| {
        let mut input = answers.concat();
        for mutation in mutations {
            mutation.apply(&mut input);
        }
        input
    })
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        5 => mutated(),
        4 => assembled(),
        1 => prop::collection::vec(any::<u8>(), 0..2000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn hostile_input(
        inputs in prop::collection::vec(hostile(), 1..3),
        step in prop_oneof![Just(usize::MAX), 1_usize..50],
    ) {
        simulate(async |tasks: Handle| {
            let app = Router::new()
                .get("/*rest", inspect)
                .post("/echo", echo)
                .post("/*rest", inspect);
            let limits = Limits { request_line: 500, headers: 1000, header_count: 20, body: 500, ..Limits::default() };
            let network = serve(&tasks, Server::new(tasks.clone()).limits(limits), app);
            for input in &inputs {
                // Returns only when the server has closed the connection, and fails
                // unless what it sent are complete answers.
                let answers = exchange_in_steps(&tasks, &network, input, step).await;
                for status in statuses(&answers) {
                    let known = [100, 200, 204, 400, 404, 405, 411, 413, 414, 417, 431, 501, 505];
                    assert!(known.contains(&status), "{status}");
                }
            }
            let answers = exchange_in_steps(&tasks, &network, CORPUS[0], usize::MAX).await;
            assert_eq!(statuses(&answers), [200]);
        });
    }

    #[test]
    fn another_parser_sees_the_same_requests(input in hostile(), step in 1_usize..50) {
        torture::server(&input, step);
    }

    #[test]
    fn another_parser_sees_the_same_answers(input in answers(), step in 1_usize..50) {
        torture::client(&input, step);
    }
}
