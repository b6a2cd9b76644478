use rustix::fs::{Mode, OFlags, open};
use rustix::ioctl::{IntegerSetter, Opcode, Setter, ioctl, opcode};
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

/// The host's `struct ifreq`.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// What precedes the frames of a TAP device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// Nothing. What the host sends is complete, unless somebody has asked for something else.
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
