use crate::lab::{GUEST_MAC, Lab, TAP};
use crate::tap::{Headers, attach};
use crate::tool::succeed;
use libc::{c_int, c_void};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The interface at whose other end there are tags.
const FAR: &str = "tap1";
/// Bytes of a `virtio_net_hdr`, of the addresses in a frame, and of a tag.
const HEADER: usize = 10;
const ADDRESSES: usize = 12;
const TAG: usize = 4;
const LARGEST: usize = HEADER + TAG + 14 + 65_535;
/// How long the trunk may take to notice that it is to end.
const NAP: Duration = Duration::from_millis(50);

/// A switch between the lab's tap, whose frames have no tags, and another tap, where they have that
/// of a VLAN. It is for kernels without VLANs of their own; that of this machine still looks at the
/// tagged frames, takes the tags off, and checks what is left to it to be done.
pub struct Trunk<'a> {
    ending: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
    lab: PhantomData<&'a Lab>,
}

#[derive(Default)]
struct Counts {
    tagged: AtomicU64,
    long: AtomicU64,
    others: AtomicU64,
}

impl<'a> Trunk<'a> {
    /// Makes the other tap, and carries frames of VLAN `id`. With 0 the frames to there say a
    /// priority only, and those from there have no tag.
    ///
    /// # Panics
    /// If there is no room for another tap, or no privilege for raw sockets.
    pub fn start(_lab: &'a Lab, id: u16) -> Self {
        succeed("ip", ["tuntap", "add", "dev", FAR, "mode", "tap"]);
        succeed("ip", ["link", "set", FAR, "txqueuelen", "10000", "up"]);
        let (ending, counts) = (Arc::<AtomicBool>::default(), Arc::<Counts>::default());
        let mut switch = Switch {
            id,
            near: attach(TAP, Headers::Virtio),
            far: PacketSocket::open(FAR),
            buffer: vec![0; LARGEST],
            counts: Arc::clone(&counts),
        };
        let until = Arc::clone(&ending);
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                switch.carry();
            }
        });
        Self {
            ending,
            counts,
            thread: Some(thread),
            lab: PhantomData,
        }
    }

    /// QEMU's arguments for a NIC of microvm on the other tap.
    pub fn qemu_arguments(&self) -> [String; 4] {
        [
            "-netdev".to_owned(),
            format!("tap,id=trunk,ifname={FAR},script=no,downscript=no"),
            "-device".to_owned(),
            format!("virtio-net-device,netdev=trunk,mac={GUEST_MAC}"),
        ]
    }

    /// The argument of a process on the other tap.
    pub fn process_argument(&self) -> String {
        format!("--net=tap={FAR}")
    }

    /// Frames that came from the other tap as they should.
    pub fn tagged(&self) -> u64 {
        self.counts.tagged.load(Ordering::Relaxed)
    }

    /// Those of them that were left to the kernel to be cut.
    pub fn long(&self) -> u64 {
        self.counts.long.load(Ordering::Relaxed)
    }

    /// Frames that came from there otherwise.
    pub fn others(&self) -> u64 {
        self.counts.others.load(Ordering::Relaxed)
    }
}

impl Drop for Trunk<'_> {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(ended.is_some_and(|end| end.is_ok()), "the trunk panicked");
        }
    }
}

struct Switch {
    id: u16,
    near: File,
    far: PacketSocket,
    buffer: Vec<u8>,
    counts: Arc<Counts>,
}

impl Switch {
    /// Waits for frames, and takes one from each side.
    fn carry(&mut self) {
        let nap = Timespec::try_from(NAP).expect("a short time");
        let mut waiting = [
            PollFd::new(&self.near, PollFlags::IN),
            PollFd::new(&self.far.0, PollFlags::IN),
        ];
        // Interrupted, it looks again.
        let _ = poll(&mut waiting, Some(&nap));
        let ready = waiting.map(|one| one.revents().contains(PollFlags::IN));
        if ready[0] {
            self.carry_far();
        }
        if ready[1] {
            self.carry_near();
        }
    }

