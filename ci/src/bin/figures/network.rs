//! What a request, a connection, a segment, a datagram and an echo cost.

use fata_ci::{
    Client, Figures, GUEST_IPV4, Home, Lab, Launch, Machine, PATIENCE, Program, Stats, succeed,
};
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream, UdpSocket};

pub const GUEST: IpAddr = IpAddr::V4(GUEST_IPV4);
const TIMES: u64 = 1000;

/// The payload of a full segment at an MTU of 1,500, without options.
const SEGMENT: usize = 1460;
/// Segments of a bulk transfer: 32 MB.
const SEGMENTS: u64 = 23_000;

/// What the network card must not offer, so that each segment is a frame of its own.
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
    for machine in Machine::ALL {
        let _guest = boot(lab, machine, &[], 64, &[]);
        for (name, work) in works {
            let figure = format!("network.{}.{name}", machine.name());
            figures.add(figure, cost(TIMES, work));
        }
    }
    let bulk: [(&str, Work); 2] = [("segment-in", bulk_in), ("segment-out", bulk_out)];
    for (offloads, kind) in [(&[][..], "offloads"), (&globals()[..], "frames")] {
        let _guest = boot(lab, Machine::Microvm, &[], 64, offloads);
        for (name, work) in bulk {
            figures.add(format!("{kind}.{name}"), cost(SEGMENTS, work));
        }
    }
}

/// QEMU's arguments for a card without offloads.
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
/// host's time while it is idle, so that no time-out comes early. It halts at once: how often it
/// would look for a packet is a matter of when that comes.
pub fn boot(
    lab: &Lab,
    machine: Machine,
    arguments: &[&str],
    memory: u32,
    qemu: &[String],
) -> Program {
    let (program, _) = Launch::new("bench-guest", Home::Machine(machine))
        .memory(memory)
        .arguments(arguments.iter().copied().chain(["--halt-at-once"]))
        .qemu_arguments(["-icount", "shift=0,sleep=on"])
        .qemu_arguments(qemu.iter().map(String::as_str))
        .start_in(lab);
    program.wait_for("listening");
    program
}

/// The instructions of each of so many things that `work` does, the second time.
pub fn cost(times: u64, mut work: impl FnMut(u64)) -> u64 {
    work(times);
    let before = Stats::of(GUEST, 80).busy;
    work(times);
    let used = Stats::of(GUEST, 80).busy - before;
    used.as_nanos() as u64 / times
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
    succeed("ping", ["-q", "-i", "0.002", "-c", &times, &host]);
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
    // What the source sends beyond that is no more than this.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 128 << 10)
        .expect("a buffer can be set");
    let mut block = vec![0; 100 * SEGMENT];
    for _ in 0..segments / 100 {
        stream.read_exact(&mut block).expect("the source goes on");
    }
}
