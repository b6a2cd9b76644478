//! An in-memory network, and a server on it.
#![allow(dead_code, reason = "each test program uses its own part")]

use embedded_io_async::{BufRead, ErrorType, Read, Write};
use fata_http::{Handler, Server};
use fata_memory::Budget;
use fata_net::{Error, TcpListener, TcpStream};
use fata_task::Handle;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// The writer has closed it.
    finished: bool,
    /// The reader is gone.
    broken: bool,
    wakers: Vec<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

type Shared = Rc<RefCell<Pipe>>;

/// One side of an in-memory connection.
pub struct Stream {
    input: Option<Shared>,
    output: Option<Shared>,
    /// Most bytes of one read.
    pub step: usize,
    /// Writes that were made.
    pub writes: usize,
    /// Bytes that were read ahead by [`BufRead`].
    ahead: Vec<u8>,
}

/// A connection whose directions hold `capacity` bytes each.
pub fn duplex(capacity: usize) -> (Stream, Stream) {
    let pipe = || {
        Rc::new(RefCell::new(Pipe {
            capacity,
            ..Pipe::default()
        }))
    };
    let (one, two) = (pipe(), pipe());
    let end = |input: &Shared, output: &Shared| Stream {
        input: Some(Rc::clone(input)),
        output: Some(Rc::clone(output)),
        step: usize::MAX,
        writes: 0,
        ahead: Vec::new(),
    };
    (end(&one, &two), end(&two, &one))
}

impl Stream {
    /// Closes this side for writing.
    pub fn finish(&mut self) {
        if let Some(output) = &self.output {
            let mut output = output.borrow_mut();
            output.finished = true;
            output.wake();
        }
    }

    fn input(&self) -> &RefCell<Pipe> {
        self.input.as_ref().expect("a half that reads")
    }

    fn output(&self) -> &RefCell<Pipe> {
        self.output.as_ref().expect("a half that writes")
    }

    /// Reads until the peer closes.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        while let Ok(length @ 1..) = self.read(&mut buffer).await {
            all.extend_from_slice(&buffer[..length]);
        }
        all
    }

    /// Reads until what was read ends with `end`, or the peer closes.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        let mut byte = [0];
        while !all.ends_with(end.as_bytes()) && self.read(&mut byte).await == Ok(1) {
            all.push(byte[0]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// True once the peer has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.input().borrow().finished
    }

    /// Bytes that can be read now.
    pub fn available(&self) -> usize {
        self.input().borrow().bytes.len()
    }
}

impl ErrorType for Stream {
    type Error = Error;
}

impl Read for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|context| {
            let mut pipe = self.input().borrow_mut();
            let length = buffer.len().min(pipe.bytes.len()).min(self.step);
            if length == 0 && !buffer.is_empty() && !pipe.finished {
                pipe.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            for (byte, taken) in buffer.iter_mut().zip(pipe.bytes.drain(..length)) {
                *byte = taken;
            }
            pipe.wake();
            Poll::Ready(Ok(length))
        })
        .await
    }
}

impl BufRead for Stream {
    async fn fill_buf(&mut self) -> Result<&[u8], Error> {
        if self.ahead.is_empty() {
            let mut buffer = [0; 100];
            let length = self.read(&mut buffer).await?;
            self.ahead.extend(&buffer[..length]);
        }
        Ok(&self.ahead)
    }

    fn consume(&mut self, count: usize) {
        self.ahead.drain(..count);
    }
}

impl Write for Stream {
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        self.writes += 1;
        poll_fn(|context| {
            let mut pipe = self.output().borrow_mut();
            if pipe.broken || pipe.finished {
                return Poll::Ready(Err(Error::ConnectionReset));
            }
            let length = buffer.len().min(pipe.capacity - pipe.bytes.len());
            if length == 0 && !buffer.is_empty() {
                pipe.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            pipe.bytes.extend(&buffer[..length]);
            pipe.wake();
            Poll::Ready(Ok(length))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.finish();
        if let Some(input) = &self.input {
            let mut input = input.borrow_mut();
            input.broken = true;
            input.wake();
        }
    }
}

impl TcpStream for Stream {
    type ReadHalf = Stream;
    type WriteHalf = Stream;

    fn local_addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], 80).into()
    }

    fn peer_addr(&self) -> SocketAddr {
        ([198, 51, 100, 7], 1234).into()
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }

    fn abort(&mut self) {
        self.finish();
    }

    fn split(mut self) -> (Stream, Stream) {
        let half = |input, output| Stream {
            input,
            output,
            step: self.step,
            writes: 0,
            ahead: Vec::new(),
        };
        let reader = half(self.input.take(), None);
        let writer = half(None, self.output.take());
        (reader, writer)
    }
}

