//! Which addresses are tried when, over a stack that does as a script says, under a fake clock.

use core::cell::RefCell;
use core::net::{IpAddr, SocketAddr};
use core::net::{Ipv4Addr, Ipv6Addr};
use fata_net::resolver::Limits;
use fata_net::{
    ConnectError, Error, Link, ResolveError, Resolver, Stack, TcpListener as _, UdpSocket as _,
    connect_addresses,
};
use fata_task::Handle;
use fata_task::simulate;
use fata_tcpip::{Config, Ipv4Config, Ipv6Config, TcpIp};
use std::future::pending;
use std::rc::Rc;
use std::string::{String, ToString};
use std::time::Duration;
use std::vec;

/// The peer that all connections really lead to, which is the DNS server too.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Fate of a connection: in so many milliseconds, it stands or fails. Otherwise nothing
/// ever happens.
type Fate = Option<(u64, Result<(), Error>)>;

/// A stack on which an address's last byte tells its fate.
#[derive(Clone)]
struct Scripted {
    tasks: Handle,
    inner: TcpIp,
    fate: fn(u8) -> Fate,
    /// Attempts that were begun and dropped, with their time in milliseconds.
    log: Rc<RefCell<Vec<String>>>,
}

impl Scripted {
    fn note(&self, what: &str, address: SocketAddr) {
        let time = self.tasks.now().as_millis();
        let family = if address.is_ipv4() { 4 } else { 6 };
        let line = std::format!("{time} {what} v{family}.{}", last(address.ip()));
        self.log.borrow_mut().push(line);
    }

    fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }
}

fn last(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    }
}

/// Notes that an attempt was given up.
struct Noted<'a>(&'a Scripted, SocketAddr, bool);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if !self.2 {
            self.0.note("drop", self.1);
        }
    }
}

impl Stack for Scripted {
    type Listener = <TcpIp as Stack>::Listener;
    type Stream = <TcpIp as Stack>::Stream;
    type Socket = <TcpIp as Stack>::Socket;

    async fn listen(&self, local: SocketAddr) -> Result<Self::Listener, Error> {
        self.inner.listen(local).await
    }

    async fn connect(&self, remote: SocketAddr) -> Result<Self::Stream, Error> {
        self.note("try", remote);
        let mut noted = Noted(self, remote, false);
        let Some((time, outcome)) = (self.fate)(last(remote.ip())) else {
            return pending().await;
        };
        self.tasks.sleep(Duration::from_millis(time)).await;
        noted.2 = true;
        outcome?;
        Stack::connect(&self.inner, SocketAddr::new(PEER, remote.port())).await
    }

    async fn bind(&self, local: SocketAddr) -> Result<Self::Socket, Error> {
        self.inner.bind(local).await
    }
}

fn config(last: u8) -> Config {
    Config {
        ipv4: Ipv4Config::Static {
            address: Ipv4Addr::new(10, 0, 0, last),
            prefix: 24,
            gateway: None,
        },
        ipv6: Ipv6Config::Off,
        ..Config::default()
    }
}

/// Two stacks; the far one accepts connections at port 80 and keeps them.
fn network(tasks: &Handle, fate: fn(u8) -> Fate) -> (TcpIp, Scripted) {
    let (far, near) = Link::pair(64);
    let far = TcpIp::start(tasks, far, config(1), 1);
    let inner = TcpIp::start(tasks, near, config(2), 2);
    let server = far.clone();
    tasks.spawn(async move {
        let listener = server.listen((Ipv4Addr::UNSPECIFIED, 80).into()).await;
        let listener = listener.expect("the port is free");
        let mut kept = Vec::new();
        while let Ok(stream) = listener.accept().await {
            kept.push(stream);
        }
    });
    let scripted = Scripted {
        tasks: tasks.clone(),
        inner,
        fate,
        log: Rc::default(),
    };
    (far, scripted)
}

fn v4(last: u8) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, last), 80).into()
}

fn v6(last: u8) -> SocketAddr {
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()), 80).into()
}

/// Up to 9 nothing happens, up to 19 a connection comes at once, then refusals at once.
fn fate(last: u8) -> Fate {
    match last {
        0..10 => None,
        10..20 => Some((0, Ok(()))),
        _ => Some((0, Err(Error::ConnectionRefused))),
    }
}

/// Attempts when these addresses are connected to, and the result.
fn race(fate: fn(u8) -> Fate, addresses: &[SocketAddr]) -> (Vec<String>, Result<(), ConnectError>) {
    simulate(|tasks| async move {
        let (_far, stack) = network(&tasks, fate);
        let result = connect_addresses(&tasks, &stack, addresses).await;
        (stack.log(), result.map(drop))
    })
}

#[test]
fn families_take_turns_with_a_delay() {
    let addresses = [v6(1), v6(2), v6(3), v4(4), v4(15)];
    let (log, result) = race(fate, &addresses);
    assert_eq!(result, Ok(()));
    let expected = [
        "0 try v6.1",
        "250 try v4.4",
        "500 try v6.2",
        "750 try v4.15",
        "750 drop v6.1",
        "750 drop v4.4",
        "750 drop v6.2",
    ];
    assert_eq!(log, expected);
    let (log, _) = race(fate, &[v4(1), v6(12)]);
    assert_eq!(
        log,
        ["0 try v4.1", "250 try v6.12", "250 drop v4.1"],
        "the first one begins"
    );
}

#[test]
fn a_failure_lets_the_next_begin() {
    let (log, result) = race(fate, &[v6(20), v4(21), v4(1), v4(12)]);
    assert_eq!(result, Ok(()));
    let expected = [
        "0 try v6.20",
        "0 try v4.21",
        "0 try v4.1",
        "250 try v4.12",
        "250 drop v4.1",
    ];
    assert_eq!(log, expected);
}

