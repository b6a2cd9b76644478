//! A server whose client sends anything.

use crate::common::{exchange_in_steps, serve, statuses};
use fata_http::{Error, Limits, Request, Response, Server, handler};
use fata_task::{Handle, simulate};
use std::cell::RefCell;
use std::rc::Rc;

/// A request as its handler has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    /// The body, unless reading it has failed.
    body: Option<Vec<u8>>,
}

/// Sends `input` to a server: it must not panic, has to answer in good form, and to see the
/// same requests as httparse, in whatever pieces of `step` bytes they come.
pub fn server(input: &[u8], step: usize) {
    let (answers, seen) = serve_input(input, usize::MAX);
    let known = [100, 200, 204, 400, 411, 413, 414, 417, 431, 501, 505];
    assert!(answers.iter().all(|status| known.contains(status)));
    // Which of two mistakes is seen first may depend on the pieces, and whether a body was late.
    let in_pieces = serve_input(input, step);
    let served = |answers: &[u16]| {
        answers
            .iter()
            .filter(|status| (200..300).contains(*status))
            .count()
    };
    assert_eq!(served(&in_pieces.0), served(&answers));
    assert_eq!(in_pieces.1, seen);
    let mut rest = input;
    for request in &seen {
        match compare(request, rest) {
            Some(behind) => rest = behind,
            None => return,
        }
    }
}

/// The statuses of the server's answers, and the requests that its handler sees.
fn serve_input(input: &[u8], step: usize) -> (Vec<u16>, Vec<Seen>) {
    let limits = Limits {
        request_line: 500,
        headers: 1_000,
        header_count: 20,
        body: 500,
        ..Limits::default()
    };
    let all = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&all);
    let answers = simulate(async |tasks: Handle| {
        let note = handler(async move |request| {
            let (one, result) = take(request).await;
            seen.borrow_mut().push(one);
            result
        });
        let network = serve(&tasks, Server::new(tasks.clone()).limits(limits), note);
        exchange_in_steps(&tasks, &network, input, step).await
    });
    (statuses(&answers), all.take())
}

async fn take(request: &mut Request<'_>) -> (Seen, Result<Response, Error>) {
    let fields = request.headers();
    let query = request.query().map(|query| format!("?{query}"));
    let mut seen = Seen {
        method: request.method().as_str().to_owned(),
        target: format!("{}{}", request.path(), query.unwrap_or_default()),
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect(),
        body: None,
    };
    match request.read_to_vec(usize::MAX).await {
        Ok(body) => {
            seen.body = Some(body);
            (seen, Ok(Response::text("well")))
        }
        Err(error) => (seen, Err(error)),
    }
}

/// Compares a request with the first one in `input` that is not for the server itself. Returns
/// what follows it; `None` if it is of a later version, which httparse does not know.
fn compare<'i>(seen: &Seen, mut input: &'i [u8]) -> Option<&'i [u8]> {
    loop {
        let mut space = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut space);
        let length = match request.parse(input) {
            Err(httparse::Error::Version) => return None,
            parsed => parsed.expect("it was accepted").unwrap(),
        };
        let body = &input[length..];
        let (decoded, rest) = match field(&request, "transfer-encoding") {
            Some(_) => chunks(body),
            None => {
                let length = field(&request, "content-length").unwrap_or("0");
                let length = length.parse().expect("it was accepted");
                body.split_at_checked(length)
                    .map(|(body, rest)| (body.to_vec(), rest))
            }
        }
        .unzip();
        let target = request.path.expect("it is complete");
        input = rest.unwrap_or_default();
        if target == "*" {
            continue;
        }
        assert_eq!(request.method, Some(&*seen.method));
        assert!(!target.starts_with('/') || target == seen.target);
        let name = |field: &httparse::Header<'_>| (field.name.to_owned(), field.value.to_vec());
        let fields: Vec<_> = request.headers.iter().map(name).collect();
        assert_eq!(fields, seen.fields);
        assert!(seen.body.is_none() || seen.body == decoded);
        return Some(input);
    }
}

fn field<'r>(request: &httparse::Request<'_, 'r>, name: &str) -> Option<&'r str> {
    let mut fields = request.headers.iter();
    let field = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(std::str::from_utf8(field.value).expect("it was accepted"))
}

/// A body in chunks, and what follows. `None` if it is malformed.
fn chunks(mut input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(input).ok()?
        else {
            return None;
        };
        input = input.get(start..)?;
        if size == 0 {
            // As many as the limit of bytes lets through.
            let mut trailers = [httparse::EMPTY_HEADER; 256];
            let parsed = httparse::parse_headers(input, &mut trailers).ok()?;
            return parsed
                .is_complete()
                .then(|| (body, &input[parsed.unwrap().0..]));
        }
        let (chunk, rest) = input.split_at_checked(usize::try_from(size).ok()?)?;
        body.extend(chunk);
        input = rest.strip_prefix(b"\r\n")?;
    }
}
