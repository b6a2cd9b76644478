//! The queue over HTTP.

use alloc::format;
use alloc::string::String;
use embedded_io_async::{Read, Write};
use fata_block::Block;
use fata_http::{Error as HttpError, Handler, Limits, Method, Request, Response, Status};
use fata_queue::{Download, Error, Queue, Upload};
use fata_task::{Either, select};

/// Bytes of a connection's buffers for bodies, while they come or go.
const BUFFER: usize = 32 << 10;

/// The limits of a server for [`service`]: an item may be as long as the disk has room for.
pub fn limits() -> Limits {
    Limits {
        request_line: 4 << 10,
        headers: 4 << 10,
        body: u64::MAX,
        body_buffer: BUFFER,
        write_buffer: BUFFER,
        // So that clients that do not look up from their upload get to read a refusal.
        linger: 1 << 20,
        ..Limits::default()
    }
}

/// The HTTP side of a queue.
///
/// - `PUT /uploader` puts an item into the queue. It needs `Content-Length`.
/// - `GET /downloader` gives the oldest item, which stays in the queue, and waits for one if
///   there is none.
/// - `DELETE /downloader` removes the item that `GET` has given.
///
/// While `most_waiting` uploads wait for their turn, further ones are told to come back: each holds
/// memory.
pub fn service<B: Block + 'static>(queue: Queue<B>, most_waiting: usize) -> impl Handler {
    fata_http::handler(async move |request: &mut Request<'_>| {
        match (request.path(), request.method()) {
            ("/uploader", Method::Put) if queue.waiting() >= most_waiting => Err(HttpError::NoRoom),
            ("/uploader", Method::Put) => put(&queue, request).await,
            ("/uploader", Method::Post) => Ok(bad_request("Use PUT, not POST\n")),
            ("/downloader", Method::Get) => get(&queue, request).await,
            ("/downloader", Method::Delete) => Ok(delete(&queue).await),
            ("/uploader" | "/downloader", _) => Ok(bad_request("Method not supported\n")),
            (path, _) => Ok(bad_request(format!("Bad path '{path}'\n"))),
        }
    })
}

async fn put<B: Block + 'static>(
    queue: &Queue<B>,
    request: &mut Request<'_>,
) -> Result<Response, HttpError> {
    // Chunks do not tell how much room to take.
    let has_length = request.header("content-length").is_some();
    let Some(length) = request.remaining().filter(|_| has_length) else {
        return Ok(Response::error(Status::LENGTH_REQUIRED));
    };
    let stored = match queue.upload(length).await {
        Ok(upload) => store(upload, request).await?,
        Err(error) => Err(error),
    };
    Ok(stored.map_or_else(refusal, |()| Response::text("Accepted\n")))
}

/// Reads an upload's body, in constant memory.
async fn store<B: Block + 'static>(
    mut upload: Upload<B>,
    request: &mut Request<'_>,
) -> Result<Result<(), Error>, HttpError> {
    loop {
        let overdue = upload.overdue();
        let space = upload.space();
        if space.is_empty() {
            break;
        }
        let count = match select(request.read(space), overdue).await {
            // The client has closed its side too early, and may read on.
            Either::First(Ok(0) | Err(HttpError::Incomplete)) => break,
            Either::First(count) => count?,
            // Others wait for their turn.
            Either::Second(()) => return Err(HttpError::TimedOut),
        };
        if let Err(error) = upload.advance(count).await {
            return Ok(Err(error));
        }
    }
    Ok(upload.finish().await)
}

async fn get<B: Block + 'static>(
    queue: &Queue<B>,
    request: &mut Request<'_>,
) -> Result<Response, HttpError> {
    match select(queue.download(), request.closed()).await {
        Either::First(download) => send(download, request).await,
        // Nobody reads the answer.
        Either::Second(()) => Err(HttpError::Incomplete),
    }
}

/// Sends an item, in constant memory.
async fn send<B: Block + 'static>(
    mut download: Download<B>,
    request: &Request<'_>,
) -> Result<Response, HttpError> {
    let length = download.length();
    // Read before the answer begins, so that an error of the disk can be one.
    let mut chunk = match download.next().await {
        Ok(chunk) => chunk,
        Err(error) => return Ok(refusal(error)),
    };
    let head = Response::new(Status::OK).content_type("application/octet-stream");
    let mut writer = request.start(head, Some(length))?;
    while !chunk.is_empty() {
        writer.write_all(chunk).await?;
        chunk = download.next().await.map_err(|error| {
            log::error!(target: "queue", "breaking off a download: {error}");
            HttpError::Status(Status::INTERNAL_SERVER_ERROR)
        })?;
    }
    Ok(writer.finish())
}

async fn delete<B: Block + 'static>(queue: &Queue<B>) -> Response {
    let removed = queue.remove().await;
    removed.map_or_else(refusal, |_| Response::text("OK\n"))
}

fn bad_request(text: impl Into<String>) -> Response {
    plain(Status::BAD_REQUEST, text)
}

fn plain(status: Status, text: impl Into<String>) -> Response {
    Response::new(status).body("text/plain; charset=utf-8", text.into())
}

/// The answer to an error of the queue.
fn refusal(error: Error) -> Response {
    match error {
        Error::Full => plain(Status::INSUFFICIENT_STORAGE, "Disk full"),
        Error::WrongSize {
            announced,
            received,
        } => bad_request(format!(
            "Upload has wrong size: Content-Length said {announced} but got {received}"
        )),
        Error::Waiting => plain(Status::CONFLICT, "A download is waiting for an item\n"),
        _ => {
            log::error!(target: "queue", "{error}");
            plain(Status::INTERNAL_SERVER_ERROR, format!("{error}\n"))
        }
    }
}
