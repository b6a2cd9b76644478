//! HEAD where the answer to GET is written piece by piece.

mod common;

use common::{exchange, serve, statuses};
use embedded_io_async::Write;
use fata_http::{Error, Handler, Request, Response, Router, Server, Status};
use fata_task::{Handle, simulate};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

async fn endless(request: &mut Request<'_>, length: Option<u64>) -> Result<Response, Error> {
    let mut writer = request.start(Response::new(Status::OK), length)?;
    loop {
        writer.write_all(b"on and on").await?;
    }
}

fn app(tasks: &Handle, kept: &Rc<()>) -> impl Handler + 'static {
    let (timer, kept) = (tasks.clone(), Rc::clone(kept));
    Router::new()
        .get("/", async |_| Ok(Response::text("Hello, World!")))
        .get("/endless", async |request| endless(request, None).await)
        .get("/long", async |request| {
            endless(request, Some(1 << 40)).await
        })
        .get("/news", async move |request| {
            let _kept = Rc::clone(&kept);
            let mut writer = request.start(Response::new(Status::OK), Some(1 << 40))?;
            loop {
                timer.sleep(Duration::from_secs(1)).await;
                writer.write_all(b"news").await?;
                writer.flush().await?;
            }
        })
}

#[test]
fn what_never_ends_has_a_head() {
    let kept = Rc::new(());
    simulate(async |tasks: Handle| {
        let network = serve(&tasks, Server::new(tasks.clone()), app(&tasks, &kept));
        for path in ["/long", "/news"] {
            let input =
                format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
            let answers = exchange(&tasks, &network, input.as_bytes()).await;
            let answers = String::from_utf8(answers).unwrap();
            assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
            assert!(
                answers.contains("Content-Length: 1099511627776\r\n\r\nHTTP/1.1 200 OK\r\n"),
                "{answers}"
            );
            assert!(answers.ends_with("\r\n\r\nHello, World!"), "{answers}");
        }
        let head = b"HEAD /endless HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
        let answers = String::from_utf8(exchange(&tasks, &network, head).await).unwrap();
        assert!(
            answers.contains("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n"),
            "{answers}"
        );
        assert_eq!(Rc::strong_count(&kept), 2, "no handler goes on");
    });
}

#[test]
fn a_handler_may_do_something_behind_its_answer() {
    simulate(async |tasks: Handle| {
        let done = Rc::new(Cell::new(0));
        let (timer, counter) = (tasks.clone(), Rc::clone(&done));
        let app = Router::new().get("/", async move |request| {
            let mut writer = request.start(Response::new(Status::OK), Some(0))?;
            writer.write_all(b"").await?;
            let response = writer.finish();
            timer.sleep(Duration::from_secs(1)).await;
            counter.set(counter.get() + 1);
            Ok(response)
        });
        let network = serve(&tasks, Server::new(tasks.clone()), app);
        let input = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2);
        let answers = exchange(&tasks, &network, input.as_bytes()).await;
        assert_eq!((statuses(&answers), done.get()), (vec![200, 200], 2));
    });
}
