//! One question, and the servers that it is put to.

use super::message::{self, MOST_ALIASES, PAYLOAD, Query, Question, Reply, Style};
use super::preferred::Preferred;
use super::{Known, ResolveError, Shared};
use crate::{Stack, UdpSocket};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use embedded_io_async::{Read, Write};
use rand_core::Rng;

/// The port of DNS servers.
const PORT: u16 = 53;
/// How long each server is waited for in the first round. In each further round it is
/// twice as long.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// How often each server is asked.
const ROUNDS: u32 = 3;
/// How long a server is waited for over TCP.
const STREAM_PATIENCE: Duration = Duration::from_secs(4);
/// How long a question may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for the network to name its servers, and how often to look.
const SERVER_PATIENCE: Duration = Duration::from_secs(5);
const SERVER_INTERVAL: Duration = Duration::from_millis(100);
/// The servers that are asked. More are left out.
pub(super) const MOST_SERVERS: usize = 4;
/// After so many wrong answers somebody is guessing, and the question is put over TCP.
const MOST_WRONG_ANSWERS: u32 = 32;
/// The longest answer over TCP, in bytes.
const LONGEST_ANSWER: usize = 16 << 10;

impl<S: Stack> Shared<S> {
    /// Asks until there is an answer, under further names where servers give only aliases.
    pub(super) async fn resolve(&self, question: &Question) -> Result<Known, ResolveError> {
        let asked = self.tasks.timeout(PATIENCE, self.follow(question)).await;
        asked.unwrap_or(Err(ResolveError::TimedOut))
    }

    async fn follow(&self, question: &Question) -> Result<Known, ResolveError> {
        let mut question = question.clone();
        let mut least = u32::MAX;
        // Asked for are the name itself and what each alias leads to.
        for _ in 0..=MOST_ALIASES {
            match self.ask(&question).await? {
                Reply::Records(records, seconds) => {
                    return Ok(Known::new(records, seconds.min(least), self.tasks.now()));
                }
                Reply::Alias(name, seconds) => {
                    question.name = name;
                    least = least.min(seconds);
                }
                _ => break,
            }
        }
        Err(ResolveError::BadAnswer)
    }

    /// Puts the question to one server after the other, in several rounds.
    ///
    /// From the second round on it takes the plain form.
    async fn ask(&self, question: &Question) -> Result<Reply, ResolveError> {
        let mut servers = self.find_servers().await?;
        let mut error = ResolveError::TimedOut;
        let mut begin = self.tasks.now();
        for round in 0..ROUNDS {
            // Where sending has failed, the network may be about to start.
            self.tasks.sleep_until(begin).await;
            begin = self.tasks.now() + patience(round);
            let mut index = 0;
            while let Some(server) = servers.get(index).copied() {
                match self.attempt(server, question, round).await {
                    Ok(Reply::Failure(failure)) => {
                        error = failure;
                        servers.remove(index);
                        continue;
                    }
                    Ok(Reply::NotUnderstood) => error = ResolveError::BadAnswer,
                    Ok(reply) => return Ok(reply),
                    Err(failure) => error = failure,
                }
                index += 1;
            }
            if servers.is_empty() {
                break;
            }
        }
        Err(error)
    }

    /// The servers, beginning with the one that has answered last. Waits for a network that
    /// names none yet.
    async fn find_servers(&self) -> Result<Vec<IpAddr>, ResolveError> {
        let end = self.tasks.now() + SERVER_PATIENCE;
        loop {
            let mut servers = (self.servers)();
            servers.truncate(MOST_SERVERS);
            let preferred = self.preferred.get().map(|known| known.server);
            if let Some(place) = servers.iter().position(|server| Some(*server) == preferred) {
                servers.rotate_left(place);
            }
            if !servers.is_empty() {
                return Ok(servers);
            }
            if self.tasks.now() >= end {
                return Err(ResolveError::NoServers);
            }
            self.tasks.sleep(SERVER_INTERVAL).await;
        }
    }

