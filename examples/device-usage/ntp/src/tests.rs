//! The client against a server that may err, lie or keep silent, under simulated time.
extern crate std;

use crate::client::{Client, Failure};
use crate::follower::Follower;
use crate::{PORT, Server};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use fata_net::{Error, UdpSocket};
use fata_task::{Handle, simulate};
use fata_time::Instant;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
const INTERVAL: Duration = Duration::from_secs(64);
/// From 1900 to 1970, in seconds.
const ERA: u64 = 2_208_988_800;
const MILLISECOND: i64 = 1_000_000;
/// Time that the server's path takes, there and back, unless told otherwise.
const ROUND_TRIP: Duration = Duration::from_millis(2);
/// Times in packets are rounded.
const ROUNDING: Duration = Duration::from_micros(10);

/// Reaction of the server to the next question.
#[derive(Clone, Copy)]
enum Act {
    Answer,
    Drop,
    /// Answers after 3 s, too late.
    Late,
    /// First comes an answer to another question, from the server and from elsewhere.
    Forge,
    /// Stratum 0 with this code.
    Kiss(&'static [u8; 4]),
    Unsynchronized,
    /// Admits to be off by up to 2 s.
    Vague,
    Fail,
}

/// A server whose clock is `ahead` of the simulated wall clock and gains `gain` in a
/// thousand million, behind a path that takes `delay` each way.
struct Rig {
    tasks: Handle,
    start: (Instant, Duration),
    ahead: i64,
    gain: i64,
    delay: Duration,
    acts: VecDeque<Act>,
    questions: u32,
    inbox: VecDeque<(Instant, SocketAddr, [u8; 48])>,
}

impl Rig {
    fn new(tasks: &Handle, ahead: i64) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            tasks: tasks.clone(),
            start: (tasks.now(), tasks.wall().expect("a simulation knows it")),
            ahead,
            gain: 0,
            delay: ROUND_TRIP / 2,
            acts: VecDeque::new(),
            questions: 0,
            inbox: VecDeque::new(),
        }))
    }

    /// The server's time at an instant, in nanoseconds since 1970.
    fn time(&self, at: Instant) -> i64 {
        let passed = (at - self.start.0).as_nanos() as i64;
        let gained = i128::from(passed) * i128::from(self.gain) / 1_000_000_000;
        self.start.1.as_nanos() as i64 + self.ahead + passed + gained as i64
    }

    /// The server's time minus the program's, in nanoseconds.
    fn offset(&self) -> i64 {
        let wall = self.tasks.wall().expect("a simulation knows it");
        self.time(self.tasks.now()) - wall.as_nanos() as i64
    }

    fn answer(&self, question: &[u8], at: Instant) -> [u8; 48] {
        let time = self.time(at) as u64;
        let (seconds, rest) = (time / 1_000_000_000 + ERA, time % 1_000_000_000);
        let stamp = (seconds << 32) | ((rest << 32) / 1_000_000_000);
        let mut answer = [0; 48];
        answer[..4].copy_from_slice(&[0x24, 2, 6, 0xec]);
        answer[16..24].copy_from_slice(&stamp.to_be_bytes());
        answer[24..32].copy_from_slice(&question[40..48]);
        answer[32..40].copy_from_slice(&stamp.to_be_bytes());
        answer[40..48].copy_from_slice(&stamp.to_be_bytes());
        answer
    }

    fn take(&mut self, question: &[u8]) -> Result<(), Error> {
        assert_eq!(question.len(), 48);
        assert_eq!(question[0], 0x23, "version 4, client");
        self.questions += 1;
        let there = self.tasks.now() + self.delay;
        let mut back = there + self.delay;
        let mut answer = self.answer(question, there);
        match self.acts.pop_front().unwrap_or(Act::Answer) {
            Act::Answer => {}
            Act::Drop => return Ok(()),
            Act::Fail => return Err(Error::NotConfigured),
            Act::Late => back = back + Duration::from_secs(3),
            Act::Forge => {
                let mut forged = answer;
                forged[24] ^= 1;
                self.inbox.push_back((there, SERVER, forged));
                let elsewhere = SocketAddr::new(SERVER.ip(), PORT + 1);
                self.inbox.push_back((there, elsewhere, answer));
                self.inbox.push_back((there, SERVER, [0xff; 48]));
            }
            Act::Kiss(code) => {
                answer[1] = 0;
                answer[12..16].copy_from_slice(code);
            }
            Act::Unsynchronized => answer[0] |= 0xc0,
            Act::Vague => answer[9] = 2,
        }
        self.inbox.push_back((back, SERVER, answer));
        Ok(())
    }
}