    fn carry_far(&mut self) {
        let length = self.near.read(&mut self.buffer[TAG..]).expect("a frame");
        let frame = &mut self.buffer[..TAG + length];
        frame.copy_within(TAG..TAG + HEADER + ADDRESSES, 0);
        let [high, low] = self.id.to_be_bytes();
        frame[HEADER + ADDRESSES..][..TAG].copy_from_slice(&[0x81, 0x00, high, low]);
        // The length of the headers, if the segment is to be cut, and where the checksum begins,
        // if it is to be completed (virtio 1.2, section 5.1.6).
        let is_partial = frame[0] & 1 != 0;
        for (at, is_used) in [(2, frame[1] != 0), (6, is_partial)] {
            let value = u16::from_ne_bytes([frame[at], frame[at + 1]]);
            let moved = if is_used { value + TAG as u16 } else { value };
            frame[at..at + 2].copy_from_slice(&moved.to_ne_bytes());
        }
        // A full queue loses frames.
        let _ = self.far.send(frame);
    }

    fn carry_near(&mut self) {
        let Some((length, tag)) = self.far.receive(&mut self.buffer) else {
            return;
        };
        if tag != (self.id > 0).then_some(self.id) {
            self.counts.others.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.counts.tagged.fetch_add(1, Ordering::Relaxed);
        let is_long = length > HEADER + 1_518;
        self.counts
            .long
            .fetch_add(is_long.into(), Ordering::Relaxed);
        let written = self.near.write(&self.buffer[..length]);
        written.expect("the tap takes a frame");
    }
}

/// Frames of an interface, each behind a `virtio_net_hdr` (packet(7), PACKET_VNET_HDR).
struct PacketSocket(OwnedFd);

impl PacketSocket {
    fn open(interface: &str) -> Self {
        let every = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: it takes numbers.
        let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, every.into()) };
        assert!(socket >= 0, "cannot open a raw socket");
        // SAFETY: the descriptor is new.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(socket) });
        for option in [
            libc::PACKET_VNET_HDR,
            libc::PACKET_AUXDATA,
            libc::PACKET_IGNORE_OUTGOING,
        ] {
            socket.switch_on(option);
        }
        let index = rustix::net::netdevice::name_to_index(&socket.0, interface);
        // SAFETY: all zeroes are an address.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = every;
        address.sll_ifindex = index.expect("the interface exists") as i32;
        // SAFETY: the address lives through the call, and has this length.
        let bound = unsafe {
            let length = size_of::<libc::sockaddr_ll>() as u32;
            libc::bind(socket.0.as_raw_fd(), (&raw const address).cast(), length)
        };
        assert_eq!(bound, 0, "cannot listen on {interface}");
        socket
    }

    fn switch_on(&self, option: c_int) {
        let (on, length): (c_int, _) = (1, size_of::<c_int>() as u32);
        let value = (&raw const on).cast::<c_void>();
        // SAFETY: the value lives through the call, and has this length.
        let set = unsafe {
            libc::setsockopt(self.0.as_raw_fd(), libc::SOL_PACKET, option, value, length)
        };
        assert_eq!(set, 0, "option {option} of packet sockets");
    }

    fn send(&self, frame: &[u8]) -> rustix::io::Result<usize> {
        rustix::net::send(&self.0, frame, rustix::net::SendFlags::empty())
    }

    /// The next frame, of so many bytes, and the number of the VLAN whose tag it had.
    fn receive(&self, frame: &mut [u8]) -> Option<(usize, Option<u16>)> {
        let mut part = libc::iovec {
            iov_base: frame.as_mut_ptr().cast(),
            iov_len: frame.len(),
        };
        let mut control = [0_u64; 16];
        // SAFETY: all zeroes are a message without anything.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: all that the message points to lives through the call.
        let length =
            unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        let length = usize::try_from(length).ok()?;
        // SAFETY: the kernel has filled the message in; what it tells is read unaligned, and is
        // long enough, as it is of that type.
        let told = unsafe {
            let first = libc::CMSG_FIRSTHDR(&raw const message);
            let is_ours = !first.is_null() && (*first).cmsg_type == libc::PACKET_AUXDATA;
            is_ours.then(|| {
                libc::CMSG_DATA(first)
                    .cast::<libc::tpacket_auxdata>()
                    .read_unaligned()
            })
        };
        let tag = told.filter(|told| told.tp_status & libc::TP_STATUS_VLAN_VALID != 0);
        Some((length, tag.map(|told| told.tp_vlan_tci & 0xfff)))
    }
}
