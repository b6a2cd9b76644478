//! Requests that two programs could understand differently, and other malformed ones,
//! each with the exact status of its refusal.

mod common;

use common::{exchange_in_steps, serve, statuses};
use fata_http::{Error, Limits, Request, Response, Server};
use fata_task::{Handle, simulate};

async fn read_all(request: &mut Request<'_>) -> Result<Response, Error> {
    let body = request.read_to_vec(1 << 20).await?;
    Ok(Response::text(body))
}

fn limits() -> Limits {
    Limits {
        request_line: 200,
        headers: 400,
        header_count: 10,
        body: 1000,
        ..Limits::default()
    }
}

/// The statuses of the server's answers, whatever the pieces in which the input arrives.
fn answers(input: &[u8]) -> Vec<u16> {
    let mut all = Vec::new();
    for step in [usize::MAX, 1, 7] {
        let answer = simulate(async |tasks: Handle| {
            let server = Server::new(tasks.clone()).limits(limits());
            let network = serve(&tasks, server, read_all);
            exchange_in_steps(&tasks, &network, input, step).await
        });
        all.push(statuses(&answer));
    }
    assert!(
        all.iter().all(|one| *one == all[0]),
        "{} depends on its pieces: {all:?}",
        input.escape_ascii()
    );
    all.swap_remove(0)
}

#[test]
fn refused() {
    let host = "\r\nHost: h\r\n\r\n";
    let cases: &[(&str, u16)] = &[
        // Two lengths.
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n",
            400,
        ),
        // Lengths that are none.
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 3\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \"3\"\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3;\r\n\r\nabc",
            400,
        ),
        // Codings other than exactly chunked.
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nX: y\r\n\tz: chunked\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        // Line ends.
        ("GET / HTTP/1.1\nHost: h\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
        ("GET / HTTP/1.1\rHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        // Field names and values.
        ("GET / HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n: z\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX\0: z\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\x7fb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX(: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX\u{e9}: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
        // Hosts.
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", 400),
        ("GET http://other/ HTTP/1.1\r\n\r\n", 400),
        // Request lines.
        ("GET /\r\nHost: h\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET\t/\tHTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / http/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1x\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/11\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("get / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03", 400),
        // Targets.
        ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET index.html HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /%0 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        // Chunks.
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n 1\r\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\naaa",
            400,
        ),
        // Bodies.
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\nabc",
            413,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
            413,
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411),
        ("PUT / HTTP/1.1\r\nHost: h\r\n\r\n", 411),
        ("POST / HTTP/1.0\r\n\r\n", 411),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\na",
            417,
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(
            answers(input.as_bytes()),
            [*expected],
            "{}",
            input.escape_debug()
        );
        // Nothing that follows is taken for a request.
        let followed = format!("{input}\r\n\r\nGET / HTTP/1.1{host}");
        assert_eq!(
            answers(followed.as_bytes()),
            [*expected],
            "{}",
            followed.escape_debug()
        );
    }
}

#[test]
fn cut_short() {
    for input in [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    ] {
        assert_eq!(answers(input.as_bytes()), [400], "{}", input.escape_debug());
    }
    for input in ["", "\r\n", "GET", "GET / HTTP/1.1\r\nHost: h\r\n"] {
        assert_eq!(answers(input.as_bytes()), [], "{}", input.escape_debug());
    }
}

#[test]
fn beyond_limits() {
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(length));
    assert_eq!(
        answers(line(200 - "GET / HTTP/1.1".len()).as_bytes()),
        [200]
    );
    assert_eq!(
        answers(line(201 - "GET / HTTP/1.1".len()).as_bytes()),
        [414]
    );
    assert_eq!(answers(line(100_000).as_bytes()), [414]);
    assert_eq!(answers(&[b'A'; 10_000]), [414]);

    let fields = |count: usize| {
        let fields: String = (0..count - 1)
            .map(|number| format!("x{number}: y\r\n"))
            .collect();
        format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
    };
    assert_eq!(answers(fields(10).as_bytes()), [200]);
    assert_eq!(answers(fields(11).as_bytes()), [431]);
    assert_eq!(answers(fields(1000).as_bytes()), [431]);
    let value = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
            "v".repeat(length)
        )
    };
    assert_eq!(answers(value(300).as_bytes()), [200]);
    assert_eq!(answers(value(400).as_bytes()), [431]);
    assert_eq!(answers(value(50_000).as_bytes()), [431]);

    let chunk = format!("{:x}\r\n{}\r\n", 600, "c".repeat(600));
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(answers(format!("{head}{chunk}0\r\n\r\n").as_bytes()), [200]);
    assert_eq!(
        answers(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()),
        [413]
    );
}

#[test]
fn accepted() {
    let next = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for input in [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhOST: \t h \t \r\n\r\n",
        "GET / HTTP/1.7\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: x, KEEP-alive\r\n\r\n",
        "GET http://h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET https://other/%41?%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET //a//b HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: \u{e9}\t\"\r\nEmpty:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 003\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\nA;x=\"y\"\r\n0123456789\r\n00\r\nA: b\r\n\r\n",
        "PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let input = format!("{input}{next}");
        assert_eq!(
            answers(input.as_bytes()),
            [200, 200],
            "{}",
            input.escape_debug()
        );
    }
    let last = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n{next}");
    assert_eq!(answers(last.as_bytes()), [200]);
}
