//! Messages of iperf3 on its control connection: bytes that name a state, and JSON behind its
//! length.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::iter::repeat_n;
use embedded_io_async::{Read, ReadExactError, Write};
use fata_net::Error;
use serde::{Deserialize, Serialize};

/// Bytes that tell the connections of a test apart from others: letters, and a zero.
pub type Cookie = [u8; 37];

/// States, which either side tells the other (`iperf_api.h` of iperf3).
pub const TEST_START: u8 = 1;
pub const TEST_RUNNING: u8 = 2;
pub const TEST_END: u8 = 4;
pub const PARAM_EXCHANGE: u8 = 9;
pub const CREATE_STREAMS: u8 = 10;
pub const EXCHANGE_RESULTS: u8 = 13;
pub const DISPLAY_RESULTS: u8 = 14;
pub const IPERF_DONE: u8 = 16;
pub const ACCESS_DENIED: u8 = 0xff;
const SERVER_ERROR: u8 = 0xfe;
/// Numbers that follow the last one: IEUNIMP, something that is not implemented, and no error of a
/// system.
const NOT_IMPLEMENTED: [u32; 2] = [13, 0];

/// Longer texts are refused.
const LONGEST_TEXT: usize = 64 * 1024;
/// Streams in one direction at most, as in iperf3.
const MOST_STREAMS: usize = 128;
/// Bytes that are sent at a time at most.
const LONGEST_BLOCK: usize = 1 << 20;

/// Parameters of the test that a client asks for.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    #[serde(default)]
    tcp: bool,
    #[serde(default)]
    pub udp: bool,
    #[serde(default = "one")]
    parallel: usize,
    #[serde(default)]
    reverse: bool,
    #[serde(default)]
    bidirectional: bool,
    #[serde(default)]
    len: usize,
    /// Bits a second of each stream that the server sends; 0 without a limit.
    #[serde(default)]
    pub bandwidth: f64,
    /// For so many seconds at first nothing is counted.
    #[serde(default)]
    pub omit: u32,
    /// Not 0 if datagrams have long numbers.
    #[serde(default)]
    pub udp_counters_64bit: u8,
}

fn one() -> usize {
    1
}

impl Parameters {
    /// Checks that this server can do what is asked for.
    pub fn check(&self) -> Result<(), Refusal> {
        let is_bounded = (1..=MOST_STREAMS).contains(&self.parallel);
        (self.tcp != self.udp && is_bounded)
            .then_some(())
            .ok_or(Refusal::Unsupported)
    }

    /// For each stream, in their order, whether the server sends.
    pub fn streams(&self) -> impl Iterator<Item = bool> + use<> {
        let received = if self.reverse { 0 } else { self.parallel };
        let is_both = self.reverse || self.bidirectional;
        let sent = if is_both { self.parallel } else { 0 };
        repeat_n(false, received).chain(repeat_n(true, sent))
    }

    /// Bytes that are sent at a time.
    pub fn block(&self) -> usize {
        self.len.clamp(1, LONGEST_BLOCK)
    }
}

/// Counts of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub bytes: u64,
    /// Datagrams, those that were lost included.
    pub packets: u64,
    /// Datagrams that were lost.
    pub errors: u64,
    /// In seconds.
    pub jitter: f64,
}

/// Results that a server has counted.
#[derive(Debug, Serialize)]
pub struct Results {
    cpu_util_total: f32,
    cpu_util_user: f32,
    cpu_util_system: f32,
    sender_has_retransmits: i8,
    streams: Vec<StreamResults>,
}

#[derive(Debug, Serialize)]
struct StreamResults {
    id: usize,
    bytes: u64,
    retransmits: i8,
    jitter: f64,
    errors: u64,
    packets: u64,
    start_time: u8,
    end_time: f32,
}

