//! The cost of a request, a connection, a segment, a datagram and an echo.

use fata_ci::{
    Client, Figures, GUEST_IPV4, Lab, Launch, Machine, PATIENCE, Platform, Program, Stats, TAP,
    succeed,
};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream, UdpSocket};

pub const GUEST: IpAddr = IpAddr::V4(GUEST_IPV4);
/// How often each is done in a round, in how many rounds, in each of how many guests.
const TIMES: u64 = 500;
const ROUNDS: usize = 3;
const GUESTS: usize = 3;
/// One machine with each way to reach a NIC.
const MACHINES: [Machine; 2] = [Machine::Microvm, Machine::Q35];

/// The payload of a full segment at an MTU of 1,500, without options.
const SEGMENT: usize = 1460;
/// Segments of a bulk transfer: 17 MB.
const SEGMENTS: u64 = 11_500;

/// The NIC must not offer these, so that each segment is a frame of its own.
const NO_OFFLOADS: &str = "csum=off,guest_csum=off,gso=off,host_tso4=off,host_tso6=off,\
    guest_tso4=off,guest_tso6=off,mrg_rxbuf=off";

type Work = fn(u64);

pub fn measure(figures: &mut Figures, lab: &Lab) {
    let works: [(&str, Work); 5] = [
        ("request", keep_alive),
        ("request-and-connection", close),
        ("connection-without-data", connections),
        ("datagram-and-echo", datagrams),
        ("ping", ping),
    ];
    for machine in MACHINES {
        let group = format!("network.{}", machine.name());
        let start = || boot(lab, machine, &[], 64, &[]);
        add_least(figures, &group, TIMES, &works, start);
    }
    acknowledge_at_once();
    let bulk: [(&str, Work); 2] = [("segment-in", bulk_in), ("segment-out", bulk_out)];
    for (offloads, group) in [
        (&[][..], "network.offloads"),
        (&globals()[..], "network.frames"),
    ] {
        let start = || boot(lab, Machine::Microvm, &[], 64, offloads);
        add_least(figures, group, SEGMENTS, &bulk, start);
    }
}

/// Adds the least that each work costs in several guests: packets that meet otherwise, because the
/// host has other things to do, only add to it.
fn add_least(
    figures: &mut Figures,
    group: &str,
    times: u64,
    works: &[(&str, Work)],
    start: impl Fn() -> Program,
) {
    let mut least = vec![u64::MAX; works.len()];
    for _ in 0..GUESTS {
        let _guest = start();
        for (least, (_, work)) in least.iter_mut().zip(works) {
            *least = cost(times, work).min(*least);
        }
    }
    for ((name, _), least) in works.iter().zip(least) {
        figures.add(format!("{group}.{name}"), least);
    }
}

/// Has the host acknowledge each segment at once. Else it waits for the next request of a
/// connection, or for more segments, as long as there is time, and there are fewer packets.
pub fn acknowledge_at_once() {
    let route = [
        "route",
        "replace",
        "198.51.100.0/24",
        "dev",
        TAP,
        "quickack",
        "1",
    ];
    succeed("ip", route);
}

/// QEMU's arguments for a NIC without offloads.
fn globals() -> Vec<String> {
    let each = |property| {
        [
            "-global".to_owned(),
            format!("virtio-net-device.{property}"),
        ]
    };
    NO_OFFLOADS.split(',').flat_map(each).collect()
}

/// Boots bench-guest on the lab's tap, its clock counting instructions while it is busy, and the
/// host's time while it is idle, so that no time-out comes early. It does not busy-poll: how
/// often it would depends on when a packet comes.
pub fn boot(
    lab: &Lab,
    machine: Machine,
    arguments: &[&str],
    memory: u32,
    qemu: &[String],
) -> Program {
    let (program, _) = Launch::new("bench-guest", Platform::Machine(machine))
        .memory(memory)
        .arguments(arguments.iter().copied().chain(["--no-busy-poll"]))
        .qemu_arguments(["-icount", "shift=0,sleep=on"])
        .qemu_arguments(qemu.iter().map(String::as_str))
        .start_in(lab);
    program.wait_for("listening");
    program
}

/// The instructions of each of so many things that `work` does: the least of several rounds, after
/// one that fills pools and tables.
pub fn cost(times: u64, mut work: impl FnMut(u64)) -> u64 {
    let busy = || Stats::of(GUEST, 80).busy;
    work(times);
    let rounds = (0..ROUNDS).map(|_| {
        let start = busy();
        // To ask has its own cost, which is not the work's.
        let before = busy();
        work(times);
        let used = (busy() - before).saturating_sub(before - start);
        used.as_nanos() as u64 / times
    });
    rounds.min().expect("there are rounds")
}

pub fn connect() -> Client {
    Client::connect(GUEST, 80).expect("the guest takes connections")
}

pub fn get(client: &mut Client) {
    let response = client.get("/").expect("a request is answered");
    assert_eq!(response.status, 200);
}

fn keep_alive(times: u64) {
    let mut client = connect();
    (0..times).for_each(|_| get(&mut client));
}

fn close(times: u64) {
    (0..times).for_each(|_| get(&mut connect()));
}

/// Each is closed by both ends.
fn connections(times: u64) {
    for _ in 0..times {
        let mut client = connect();
        client.finish().expect("a connection can be closed");
        client.rest().expect("the guest closes, too");
    }
}

fn datagrams(times: u64) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket can be bound");
    socket.connect((GUEST, 7)).expect("an address can be set");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out can be set");
    for _ in 0..times {
        socket.send(&[b'x'; 64]).expect("a datagram can be sent");
        let length = socket.recv(&mut [0; 128]).expect("the datagram comes back");
        assert_eq!(length, 64);
    }
}

fn ping(times: u64) {
    let times = times.to_string();
    let host = GUEST.to_string();
    succeed("ping", ["-q", "-i", "0.0005", "-c", &times, &host]);
}

fn bulk(port: u16) -> TcpStream {
    TcpStream::connect((GUEST, port)).expect("the guest takes connections")
}

fn bulk_in(segments: u64) {
    let mut stream = bulk(9);
    let block = vec![b'x'; 100 * SEGMENT];
    for _ in 0..segments / 100 {
        stream.write_all(&block).expect("the sink takes all");
    }
    stream
        .shutdown(Shutdown::Write)
        .expect("the connection can be closed");
    assert_eq!(stream.read(&mut [0]).expect("the sink closes"), 0);
}

fn bulk_out(segments: u64) {
    let mut stream = bulk(19);
    // The source sends no more than this beyond that.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 128 << 10)
        .expect("a buffer can be set");
    let mut block = vec![0; 100 * SEGMENT];
    for _ in 0..segments / 100 {
        stream.read_exact(&mut block).expect("the source goes on");
    }
}
