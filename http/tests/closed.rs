//! Handlers that wait for long see their clients go away.

mod common;

use common::{Stream, serve, statuses};
use embedded_io_async::{Read, Write};
use fata_http::{Error, Limits, Request, Response, Router, Server, Status};
use fata_net::TcpStream;
use fata_task::{Either, Event, Handle, select, simulate};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// The event that handlers wait for, and the number of those that have waited in vain.
#[derive(Default)]
struct News {
    come: Event,
    gone: Cell<u32>,
}

impl News {
    async fn wait(&self, request: &mut Request<'_>) -> Result<Response, Error> {
        while request.read(&mut [0; 10]).await? > 0 {}
        match select(self.come.wait(), request.closed()).await {
            Either::First(()) => Ok(Response::text("news")),
            Either::Second(()) => {
                self.gone.set(self.gone.get() + 1);
                Err(Status::REQUEST_TIMEOUT.into())
            }
        }
    }
}

const WAIT: &[u8] = b"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &[u8] = b"POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
const ANSWERS: &str = "HTTP/1.1 200 OK";

fn start(tasks: &Handle) -> (Rc<News>, common::Network) {
    let news = Rc::new(News::default());
    let (get, post) = (Rc::clone(&news), Rc::clone(&news));
    let app = Router::new()
        .get("/wait", async move |request| get.wait(request).await)
        .post("/wait", async move |request| post.wait(request).await)
        .get("/", async |_| Ok(Response::text("now")));
    let server = Server::new(tasks.clone()).limits(Limits {
        body_buffer: 1000,
        ..Limits::default()
    });
    (news, serve(tasks, server, app))
}

/// A client that has sent this and waits.
async fn client(tasks: &Handle, network: &common::Network, request: &[u8]) -> Stream {
    let mut client = network.connect();
    client.write_all(request).await.unwrap();
    tasks.sleep(Duration::from_secs(3600)).await;
    assert_eq!(client.available(), 0, "the handler waits");
    client
}

#[test]
fn a_client_that_closes_is_noticed() {
    simulate(|tasks| async move {
        let (news, network) = start(&tasks);
        for request in [WAIT, POST] {
            let gone = news.gone.get();
            drop(client(&tasks, &network, request).await);
            tasks.sleep(Duration::from_secs(1)).await;
            assert_eq!(news.gone.get(), gone + 1);
        }
        let mut half = client(&tasks, &network, WAIT).await;
        half.finish();
        assert_eq!(statuses(&half.read_to_end().await), [408]);
    });
}

#[test]
fn a_client_that_stays_gets_its_answer() {
    simulate(|tasks| async move {
        let (news, network) = start(&tasks);
        for request in [WAIT, POST] {
            let mut client = client(&tasks, &network, request).await;
            for _ in 0..2 {
                news.come.signal();
                let answer = client.read_until("news").await;
                assert!(answer.starts_with(ANSWERS), "{answer}");
                client.write_all(request).await.unwrap();
                tasks.sleep(Duration::from_secs(10)).await;
            }
        }
        tasks.sleep(Duration::from_secs(1)).await;
        assert_eq!(news.gone.get(), 2);
    });
}

#[test]
fn requests_that_come_meanwhile_are_answered_later() {
    simulate(|tasks| async move {
        let (news, network) = start(&tasks);
        let mut early = client(&tasks, &network, &[WAIT, WAIT].concat()).await;
        let now = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for byte in now {
            early.write_all(&[*byte]).await.unwrap();
            tasks.sleep(Duration::from_secs(1)).await;
        }
        for _ in 0..2 {
            assert_eq!(early.available(), 0);
            news.come.signal();
            let answer = early.read_until("news").await;
            assert!(answer.starts_with(ANSWERS), "{answer}");
        }
        let answer = early.read_until("now").await;
        assert!(answer.starts_with(ANSWERS), "{answer}");
        assert_eq!(news.gone.get(), 0);
    });
}

#[test]
fn what_is_kept_is_bounded() {
    simulate(|tasks| async move {
        let (news, network) = start(&tasks);
        let (mut reader, mut writer) = client(&tasks, &network, WAIT).await.split();
        let now = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
        let sent = tasks.spawn(async move {
            writer.write_all(&now).await.unwrap();
            writer.finish();
        });
        tasks.sleep(Duration::from_secs(3600)).await;
        assert!(!sent.is_finished(), "nobody reads on");
        news.come.signal();
        let answers = statuses(&reader.read_to_end().await);
        assert_eq!(answers, [200; 1001]);
    });
}
