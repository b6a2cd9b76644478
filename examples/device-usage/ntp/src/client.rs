//! One question to a time server, and its answer (RFC 5905, sections 8 and 14).

use core::cell::Cell;
use core::error::Error;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use fata_net::UdpSocket;
use fata_task::Handle;
use fata_time::Instant;
use sntpc::{KissOfDeathCode, NtpContext, NtpResult, NtpTimestampGenerator, NtpUdpSocket};

/// How long to wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// A server further than this from the true time, as it says itself, is not followed
/// (MAXDIST), in seconds times 2^16.
const LONGEST_ROOT_DISTANCE: u32 = 1 << 16;
/// 2026-01-01, since the Unix epoch. Times are told modulo 136 years, and understood as
/// within 68 years of this.
const PIVOT: u64 = 1_767_225_600;

/// Content of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it came.
    pub at: Instant,
    /// The server's time since the Unix epoch at the start of monotonic time, if both kept
    /// the same pace. It is off by half of `delay` at most.
    pub origin: Duration,
    /// How long question and answer travelled.
    pub delay: Duration,
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer came.
    Silence,
    /// The network failed.
    Network(fata_net::Error),
    /// The server wants no more questions.
    Denied,
    /// The server wants fewer questions.
    TooOften,
    /// The server does not know the time, or not well.
    Unsynchronized,
    /// The answer breaks the protocol.
    Malformed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "no answer; check the address, and that NTP passes the firewall",
            Self::Network(error) => return error.fmt(f),
            Self::Denied => "the server denies its service; choose another one",
            Self::TooOften => "asked too often; raise --interval",
            Self::Unsynchronized => "the server does not know the time itself",
            Self::Malformed => "the answer is no proper NTP",
        })
    }
}

impl Error for Failure {}

/// Asks one server.
pub struct Client<S, R> {
    tasks: Handle,
    socket: S,
    server: SocketAddr,
    random: R,
}

impl<S: UdpSocket, R: FnMut() -> u64> Client<S, R> {
    /// A client of `server`. `random` must be hard to guess.
    pub fn new(tasks: &Handle, socket: S, server: SocketAddr, random: R) -> Self {
        Self {
            tasks: tasks.clone(),
            socket,
            server,
            random,
        }
    }

    /// Asks the server for the time.
    pub async fn ask(&mut self) -> Result<Sample, Failure> {
        // The question tells monotonic time, moved by up to 194 days. So it does not give
        // the clock away, corrections while the answer is on its way do not matter, and
        // nobody can answer who has not seen it.
        let random = (self.random)();
        let base = Duration::new(
            PIVOT + (random & 0xff_ffff),
            ((random >> 32) % 1_000_000) as u32 * 1_000,
        );
        let socket = Socket {
            socket: &self.socket,
            error: Cell::new(fata_net::Error::Other),
        };
        let clock = Stamp {
            tasks: &self.tasks,
            base,
            time: base,
        };
        let exchange = exchange(&socket, self.server, clock);
        let result = match self.tasks.timeout(PATIENCE, exchange).await {
            Err(_) => return Err(Failure::Silence),
            Ok(Err(error)) => return Err(failure(error, socket.error.get())),
            Ok(Ok(result)) => result,
        };
        let distance = (result.root_delay / 2).saturating_add(result.root_dispersion);
        if distance > LONGEST_ROOT_DISTANCE {
            return Err(Failure::Unsynchronized);
        }
        let offset = Duration::from_micros(result.offset.unsigned_abs());
        let origin = match result.offset {
            0.. => base.checked_add(offset),
            _ => base.checked_sub(offset),
        };
        Ok(Sample {
            at: self.tasks.now(),
            origin: origin.ok_or(Failure::Malformed)?,
            delay: Duration::from_micros(result.roundtrip),
        })
    }
}

/// Sends a question and waits for its answer. Packets that do not answer this question, for they
/// are late or forged, are passed over.
async fn exchange<S: UdpSocket>(
    socket: &Socket<'_, S>,
    server: SocketAddr,
    timestamp_gen: Stamp<'_>,
) -> sntpc::Result<NtpResult> {
    use sntpc::Error::{
        IncorrectMode, IncorrectOriginTimestamp, IncorrectPayload, ResponseAddressMismatch,
    };
    let context = NtpContext { timestamp_gen };
    let question = sntpc::sntp_send_request(server, socket, context).await?;
    loop {
        match sntpc::sntp_process_response(server, socket, context, question).await {
            Err(
                IncorrectMode
                | IncorrectOriginTimestamp
                | IncorrectPayload
                | ResponseAddressMismatch,
            ) => {}
            done => return done,
        }
    }
}

fn failure(error: sntpc::Error, network: fata_net::Error) -> Failure {
    match error {
        sntpc::Error::Network => Failure::Network(network),
        sntpc::Error::KissOfDeath(KissOfDeathCode::Deny | KissOfDeathCode::Rstr) => Failure::Denied,
        sntpc::Error::KissOfDeath(KissOfDeathCode::Rate) => Failure::TooOften,
        sntpc::Error::KissOfDeath(_)
        | sntpc::Error::UnsynchronizedClock
        | sntpc::Error::IncorrectStratumHeaders
        | sntpc::Error::ExcessiveRootDistance
        | sntpc::Error::BackwardReferenceTimestamp => Failure::Unsynchronized,
        _ => Failure::Malformed,
    }
}

/// Monotonic time with `base` added.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    tasks: &'a Handle,
    base: Duration,
    time: Duration,
}

impl NtpTimestampGenerator for Stamp<'_> {
    fn init(&mut self) {
        self.time = self.base + self.tasks.now().since(Instant::default());
    }

    fn timestamp_sec(&self) -> u64 {
        self.time.as_secs()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        self.time.subsec_micros()
    }
}

/// A socket as sntpc wants it. It keeps what sntpc's error does not tell.
struct Socket<'a, S> {
    socket: &'a S,
    error: Cell<fata_net::Error>,
}

impl<S> Socket<'_, S> {
    fn kept<T>(&self, result: Result<T, fata_net::Error>) -> sntpc::Result<T> {
        result.map_err(|error| {
            self.error.set(error);
            sntpc::Error::Network
        })
    }
}

impl<S: UdpSocket> NtpUdpSocket for Socket<'_, S> {
    async fn send_to(&self, payload: &[u8], server: SocketAddr) -> sntpc::Result<usize> {
        self.kept(self.socket.send_to(payload, server).await)?;
        Ok(payload.len())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        self.kept(self.socket.receive_from(buffer).await)
    }
}
