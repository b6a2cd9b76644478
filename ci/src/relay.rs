use crate::impairment::{Impairment, Random};
use crate::lab::{GUEST_MAC, Lab, TAP};
use crate::tap::{Headers, attach};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LONGEST_FRAME: usize = 2048;
/// How long the relay may take to notice that it is to end.
const NAP: Duration = Duration::from_millis(50);

/// The cable between the lab's tap and a virtual machine, with an [`Impairment`] on it.
///
/// This machine's kernel may have no `netem`, and what it had would be on one side only; the relay
/// treats both directions and all guests alike. It carries complete frames of at most the MTU.
pub struct Relay<'a> {
    ending: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
    lab: PhantomData<&'a Lab>,
}

/// The counts of a [`Relay`] so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Frames that came, from either side.
    pub frames: u64,
    /// Frames that were dropped.
    pub lost: u64,
    /// Frames that were delivered twice.
    pub doubled: u64,
    /// Frames that were held back, so that later ones overtook them.
    pub held: u64,
}

impl<'a> Relay<'a> {
    /// Starts it on the lab's tap. The same seed makes the same choices for the same frames.
    ///
    /// # Panics
    /// If the tap is in use, or sockets cannot be made.
    pub fn start(_lab: &'a Lab, impairment: Impairment, seed: u32) -> Self {
        let (ending, counts) = (
            Arc::<AtomicBool>::default(),
            Arc::<Mutex<Counts>>::default(),
        );
        let folder = socket_folder();
        // Enough for a burst; a full queue holds the sender up, it loses nothing.
        fs::write("/proc/sys/net/unix/max_dgram_qlen", "512").expect("the lab's limits can be set");
        let guest = UnixDatagram::bind(folder.join("relay")).expect("a socket can be bound");
        let mut cable = Cable {
            tap: attach(TAP, Headers::None),
            guest,
            guest_path: folder.join("guest"),
            impairment,
            random: Random::new(seed),
            delayed: BinaryHeap::new(),
            number: 0,
            counts: Arc::clone(&counts),
        };
        let until = Arc::clone(&ending);
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                cable.carry();
            }
        });
        Self {
            ending,
            counts,
            thread: Some(thread),
            folder,
            lab: PhantomData,
        }
    }

    /// QEMU's arguments for a NIC at this end of the cable, of microvm.
    pub fn qemu_arguments(&self) -> [String; 4] {
        let path = self.folder.display();
        [
            "-netdev".to_owned(),
            format!(
                "dgram,id=relay,local.type=unix,local.path={path}/guest,\
                 remote.type=unix,remote.path={path}/relay"
            ),
            "-device".to_owned(),
            format!("virtio-net-device,netdev=relay,mac={GUEST_MAC}"),
        ]
    }

    /// Its counts so far.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("the relay does not panic")
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        // Left behind, it is only litter.
        let _ = fs::remove_dir_all(&self.folder);
        if !thread::panicking() {
            assert!(ended.is_some_and(|end| end.is_ok()), "the relay panicked");
        }
    }
}

/// A folder with a short path, as those of sockets are.
fn socket_folder() -> PathBuf {
    let name = format!(
        "fata-relay-{}-{:?}",
        std::process::id(),
        rustix::thread::gettid()
    );
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("the folder of temporary files can be written to");
    folder
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Guest,
    Host,
}

/// A frame on its way: when it is due, its number among all, where to, its bytes.
type Delayed = Reverse<(Instant, u64, Side, Vec<u8>)>;

struct Cable {
    tap: File,
    guest: UnixDatagram,
    guest_path: PathBuf,
    impairment: Impairment,
    random: Random,
    delayed: BinaryHeap<Delayed>,
    number: u64,
    counts: Arc<Mutex<Counts>>,
}

impl Cable {
    /// Waits for frames, takes one from each side and delivers those that are due.
    fn carry(&mut self) {
        let now = Instant::now();
        let due = self.delayed.peek().map(|Reverse(first)| first.0);
        let wait = due.map_or(NAP, |due| due.saturating_duration_since(now).min(NAP));
        let wait = Timespec::try_from(wait).expect("a short time");
        let mut waiting = [
            PollFd::new(&self.tap, PollFlags::IN),
            PollFd::new(&self.guest, PollFlags::IN),
        ];
        // Interrupted, it looks again.
        let _ = poll(&mut waiting, Some(&wait));
        let ready = waiting.map(|one| one.revents().contains(PollFlags::IN));
        let mut frame = [0; LONGEST_FRAME];
        if ready[0] {
            match self.tap.read(&mut frame) {
                Ok(length) => self.impair(&frame[..length], Side::Guest),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("the tap cannot be read: {error}"),
            }
        }
        if ready[1] {
            let length = self.guest.recv(&mut frame).expect("a frame is there");
            self.impair(&frame[..length], Side::Host);
        }
        self.deliver();
    }

    fn impair(&mut self, frame: &[u8], to: Side) {
        let fate = self.impairment.fate(&mut self.random);
        let mut counts = self.counts.lock().expect("nobody panics with it");
        counts.frames += 1;
        counts.lost += u64::from(fate.copies == 0);
        counts.doubled += u64::from(fate.copies == 2);
        counts.held += u64::from(fate.copies > 0 && fate.is_held);
        drop(counts);
        let due = Instant::now() + fate.delay;
        for _ in 0..fate.copies {
            self.number += 1;
            let delayed = (due, self.number, to, frame.to_vec());
            self.delayed.push(Reverse(delayed));
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while self
            .delayed
            .peek()
            .is_some_and(|Reverse(first)| first.0 <= now)
        {
            let Some(Reverse((_, _, to, frame))) = self.delayed.pop() else {
                return;
            };
            match to {
                // A guest that is not there, yet or any more, gets nothing.
                Side::Guest => drop(self.guest.send_to(&frame, &self.guest_path)),
                Side::Host => {
                    let written = self.tap.write(&frame);
                    written.expect("the tap takes a frame");
                }
            }
        }
    }
}