/// Connections that wait to be accepted.
#[derive(Clone, Default)]
pub struct Network {
    backlog: Rc<RefCell<(VecDeque<Stream>, Option<Waker>)>>,
    /// The program's memory.
    pub memory: Budget,
}

impl Network {
    /// Connects to the listener.
    pub fn connect(&self) -> Stream {
        let (client, server) = duplex(4096);
        let mut backlog = self.backlog.borrow_mut();
        backlog.0.push_back(server);
        if let Some(waker) = backlog.1.take() {
            waker.wake();
        }
        client
    }

    /// How many connections wait.
    pub fn waiting(&self) -> usize {
        self.backlog.borrow().0.len()
    }
}

impl TcpListener for Network {
    type Stream = Stream;

    async fn accept(&self) -> Result<Stream, Error> {
        poll_fn(|context| {
            let mut backlog = self.backlog.borrow_mut();
            match backlog.0.pop_front() {
                Some(stream) => Poll::Ready(Ok(stream)),
                None => {
                    backlog.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn memory(&self) -> Budget {
        self.memory.clone()
    }

    fn local_addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], 80).into()
    }
}

/// Serves `server` on a network of its own.
pub fn serve(tasks: &Handle, server: Server, handler: impl Handler + 'static) -> Network {
    serve_within(tasks, Budget::unbounded(), server, handler)
}

/// The same with so much memory.
pub fn serve_within(
    tasks: &Handle,
    memory: Budget,
    server: Server,
    handler: impl Handler + 'static,
) -> Network {
    let network = Network {
        memory,
        ..Network::default()
    };
    let listener = network.clone();
    tasks.spawn(async move { server.serve(listener, handler).await });
    network
}

/// Sends `input` over a new connection, closes it for writing, and returns everything
/// that the server answers until it closes.
pub async fn exchange(tasks: &Handle, network: &Network, input: &[u8]) -> Vec<u8> {
    exchange_in_steps(tasks, network, input, usize::MAX).await
}

/// Like [`exchange`], in pieces of `step` bytes that arrive one after the other.
pub async fn exchange_in_steps(
    tasks: &Handle,
    network: &Network,
    input: &[u8],
    step: usize,
) -> Vec<u8> {
    let mut client = network.connect();
    let mut all = Vec::new();
    let mut buffer = [0; 512];
    let mut rest = input;
    loop {
        if rest.is_empty() {
            client.finish();
            all.extend(client.read_to_end().await);
            return all;
        }
        let piece = &rest[..rest.len().min(step)];
        match client.write(piece).await {
            Ok(length) => rest = &rest[length..],
            Err(_) => rest = &[],
        }
        fata_task::yield_now().await;
        while client.available() > 0 {
            let length = client.read(&mut buffer).await.unwrap();
            all.extend_from_slice(&buffer[..length]);
        }
        let _ = tasks;
    }
}

/// The status codes of all answers in a row. Panics if the bytes are anything else than
/// complete answers.
pub fn statuses(mut answers: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !answers.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 50];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(answers).expect("a well-formed answer");
        let head = parsed.unwrap();
        let field = |name: &str| {
            response
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name))
                .map(|field| std::str::from_utf8(field.value).unwrap())
        };
        let status = response.code.unwrap();
        let length = match field("content-length") {
            Some(length) => length.parse().unwrap(),
            None if field("transfer-encoding").is_some() => {
                panic!("read chunked answers with the client")
            }
            None => 0,
        };
        statuses.push(status);
        answers = &answers[head + length..];
    }
    statuses
}