struct FakeSocket(Rc<RefCell<Rig>>);

impl UdpSocket for FakeSocket {
    fn local_addr(&self) -> SocketAddr {
        SERVER
    }

    async fn send_to(&self, payload: &[u8], remote: SocketAddr) -> Result<(), Error> {
        assert_eq!(remote, SERVER);
        self.0.borrow_mut().take(payload)
    }

    async fn receive_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        let first = self.0.borrow().inbox.front().copied();
        let Some((at, sender, answer)) = first else {
            return core::future::pending().await;
        };
        let tasks = self.0.borrow().tasks.clone();
        tasks.sleep_until(at).await;
        self.0.borrow_mut().inbox.pop_front();
        buffer[..48].copy_from_slice(&answer);
        Ok((48, sender))
    }
}

type Random = fn() -> u64;

fn follower(rig: &Rc<RefCell<Rig>>) -> Follower<FakeSocket, Random> {
    let tasks = rig.borrow().tasks.clone();
    let random: Random = || 0x1234_5678_9abc_def0;
    let client = Client::new(&tasks, FakeSocket(Rc::clone(rig)), SERVER, random);
    Follower::new(&tasks, client)
}

#[test]
fn ten_seconds_ahead_are_a_step_and_fifty_milliseconds_a_slew() {
    for (ahead, stepped) in [
        (10_000 * MILLISECOND, true),
        (-10_000 * MILLISECOND, true),
        (50 * MILLISECOND, false),
        (-50 * MILLISECOND, false),
    ] {
        simulate(|tasks| async move {
            let rig = Rig::new(&tasks, ahead);
            let mut follower = follower(&rig);
            let poll = follower.poll().await.expect("the server answers");
            assert!(poll.sample.delay.abs_diff(ROUND_TRIP) < ROUNDING);
            let correction = poll.correction.expect("the first sample is used");
            assert_eq!(correction.stepped, stepped);
            assert!((correction.offset - ahead).abs() < 10_000, "{correction:?}");
            let at_once = rig.borrow().offset().abs();
            assert_eq!(at_once < 10_000, stepped, "off by {at_once} ns");
            tasks.sleep(Duration::from_secs(101)).await;
            assert!(rig.borrow().offset().abs() < 10_000);
        });
    }
}

#[test]
fn a_clock_that_errs_by_100_ppm_is_learnt() {
    for gain in [100_000, -100_000] {
        simulate(|tasks| async move {
            let rig = Rig::new(&tasks, 3_000 * MILLISECOND);
            rig.borrow_mut().gain = gain;
            let mut follower = follower(&rig);
            for _ in 0..40 {
                follower.poll().await.expect("the server answers");
                tasks.sleep(INTERVAL).await;
            }
            assert!(rig.borrow().offset().abs() < MILLISECOND / 5);
            // It stays right by itself: without the frequency it would be off by 0.36 s.
            tasks.sleep(Duration::from_secs(3_600)).await;
            let offset = rig.borrow().offset();
            assert!(offset.abs() < 5 * MILLISECOND, "off by {offset} ns");
        });
    }
}

#[test]
fn what_is_no_answer_to_the_question_is_passed_over() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 10_000 * MILLISECOND);
        rig.borrow_mut().acts = [Act::Forge, Act::Late, Act::Answer].into();
        let mut follower = follower(&rig);
        assert!(follower.poll().await.is_ok());
        assert_eq!(follower.poll().await, Err(Failure::Silence));
        tasks.sleep(INTERVAL).await;
        // The late answer waits in the socket, before the right one.
        let poll = follower.poll().await.expect("the server answers");
        assert!(poll.sample.delay.abs_diff(ROUND_TRIP) < ROUNDING);
        assert!(rig.borrow().offset().abs() < 10_000);
    });
}