    /// Asks one server once, and at once again in the plain form if it says that it does not
    /// understand the modern one. The form that it answers is remembered.
    async fn attempt(
        &self,
        server: IpAddr,
        question: &Question,
        round: u32,
    ) -> Result<Reply, ResolveError> {
        let mut modern = round == 0 && self.known_of(server).is_modern(self.tasks.now());
        let mut reply = self.put(server, question, modern, round).await;
        if modern && reply == Ok(Reply::NotUnderstood) {
            modern = false;
            reply = self.put(server, question, modern, round).await;
        }
        if matches!(reply, Ok(Reply::Records(..) | Reply::Alias(..))) {
            let known = self.known_of(server);
            let known = known.answered(modern, self.tasks.now());
            self.preferred.set(Some(known));
        }
        reply
    }

    /// The state kept of a server: of any but the preferred one, nothing is kept.
    fn known_of(&self, server: IpAddr) -> Preferred {
        let preferred = self.preferred.get();
        let preferred = preferred.filter(|known| known.server == server);
        preferred.unwrap_or(Preferred::new(server))
    }

    /// Puts the question to one server in one form.
    async fn put(
        &self,
        server: IpAddr,
        question: &Question,
        modern: bool,
        round: u32,
    ) -> Result<Reply, ResolveError> {
        let server = SocketAddr::new(server, PORT);
        let query = message::write(question, &self.style(modern))?;
        let datagram = self.ask_by_datagram(server, &query, question);
        match self.tasks.timeout(patience(round), datagram).await {
            Err(_) => Err(ResolveError::TimedOut),
            Ok(Ok(Reply::Truncated)) => {
                let query = message::write(question, &self.style(modern))?;
                let stream = self.ask_by_stream(server, &query, question);
                let asked = self.tasks.timeout(STREAM_PATIENCE, stream).await;
                asked.unwrap_or(Err(ResolveError::TimedOut))
            }
            Ok(reply) => reply,
        }
    }

    /// A number that nobody can guess (RFC 5452, section 9.2). The modern form has also
    /// EDNS, and letters that nobody can guess; the plain one is what the oldest servers and
    /// middleboxes know.
    fn style(&self, modern: bool) -> Style {
        let mut random = self.random.borrow_mut();
        let mut style = Style {
            id: random.next_u32() as u16,
            large: [0; _],
            extended: modern,
        };
        if modern {
            random.fill_bytes(&mut style.large);
        }
        style
    }

    /// From a socket of its own, so that each question has a port that nobody can guess.
    async fn ask_by_datagram(
        &self,
        server: SocketAddr,
        query: &Query,
        question: &Question,
    ) -> Result<Reply, ResolveError> {
        let any: IpAddr = match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = self.stack.bind(SocketAddr::new(any, 0)).await?;
        socket.send_to(query.as_dgram_slice(), server).await?;
        let mut buffer = vec![0; PAYLOAD];
        for _ in 0..MOST_WRONG_ANSWERS {
            let (length, sender) = socket.receive_from(&mut buffer).await?;
            if sender != server {
                continue;
            }
            let answer = buffer.get(..length).unwrap_or_default();
            if let Some(reply) = message::read(answer, query, question) {
                return Ok(reply);
            }
        }
        Ok(Reply::Truncated)
    }

    /// Over a connection of its own (RFC 7766).
    async fn ask_by_stream(
        &self,
        server: SocketAddr,
        query: &Query,
        question: &Question,
    ) -> Result<Reply, ResolveError> {
        let mut stream = self.stack.connect(server).await?;
        stream.write_all(query.as_stream_slice()).await?;
        stream.flush().await?;
        let mut length = [0; 2];
        let bad = |_| ResolveError::BadAnswer;
        stream.read_exact(&mut length).await.map_err(bad)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > LONGEST_ANSWER {
            return Err(ResolveError::BadAnswer);
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.map_err(bad)?;
        match message::read(&answer, query, question) {
            None | Some(Reply::Truncated) => Err(ResolveError::BadAnswer),
            Some(reply) => Ok(reply),
        }
    }
}

/// How long each server is waited for in a round.
fn patience(round: u32) -> Duration {
    FIRST_PATIENCE * (1 << round)
}