impl Results {
    /// Results of what each stream has carried, in `seconds`, for which the processor was busy to
    /// so many parts of a hundred.
    pub fn new(streams: impl Iterator<Item = Counts>, seconds: f32, busy: f32) -> Self {
        let stream = |(index, counts): (usize, Counts)| StreamResults {
            // iperf3 leaves number 2 out.
            id: if index == 0 { 1 } else { index + 2 },
            bytes: counts.bytes,
            retransmits: -1,
            jitter: counts.jitter,
            errors: counts.errors,
            packets: counts.packets,
            start_time: 0,
            end_time: seconds,
        };
        Self {
            cpu_util_total: busy,
            cpu_util_user: busy,
            cpu_util_system: 0.0,
            // Nobody counts them for a stream.
            sender_has_retransmits: 0,
            streams: streams.enumerate().map(stream).collect(),
        }
    }
}

/// Why a test does not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither TCP nor UDP, or too many streams.
    Unsupported,
    /// That is not how iperf3 talks.
    Malformed,
    /// The client is gone, or takes too long.
    Gone,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => {
                "the client asks for what this server has not: use TCP or UDP, at most 128 streams \
                 in each direction"
            }
            Self::Malformed => "the client does not talk as iperf3 does",
            Self::Gone => "the client is gone",
        })
    }
}

impl From<Error> for Refusal {
    fn from(_: Error) -> Self {
        Self::Gone
    }
}

impl From<ReadExactError<Error>> for Refusal {
    fn from(_: ReadExactError<Error>) -> Self {
        Self::Gone
    }
}

/// Tells a client that what it asks for is not there.
pub async fn refuse(stream: &mut impl Write<Error = Error>) -> Result<(), Refusal> {
    stream.write_all(&[SERVER_ERROR]).await?;
    for number in NOT_IMPLEMENTED {
        stream.write_all(&number.to_be_bytes()).await?;
    }
    Ok(())
}

pub async fn read_cookie(stream: &mut impl Read<Error = Error>) -> Result<Cookie, Refusal> {
    let mut cookie = [0; 37];
    stream.read_exact(&mut cookie).await?;
    Ok(cookie)
}

pub async fn read_text(stream: &mut impl Read<Error = Error>) -> Result<Vec<u8>, Refusal> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST_TEXT {
        return Err(Refusal::Malformed);
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    Ok(text)
}

pub async fn write_results(
    stream: &mut impl Write<Error = Error>,
    results: &Results,
) -> Result<(), Refusal> {
    let text: String = serde_json::to_string(results).map_err(|_| Refusal::Malformed)?;
    // A few KiB at most.
    stream.write_all(&(text.len() as u32).to_be_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_for() {
        let parse = |text: &str| serde_json::from_str::<Parameters>(text).expect("it is JSON");
        let text = r#"{"tcp":true,"omit":0,"time":1,"num":0,"parallel":4,"len":131072,
            "reverse":true,"client_version":"3.12"}"#;
        let parameters = parse(text);
        assert_eq!(parameters.check(), Ok(()));
        assert_eq!(parameters.block(), 131_072);
        assert!(parameters.streams().eq([true; 4]));
        let both = parse(r#"{"udp":true,"parallel":2,"bidirectional":true,"bandwidth":1048576}"#);
        assert_eq!((both.check(), both.bandwidth), (Ok(()), 1_048_576.0));
        assert!(both.streams().eq([false, false, true, true]));
        for text in [
            r#"{"sctp":true,"parallel":1}"#,
            r#"{"tcp":true,"parallel":0}"#,
            r#"{"tcp":true,"parallel":129}"#,
        ] {
            assert_eq!(parse(text).check(), Err(Refusal::Unsupported), "{text}");
        }
    }

    #[test]
    fn streams_have_iperf3s_numbers() {
        let counts = [7, 8, 9].map(|bytes| Counts {
            bytes,
            ..Counts::default()
        });
        let results = Results::new(counts.into_iter(), 1.5, 50.0);
        let ids: Vec<_> = results.streams.iter().map(|stream| stream.id).collect();
        assert_eq!(ids, [1, 3, 4]);
        let text = serde_json::to_string(&results).expect("it becomes text");
        assert!(
            text.contains(r#""bytes":7"#) && text.contains(r#""end_time":1.5"#),
            "{text}"
        );
    }
}