#[test]
fn servers_that_do_not_serve_change_nothing() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 10_000 * MILLISECOND);
        for (act, failure) in [
            (Act::Drop, Failure::Silence),
            (Act::Kiss(b"DENY"), Failure::Denied),
            (Act::Kiss(b"RSTR"), Failure::Denied),
            (Act::Kiss(b"RATE"), Failure::TooOften),
            (Act::Kiss(b"INIT"), Failure::Unsynchronized),
            (Act::Unsynchronized, Failure::Unsynchronized),
            (Act::Vague, Failure::Unsynchronized),
            (Act::Fail, Failure::Network(Error::NotConfigured)),
        ] {
            rig.borrow_mut().acts = [act].into();
            assert_eq!(follower(&rig).poll().await, Err(failure));
            assert_eq!(rig.borrow().offset(), 10_000 * MILLISECOND);
        }
    });
}

#[test]
fn the_shortest_delay_of_the_last_eight_counts() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 0);
        let mut follower = follower(&rig);
        let mut used = std::vec::Vec::new();
        for milliseconds in [5, 9, 4, 7, 8, 8, 8, 8, 8, 8, 8, 8] {
            rig.borrow_mut().delay = Duration::from_millis(milliseconds);
            let poll = follower.poll().await.expect("the server answers");
            used.push(poll.correction.is_some());
            tasks.sleep(INTERVAL).await;
        }
        // The third is the best until the eighth after it comes; then it is the fourth, and
        // then the newest of equals.
        let expected = [0, 2, 10, 11];
        let used: std::vec::Vec<usize> = (0..used.len()).filter(|index| used[*index]).collect();
        assert_eq!(used, expected);
    });
}

#[test]
fn a_server_that_is_set_while_it_is_followed_is_followed_on() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 0);
        let mut follower = follower(&rig);
        for poll in 0..40 {
            if poll == 20 {
                rig.borrow_mut().ahead = 60_000 * MILLISECOND;
            }
            follower.poll().await.expect("the server answers");
            tasks.sleep(INTERVAL).await;
        }
        assert!(rig.borrow().offset().abs() < MILLISECOND);
    });
}

#[test]
fn silence_makes_it_ask_ever_less_and_denial_ends_it() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 0);
        rig.borrow_mut().acts = core::iter::repeat_n(Act::Drop, 40).collect();
        rig.borrow_mut().acts.push_back(Act::Kiss(b"DENY"));
        let mut follower = follower(&rig);
        let follow = follower.follow(INTERVAL);
        let hour = tasks.timeout(Duration::from_secs(3_600), follow).await;
        assert!(hour.is_err(), "it goes on");
        // 2 + 4 + … + 1024 s, and then every 1024 s.
        assert_eq!(rig.borrow().questions, 12);
        rig.borrow_mut().acts = [Act::Answer, Act::Kiss(b"RATE"), Act::Kiss(b"DENY")].into();
        let start = tasks.now();
        assert_eq!(follower.follow(INTERVAL).await, Err(Failure::Denied));
        assert_eq!((tasks.now() - start).as_secs(), 64 + 128);
    });
}

#[test]
fn the_offset_is_asked_for_a_few_times() {
    simulate(|tasks| async move {
        let rig = Rig::new(&tasks, 0);
        rig.borrow_mut().acts = [Act::Fail, Act::Drop, Act::Drop, Act::Answer].into();
        assert_eq!(follower(&rig).print_offset().await, Ok(()));
        rig.borrow_mut().acts = [Act::Drop; 4].into();
        assert_eq!(follower(&rig).print_offset().await, Err(Failure::Silence));
        assert_eq!(rig.borrow().questions, 8);
    });
}

#[test]
fn servers_are_named_with_and_without_a_port() {
    for (text, expected) in [
        ("192.0.2.1", "192.0.2.1:123"),
        ("192.0.2.1:1123", "192.0.2.1:1123"),
        ("2001:db8::1", "[2001:db8::1]:123"),
        ("[2001:db8::1]:1123", "[2001:db8::1]:1123"),
    ] {
        let expected = expected.parse().expect("an address");
        assert_eq!(text.parse(), Ok(Server(Some(expected))));
    }
    assert!("time.example".parse::<Server>().is_err());
}
