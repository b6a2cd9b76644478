use crate::PATIENCE;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

/// From 1900 to 1970, in seconds.
const ERA: u64 = 2_208_988_800;
/// No leap second, version 4, server; stratum 1, poll every 64 s, good to a microsecond.
const HEADER: [u8; 4] = [0x24, 1, 6, 0xec];

/// A time server of the calling thread's network namespace, with this machine's time, moved by as
/// much as a test wants. It ends when this is dropped.
pub struct TimeServer {
    port: u16,
    ahead: Duration,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    silent: AtomicBool,
    ended: AtomicBool,
}

impl TimeServer {
    /// Starts a server whose clock is `ahead` of this machine's, on every address.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(ahead: Duration) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("there are free ports");
        let port = socket.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        Self {
            port,
            ahead,
            shared,
            thread: Some(thread::spawn(move || serve(&socket, ahead, &seen))),
        }
    }

    /// Its UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The time that its clock shows, since the Unix epoch.
    ///
    /// # Panics
    /// If this machine's clock shows a time before that.
    pub fn time(&self) -> Duration {
        shifted(self.ahead)
    }

    /// From now on it answers no question, or every one again.
    pub fn silence(&self, silent: bool) {
        self.shared.silent.store(silent, Ordering::SeqCst);
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // An empty datagram ends the wait for a question.
        let waker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let woken = waker.and_then(|waker| waker.send_to(&[], (Ipv4Addr::LOCALHOST, self.port)));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // Its panic would have been seen as silence.
            let _ = thread.join();
        }
    }
}

fn shifted(ahead: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.expect("it is after 1970") + ahead
}

/// A time as NTP tells it: seconds since 1900, times 2^32.
fn timestamp(time: Duration) -> u64 {
    let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
    ((time.as_secs() + ERA) << 32) | fraction
}

fn serve(socket: &UdpSocket, ahead: Duration, shared: &Shared) {
    let mut question = [0; 512];
    socket
        .set_write_timeout(Some(PATIENCE))
        .expect("it is not zero");
    while !shared.ended.load(Ordering::SeqCst) {
        let (length, client) = match socket.recv_from(&mut question) {
            Ok(received) => received,
            // An ICMP message about an earlier answer.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => panic!("cannot receive: {error}"),
        };
        let received = timestamp(shifted(ahead)).to_be_bytes();
        if length < 48 || shared.silent.load(Ordering::SeqCst) {
            continue;
        }
        let mut answer = [0; 48];
        answer[..4].copy_from_slice(&HEADER);
        answer[12..16].copy_from_slice(b"LOCL");
        answer[16..24].copy_from_slice(&received);
        answer[24..32].copy_from_slice(&question[40..48]);
        answer[32..40].copy_from_slice(&received);
        answer[40..48].copy_from_slice(&timestamp(shifted(ahead)).to_be_bytes());
        // A client that is gone needs no answer.
        let _ = socket.send_to(&answer, client);
    }
}
