//! Files that are values of a key-value store.

mod common;

use common::{exchange, serve};
use fata_http::{Content, Error, FileServer, Files, KvFiles, Server, Status};
use fata_kv::{Key, KvRw, MemoryKv};
use fata_task::simulate;
use std::rc::Rc;

async fn ask(tasks: &fata_task::Handle, store: &Rc<MemoryKv>, request: &str) -> String {
    let handler = FileServer::new(KvFiles::new(Rc::clone(store)));
    let network = serve(tasks, Server::new(tasks.clone()), handler);
    let input = format!("{request}\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answer = exchange(tasks, &network, input.as_bytes()).await;
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_store_is_served() {
    simulate(|tasks| async move {
        let store = Rc::new(MemoryKv::new(&tasks, 1 << 20));
        let page: Key = "about/index.html".parse().unwrap();
        store.set(&page, b"<p>us").await.unwrap();
        let answer = ask(&tasks, &store, "GET /about/ HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nETag: \"0000000000000005"), "{answer}");
        assert!(answer.contains("\r\nLast-Modified: Thu, 01 Jan 2026"));
        assert!(answer.ends_with("\r\n\r\n<p>us"), "{answer}");
        let answer = ask(&tasks, &store, "GET /nothing HTTP/1.1").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    });
}

#[test]
fn a_value_that_changes_while_it_is_sent_ends_the_answer() {
    simulate(|tasks| async move {
        let store = Rc::new(MemoryKv::new(&tasks, 1 << 20));
        let key: Key = "page".parse().unwrap();
        store.set(&key, b"before").await.unwrap();
        let files = KvFiles::new(Rc::clone(&store));
        let file = files.find("page").await.unwrap().expect("it is there");
        let mut buffer = [0; 3];
        assert_eq!(file.content.read_at(3, &mut buffer).await, Ok(3));
        assert_eq!(&buffer, b"ore");
        store.set(&key, b"after!").await.unwrap();
        let unavailable = Err(Error::Status(Status::SERVICE_UNAVAILABLE));
        assert_eq!(file.content.read_at(3, &mut buffer).await, unavailable);
        store.remove(&key).await.unwrap();
        assert_eq!(file.content.read_at(3, &mut buffer).await, unavailable);
    });
}