#[test]
fn a_slow_connection_may_still_be_the_first() {
    let fate = |last| match last {
        1 => Some((300, Ok(()))),
        _ => Some((100, Ok(()))),
    };
    let (log, result) = race(fate, &[v6(1), v4(2)]);
    assert_eq!(result, Ok(()));
    assert_eq!(log, ["0 try v6.1", "250 try v4.2", "300 drop v4.2"]);
}

#[test]
fn the_failure_that_tells_more_is_told() {
    let fate = |last| match last {
        1 => Some((0, Err(Error::ConnectionRefused))),
        _ => Some((0, Err(Error::Unreachable))),
    };
    let (_, result) = race(fate, &[v6(2), v4(1), v6(3)]);
    let (address, error) = (v4(1), Error::ConnectionRefused);
    assert_eq!(result, Err(ConnectError::Connect { address, error }));
    let (_, result) = race(fate, &[]);
    assert_eq!(result, Err(ConnectError::NoAddress));
}

/// A name server that answers the first byte of the type that is asked for after so many
/// milliseconds, with this last byte of an address, or with a failure.
type Answer = (u64, Option<u8>);

/// Attempts when a name is connected to that has an address of each family, and the result.
fn by_name(ipv6: Answer, ipv4: Answer) -> (Vec<String>, Result<(), ConnectError>) {
    simulate(|tasks| async move {
        let (far, stack) = network(&tasks, fate);
        tasks.spawn(serve_names(tasks.clone(), far, ipv6, ipv4));
        let servers = || vec![PEER];
        let limits = Limits::default();
        let resolver = Resolver::new(&tasks, stack.clone(), servers, limits, [1; 32]);
        let result = resolver.connect("host.example", 80).await;
        (stack.log(), result.map(drop))
    })
}

async fn serve_names(tasks: Handle, stack: TcpIp, ipv6: Answer, ipv4: Answer) {
    let socket = stack.bind(SocketAddr::new(PEER, 53)).await;
    let socket = Rc::new(socket.expect("the port is free"));
    let mut question = [0; 512];
    while let Ok((_, client)) = socket.receive_from(&mut question).await {
        // Header, 14 bytes of the name, type and class.
        let mut answer = question[..30].to_vec();
        let is_ipv6 = answer[27] == 28;
        let ((time, last), address) = match is_ipv6 {
            true => (ipv6, v6(last_or_zero(ipv6)).ip()),
            false => (ipv4, v4(last_or_zero(ipv4)).ip()),
        };
        let code = if last.is_some() { 0 } else { 2 };
        answer[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, 1 - code / 2, 0, 0, 0, 0]);
        if last.is_some() {
            answer.extend_from_slice(&[0xc0, 12, 0, answer[27], 0, 1, 0, 0, 0, 60, 0]);
            match address {
                IpAddr::V4(address) => answer.extend([&[4][..], &address.octets()].concat()),
                IpAddr::V6(address) => answer.extend([&[16][..], &address.octets()].concat()),
            }
        }
        let (sleeper, socket) = (tasks.clone(), Rc::clone(&socket));
        tasks.spawn(async move {
            sleeper.sleep(Duration::from_millis(time)).await;
            socket
                .send_to(&answer, client)
                .await
                .expect("the client is near");
        });
    }
}

fn last_or_zero((_, last): Answer) -> u8 {
    last.unwrap_or_default()
}

#[test]
fn ipv6_addresses_begin_and_do_not_wait_for_the_others() {
    let (log, result) = by_name((10, Some(11)), (100, Some(12)));
    assert_eq!((log, result), (vec!["10 try v6.11".to_string()], Ok(())));
    let (log, result) = by_name((10, Some(1)), (100, Some(12)));
    assert_eq!(result, Ok(()));
    assert_eq!(log, ["10 try v6.1", "260 try v4.12", "260 drop v6.1"]);
}

#[test]
fn ipv4_addresses_wait_a_little_for_ipv6() {
    let (log, result) = by_name((40, Some(11)), (10, Some(12)));
    assert_eq!((log, result), (vec!["40 try v6.11".to_string()], Ok(())));
    let (log, result) = by_name((500, Some(11)), (10, Some(12)));
    assert_eq!((log, result), (vec!["60 try v4.12".to_string()], Ok(())));
    let (log, result) = by_name((200, Some(11)), (10, Some(2)));
    assert_eq!(result, Ok(()));
    assert_eq!(log, ["60 try v4.2", "310 try v6.11", "310 drop v4.2"]);
}

#[test]
fn a_family_that_fails_does_not_hold_up_the_other() {
    let (log, result) = by_name((20, None), (10, Some(12)));
    assert_eq!((log, result), (vec!["20 try v4.12".to_string()], Ok(())));
    let (log, result) = by_name((20, None), (10, None));
    assert!(log.is_empty());
    let failure = ConnectError::Resolve(ResolveError::ServerFailure);
    assert_eq!(result, Err(failure));
    let (_, result) = by_name((10, Some(20)), (20, None));
    let (address, error) = (v6(20), Error::ConnectionRefused);
    assert_eq!(result, Err(ConnectError::Connect { address, error }));
}

#[test]
fn an_address_in_place_of_a_name_is_connected_to() {
    simulate(|tasks| async move {
        let (_far, stack) = network(&tasks, fate);
        let resolver = Resolver::new(&tasks, stack.clone(), Vec::new, Limits::default(), [1; 32]);
        assert!(resolver.connect("192.0.2.10", 80).await.is_ok());
        assert_eq!(stack.log(), ["0 try v4.10"]);
        let refused = resolver.connect("no name", 80).await.err();
        assert_eq!(
            refused,
            Some(ConnectError::Resolve(ResolveError::InvalidName))
        );
    });
}
