//! A network without packets, with two servers on it that answer as a script says.

use super::answers::{Answer, honest};
use crate::testing::Script;
use crate::{Error, Stack, TcpListener, TcpStream, UdpSocket};
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::prelude::v1::*;
use std::rc::Rc;
use std::vec;

pub const FIRST_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53));
pub const SECOND_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 54));
/// The address of every host, when the script is at its end.
pub const HONEST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Answers to one question.
const MOST_ANSWERS: u8 = 40;

#[derive(Clone)]
pub struct Network(Rc<Shared>);

struct Shared {
    script: RefCell<(Vec<u8>, usize)>,
    asked: Cell<usize>,
    /// True if somebody who has seen the question has answered since the lookup began.
    answered: Cell<bool>,
}

impl Network {
    pub fn new(script: &[u8]) -> Self {
        Self(Rc::new(Shared {
            script: RefCell::new((script.to_vec(), 0)),
            asked: Cell::new(0),
            answered: Cell::new(false),
        }))
    }

    /// Lets something read on in the script.
    pub fn with_script<T>(&self, read: impl FnOnce(&mut Script<'_>) -> T) -> T {
        let mut script = self.0.script.borrow_mut();
        let (bytes, place) = &mut *script;
        let mut rest = Script(&bytes[*place..]);
        let result = read(&mut rest);
        *place = bytes.len() - rest.0.len();
        result
    }

    pub fn is_at_end(&self) -> bool {
        let script = self.0.script.borrow();
        script.1 == script.0.len()
    }

    pub fn begin_lookup(&self) {
        self.0.asked.set(0);
        self.0.answered.set(false);
    }

    /// Questions since the lookup began.
    pub fn asked(&self) -> usize {
        self.0.asked.get()
    }

    /// Tells whether there were questions, and no answers from anybody who has seen them.
    pub fn was_asked_in_vain(&self) -> bool {
        self.asked() > 0 && !self.0.answered.get()
    }

    fn count_question(&self) {
        self.0.asked.set(self.asked() + 1);
    }

    /// The answers of a server to a question, each with the address that it claims to have.
    fn answers(&self, question: &[u8], server: SocketAddr) -> Vec<(Vec<u8>, SocketAddr)> {
        self.count_question();
        if self.is_at_end() {
            self.0.answered.set(true);
            return vec![(honest(question, HONEST), server)];
        }
        self.with_script(|script| {
            let count = script.byte() % MOST_ANSWERS;
            let all = (0..count).map(|_| {
                let Answer { bytes, is_forged } = Answer::new(question, script);
                match script.byte() {
                    0 => (bytes, SocketAddr::new(server.ip(), 54)),
                    1 => (bytes, SocketAddr::new(HONEST.into(), 53)),
                    _ => {
                        self.0.answered.set(self.0.answered.get() | !is_forged);
                        (bytes, server)
                    }
                }
            });
            all.collect()
        })
    }

    /// The same over TCP: where the length is wrong, the answer is not whole.
    fn stream_answer(&self, question: &[u8]) -> Vec<u8> {
        self.count_question();
        let is_at_end = self.is_at_end();
        self.with_script(|script| {
            let answer = match is_at_end {
                true => honest(question, HONEST),
                false => Answer::new(question, script).bytes,
            };
            self.0.answered.set(true);
            let length = match script.byte() {
                byte @ 1..9 => script.word() >> byte,
                _ => answer.len() as u16,
            };
            [&length.to_be_bytes(), &answer[..]].concat()
        })
    }
}

impl Stack for Network {
    type Listener = Nobody;
    type Stream = Stream;
    type Socket = Socket;

    async fn listen(&self, _: SocketAddr) -> Result<Nobody, Error> {
        Err(Error::LimitReached)
    }

    async fn connect(&self, remote: SocketAddr) -> Result<Stream, Error> {
        match self.with_script(|script| script.byte()) {
            1 => Err(Error::ConnectionRefused),
            2 => pending().await,
            _ => Ok(Stream {
                network: self.clone(),
                remote,
                answer: Vec::new(),
            }),
        }
    }

    async fn bind(&self, local: SocketAddr) -> Result<Socket, Error> {
        match self.with_script(|script| script.byte()) {
            1 => Err(Error::LimitReached),
            _ => Ok(Socket {
                network: self.clone(),
                local,
                answers: RefCell::default(),
            }),
        }
    }
}

pub struct Socket {
    network: Network,
    local: SocketAddr,
    answers: RefCell<VecDeque<(Vec<u8>, SocketAddr)>>,
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error> {
        let answers = self.network.answers(payload, remote);
        self.answers.borrow_mut().extend(answers);
        Ok(())
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let next = self.answers.borrow_mut().pop_front();
        let Some((bytes, sender)) = next else {
            return pending().await;
        };
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok((length, sender))
    }
}

/// A connection whose peer answers the one question that comes, and closes.
pub struct Stream {
    network: Network,
    remote: SocketAddr,
    answer: Vec<u8>,
}

impl ErrorType for Stream {
    type Error = Error;
}

impl Read for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let length = self.answer.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.answer[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Stream {
    async fn fill_buf(&mut self) -> Result<&[u8], Error> {
        Ok(&self.answer)
    }

    fn consume(&mut self, count: usize) {
        self.answer.drain(..count);
    }
}

impl Write for Stream {
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        let question = buffer.get(2..).expect("a length comes first");
        self.answer = self.network.stream_answer(question);
        Ok(buffer.len())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl TcpStream for Stream {
    type ReadHalf = Self;
    type WriteHalf = Self;

    fn local_addr(&self) -> SocketAddr {
        ([192, 0, 2, 2], 1_024).into()
    }

    fn peer_addr(&self) -> SocketAddr {
        self.remote
    }

    async fn shutdown(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn abort(&mut self) {}

    fn split(self) -> (Self, Self) {
        unreachable!("the resolver does not split")
    }
}

/// Nobody listens.
pub enum Nobody {}

impl TcpListener for Nobody {
    type Stream = Stream;

    async fn accept(&self) -> Result<Stream, Error> {
        match *self {}
    }

    fn local_addr(&self) -> SocketAddr {
        match *self {}
    }
}
