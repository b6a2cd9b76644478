use rustix::fs::{Mode, OFlags, open};
use rustix::ioctl::{Getter, IntegerSetter, Opcode, Setter, Updater, ioctl, opcode};
use rustix::net::{AddressFamily, SocketType, socket};
use std::fs::File;

/// The host's requests to attach to an interface, and to say which checksums and segments are left
/// to this end: TUNSETIFF and TUNSETOFFLOAD of `linux/if_tun.h`.
const ATTACH: Opcode = opcode::write::<i32>(b'T', 202);
const OFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
/// IFF_TAP and IFF_NO_PI: Ethernet frames; IFF_VNET_HDR: with a `virtio_net_hdr` before each.
const ETHERNET: u16 = 0x0002 | 0x1000;
const WITH_HEADERS: u16 = 0x4000;
/// TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6.
const OFFLOADS: usize = 1 | 2 | 4;

/// The host's requests for the length of headers and to set it: TUNGETVNETHDRSZ, TUNSETVNETHDRSZ.
const GET_HEADER_SIZE: Opcode = opcode::read::<u32>(b'T', 215);
const SET_HEADER_SIZE: Opcode = opcode::write::<i32>(b'T', 216);
/// The host's request for what an interface can do, SIOCETHTOOL of `linux/sockios.h`, and whether
/// that is to take segments that are to be cut, ETHTOOL_GTSO of `linux/ethtool.h`.
const ETHTOOL: Opcode = 0x8946;
const GET_TSO: u32 = 0x1e;

/// The host's `struct ifreq`.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// The same with a question for `ethtool`.
#[repr(C)]
struct EthtoolRequest<'a> {
    name: [u8; 16],
    question: &'a mut [u32; 2],
    rest: [u8; 16],
}

/// Returns whether the host sends segments to an interface that are yet to be cut.
///
/// # Panics
/// If the interface does not exist.
#[track_caller]
pub fn leaves_segments_whole(name: &str) -> bool {
    let mut question = [GET_TSO, 0];
    let mut request = EthtoolRequest {
        name: [0; 16],
        question: &mut question,
        rest: [0; 16],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).expect("a socket");
    // SAFETY: the request takes a pointer to a `struct ifreq` with a pointer to a `struct
    // ethtool_value`, whose layouts these are, and keeps neither.
    let asked = unsafe { ioctl(&socket, Updater::<ETHTOOL, _>::new(&mut request)) };
    asked.expect("the interface is there");
    question[1] != 0
}

/// The length of what the host expects before a frame, for those who want it.
///
/// # Panics
/// If this is no TAP device.
#[track_caller]
pub fn header_size(tap: &File) -> i32 {
    // SAFETY: the request fills in an `int`.
    let size = unsafe { ioctl(tap, Getter::<GET_HEADER_SIZE, i32>::new()) };
    size.expect("a tap")
}

/// Sets the same.
///
/// # Panics
/// As [`header_size`].
#[track_caller]
pub fn set_header_size(tap: &File, size: i32) {
    // SAFETY: the request takes a pointer to an `int`, and does not keep it.
    let set = unsafe { ioctl(tap, Setter::<SET_HEADER_SIZE, i32>::new(size)) };
    set.expect("a tap");
}

/// The headers before the frames of a TAP device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// Nothing. Frames from the host are complete, unless somebody has asked for something else.
    None,
    /// A `virtio_net_hdr` of ten bytes; checksums and segmentation are left to this end.
    Virtio,
}

/// Attaches to a TAP interface of the calling thread's network namespace. Reading and writing do
/// not wait.
///
/// # Panics
/// If it does not exist, or is in use.
#[track_caller]
pub fn attach(name: &str, headers: Headers) -> File {
    let has_headers = headers == Headers::Virtio;
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: ETHERNET | if has_headers { WITH_HEADERS } else { 0 },
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let descriptor = open("/dev/net/tun", flags, Mode::empty()).expect("there are TAP devices");
    // SAFETY: the request takes a pointer to a `struct ifreq`, whose layout this is.
    let attached = unsafe { ioctl(&descriptor, Setter::<ATTACH, _>::new(request)) };
    attached.expect("the tap is free");
    if has_headers {
        // SAFETY: the request takes a number.
        let left = unsafe { ioctl(&descriptor, IntegerSetter::<OFFLOAD>::new_usize(OFFLOADS)) };
        left.expect("a tap with headers knows offloads");
    }
    descriptor.into()
}
