//! A client whose server sends anything.

use crate::common::{Stream, duplex};
use embedded_io_async::Write;
use fata_http::{Client, ClientError, Limits, Method};
use fata_task::{Handle, simulate};

/// Longest body that is read.
const LONGEST: usize = 1_000;

/// An answer as the client has seen it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    /// The body, unless reading it has failed.
    body: Option<Vec<u8>>,
}

/// Answers a client's requests with `input`: it must not panic or wait for ever, and has to see
/// the same answers as httparse, in whatever pieces of `step` bytes they come.
pub fn client(input: &[u8], step: usize) {
    let seen = answers(input, usize::MAX);
    let in_pieces = answers(input, step);
    // An answer that comes before its request ends the connection: it depends on the pieces.
    assert_eq!(in_pieces.first(), seen.first());
    assert!(in_pieces.iter().zip(&seen).all(|(one, other)| one == other));
    if let Some(first) = seen.first() {
        compare(first, input);
    }
}

/// The answers to three requests, until one makes no sense.
fn answers(input: &[u8], step: usize) -> Vec<Seen> {
    simulate(async |tasks: Handle| {
        let (near, mut far) = duplex(100_000);
        let input = input.to_vec();
        let pieces = tasks.spawn(async move {
            for piece in input.chunks(step) {
                if far.write_all(piece).await.is_err() {
                    break;
                }
                fata_task::yield_now().await;
            }
            far.finish();
            far.read_to_end().await
        });
        let limits = Limits {
            request_line: 500,
            headers: 1_000,
            header_count: 20,
            body: 500,
            ..Limits::default()
        };
        let mut client = Client::new(near, "host").limits(limits);
        let mut seen = Vec::new();
        for method in [Method::Get, Method::Head, Method::Post] {
            match ask(&mut client, method).await {
                Ok(one) => seen.push(one),
                Err(_) => break,
            }
        }
        drop(client);
        pieces
            .await
            .expect("the server goes on until the client ends");
        seen
    })
}

async fn ask(
    client: &mut Client<Stream>,
    method: Method,
) -> Result<Seen, ClientError<fata_net::Error>> {
    let mut answer = client.send(method, "/", &[], b"").await?;
    let fields = answer.headers();
    Ok(Seen {
        status: answer.status().code(),
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect(),
        body: answer.read_to_vec(LONGEST).await.ok(),
    })
}

/// Compares an answer with the first in `input` that is not an interim one.
fn compare(seen: &Seen, mut input: &[u8]) {
    loop {
        let mut space = [httparse::EMPTY_HEADER; 64];
        let mut answer = httparse::Response::new(&mut space);
        let length = match answer.parse(input) {
            // A later one, which httparse does not know.
            Err(httparse::Error::Version) => return,
            parsed => parsed.expect("it was accepted").unwrap(),
        };
        let status = answer.code.expect("it is complete");
        if (100..200).contains(&status) {
            input = &input[length..];
            continue;
        }
        let field = |field: &httparse::Header<'_>| (field.name.to_owned(), field.value.to_vec());
        let fields: Vec<_> = answer.headers.iter().map(field).collect();
        assert_eq!((status, &fields), (seen.status, &seen.fields));
        return;
    }
}
