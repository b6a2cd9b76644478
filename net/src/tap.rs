//! TAP: a network device of the host that a process drives.

use crate::ethernet::{LONGEST_HEADER, close_gap};
use crate::virtio_net_header as header;
use crate::{Counters, Frame, LARGEST_FRAME, MacAddress, Net, Offload, Offloads, TransmitError};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::task::{Context, Poll};
use fata_task::{Reactor, Registration};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Getter, IntegerSetter, Opcode, Setter, Updater, ioctl, opcode};
use rustix::net::{AddressFamily, SocketType};
use std::os::fd::{AsFd, OwnedFd};

const DEVICE: &str = "/dev/net/tun";
/// Bytes of a buffer: what precedes a frame, and the largest frame.
const BUFFER: usize = header::SHORT + LARGEST_FRAME;
/// How many receive buffers are kept for reuse.
const POOL: usize = 64;

/// The host's request to attach to an interface, TUNSETIFF of `linux/if_tun.h`.
const ATTACH: Opcode = opcode::write::<i32>(b'T', 202);
/// The host's request for an interface's MTU, SIOCGIFMTU of `linux/sockios.h`.
const GET_MTU: Opcode = 0x8921;
/// IFF_TAP, IFF_NO_PI and IFF_VNET_HDR: Ethernet frames, with [`header`] before each.
const ETHERNET: u16 = 0x0002 | 0x1000 | 0x4000;
/// The host's request to leave checksums and segmentation to this end, TUNSETOFFLOAD, with
/// TUN_F_CSUM, TUN_F_TSO4 and TUN_F_TSO6.
const OFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
const OFFLOADS: usize = 1 | 2 | 4;
/// The host's requests for the length of what precedes a frame, and to set it: TUNGETVNETHDRSZ and
/// TUNSETVNETHDRSZ. A device keeps it when its owner goes.
const GET_HEADER_SIZE: Opcode = opcode::read::<u32>(b'T', 215);
const SET_HEADER_SIZE: Opcode = opcode::write::<i32>(b'T', 216);

/// The host's `struct ifreq`: the name of an interface, and a union of 24 bytes.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    value: [u8; 24],
}

/// A TAP device: the host sees a network interface, whose cable ends here.
///
/// A device that outlives its owner is left as it was found: with complete frames no longer than
/// the MTU.
pub struct Tap {
    registration: Registration,
    attachment: Attachment,
    name: String,
    mac: MacAddress,
    mtu: usize,
    counters: Counters,
    /// Receive buffers that wait to be filled.
    free: Vec<Box<[u8]>>,
    /// True if the last attempt to receive found nothing.
    drained: bool,
    outgoing: Box<[u8]>,
    /// The length of the frame and what precedes it in `outgoing`, if the host has not taken
    /// them yet.
    pending: Option<usize>,
    /// True if the host refused frames the last time. Logged once.
    refused: bool,
}

/// A frame that a [`Tap`] has received.
pub struct TapFrame {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for TapFrame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}

impl Frame for TapFrame {
    fn is_verified(&self) -> bool {
        header::is_verified(&self.buffer)
    }

    fn remove_tag(&mut self) {
        self.start += close_gap(&mut self.buffer[self.start..self.end]);
    }
}

impl Tap {
    /// Attaches to the TAP interface `name`, which is made if this process may do so. This
    /// end of the cable has the address `mac`, which must not be the interface's own.
    ///
    /// # Errors
    /// [`TapError`], with what to do about it.
    pub fn open(name: &str, mac: MacAddress, reactor: &Rc<dyn Reactor>) -> Result<Self, TapError> {
        let mut request = interface(name).ok_or_else(|| TapError::Name(name.into()))?;
        let failed = |errno| TapError::new(name, errno);
        request.value[..2].copy_from_slice(&ETHERNET.to_ne_bytes());
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(DEVICE, flags, Mode::empty()).map_err(failed)?;
        configure::<ATTACH>(&descriptor, &mut request).map_err(failed)?;
        let attachment = Attachment::set_up(descriptor).map_err(failed)?;
        let mtu = mtu(name).map_err(failed)?;
        let registration = Registration::new(reactor, &attachment.descriptor)
            .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        Ok(Self {
            registration,
            attachment,
            name: name.into(),
            mac,
            mtu,
            counters: Counters::default(),
            free: Vec::with_capacity(POOL),
            drained: false,
            outgoing: vec![0; BUFFER].into(),
            pending: None,
            refused: false,
        })
    }

    /// Hands the frame that waits to the host, if one does and the host has room.
    fn push(&mut self) {
        let Some(length) = self.pending else {
            return;
        };
        self.registration.writable.clear();
        self.counters.notifications += 1;
        match rustix::io::write(&self.attachment.descriptor, &self.outgoing[..length]) {
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(errno) => self.refuse(errno),
            Ok(_) => self.refused = false,
        }
        self.pending = None;
    }

    /// A frame was lost, as a cable may lose it.
    fn refuse(&mut self, errno: Errno) {
        if !self.refused {
            let name = &self.name;
            log::warn!(target: "net", "the host takes no frames ({errno}); try: ip link set {name} up");
            self.refused = true;
        }
    }
}

/// The host's end of the cable, and what has to be put back there.
struct Attachment {
    descriptor: OwnedFd,
    header_size: i32,
}

impl Attachment {
    /// Sets up what a device keeps from one owner to the next.
    fn set_up(descriptor: OwnedFd) -> Result<Self, Errno> {
        // SAFETY: the request fills in an `int`.
        let header_size = unsafe { ioctl(&descriptor, Getter::<GET_HEADER_SIZE, i32>::new()) }?;
        let attachment = Self {
            descriptor,
            header_size,
        };
        attachment.set_header_size(header::SHORT as i32)?;
        // If the host does not know it, its frames are complete and no longer than the MTU.
        let _ = attachment.set_offloads(OFFLOADS);
        Ok(attachment)
    }

    fn set_header_size(&self, size: i32) -> Result<(), Errno> {
        // SAFETY: the request takes a pointer to an `int` and does not keep it.
        unsafe { ioctl(&self.descriptor, Setter::<SET_HEADER_SIZE, i32>::new(size)) }
    }

    fn set_offloads(&self, offloads: usize) -> Result<(), Errno> {
        // SAFETY: the request takes a number.
        unsafe {
            ioctl(
                &self.descriptor,
                IntegerSetter::<OFFLOAD>::new_usize(offloads),
            )
        }
    }
}

impl Drop for Attachment {
    /// The next owner may know nothing of partial checksums and long frames; one that does, asks
    /// for them. The device may be gone.
    fn drop(&mut self) {
        let _ = self.set_offloads(0);
        let _ = self.set_header_size(self.header_size);
    }
}

impl Net for Tap {
    type Frame = TapFrame;

    fn mac(&self) -> MacAddress {
        self.mac
    }

    fn mtu(&self) -> usize {
        self.mtu
    }

    fn offloads(&self) -> Offloads {
        Offloads {
            checksum: true,
            tcp_ipv4: true,
            tcp_ipv6: true,
        }
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn receive(&mut self) -> Option<TapFrame> {
        let mut buffer = self.free.pop().unwrap_or_else(|| vec![0; BUFFER].into());
        self.registration.readable.clear();
        match rustix::io::read(&self.attachment.descriptor, &mut *buffer) {
            Ok(length) => {
                let frame = TapFrame {
                    buffer,
                    start: header::SHORT,
                    end: length.max(header::SHORT),
                };
                self.counters.received_frames += 1;
                self.counters.received_bytes += frame.as_ref().len() as u64;
                Some(frame)
            }
            Err(errno) => {
                self.drained = errno != Errno::INTR;
                self.free.push(buffer);
                None
            }
        }
    }

    fn recycle(&mut self, frame: TapFrame) {
        if self.free.len() < POOL {
            self.free.push(frame.buffer);
        }
    }

    fn can_transmit(&mut self) -> bool {
        self.push();
        self.pending.is_none()
    }

    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        if length > LARGEST_FRAME {
            return Err(TransmitError::TooLong);
        }
        if !self.can_transmit() {
            return Err(TransmitError::Full);
        }
        let end = header::SHORT + length;
        let (header, frame) = self.outgoing[..end].split_at_mut(header::SHORT);
        let (result, offload) = fill(frame);
        if length > self.mtu + LONGEST_HEADER && !matches!(offload, Offload::Segments { .. }) {
            return Err(TransmitError::TooLong);
        }
        header::encode(offload, header);
        self.counters.transmitted_frames += 1;
        self.counters.transmitted_bytes += length as u64;
        self.pending = Some(end);
        self.push();
        Ok(result)
    }

    fn flush(&mut self) {
        self.push();
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let readable = &self.registration.readable;
        if !self.drained || readable.poll_wait(context).is_ready() {
            self.drained = false;
            return Poll::Ready(());
        }
        if self.pending.is_some() {
            return self.registration.writable.poll_wait(context);
        }
        Poll::Pending
    }
}

/// A request about the interface `name`; `None` if that is not a name.
fn interface(name: &str) -> Option<InterfaceRequest> {
    let mut request = InterfaceRequest {
        name: [0; 16],
        value: [0; 24],
    };
    // The last byte stays zero, and an empty name would let the host choose one.
    let place = request.name[..15].get_mut(..name.len())?;
    place.copy_from_slice(name.as_bytes());
    (!name.is_empty() && !name.contains(['\0', '/', '%'])).then_some(request)
}

fn mtu(name: &str) -> Result<usize, Errno> {
    let mut request = interface(name).ok_or(Errno::INVAL)?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    configure::<GET_MTU>(&socket, &mut request)?;
    let [a, b, c, d, ..] = request.value;
    usize::try_from(i32::from_ne_bytes([a, b, c, d])).map_err(|_| Errno::INVAL)
}

fn configure<const REQUEST: Opcode>(
    descriptor: impl AsFd,
    request: &mut InterfaceRequest,
) -> Result<(), Errno> {
    // SAFETY: both requests of this file take a pointer to a `struct ifreq`, which has the
    // layout of `InterfaceRequest`, and do not keep it.
    unsafe {
        ioctl(
            descriptor,
            Updater::<REQUEST, InterfaceRequest>::new(request),
        )
    }
}

/// Why a TAP device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TapError {
    /// This is no name of an interface.
    Name(String),
    /// This process may not attach to the interface of that name, or make it.
    NotPermitted(String),
    /// The host has no TAP devices.
    Unsupported(String),
    /// Another process is attached to the interface.
    Busy(String),
    /// An interface of that name exists, and is no TAP device.
    NotTap(String),
    /// The host failed otherwise.
    Host(String, Errno),
}

impl TapError {
    fn new(name: &str, errno: Errno) -> Self {
        let name = name.into();
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted(name),
            Errno::NOENT | Errno::NODEV | Errno::NXIO => Self::Unsupported(name),
            Errno::BUSY => Self::Busy(name),
            Errno::INVAL => Self::NotTap(name),
            _ => Self::Host(name, errno),
        }
    }
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(f, "{name:?} is no interface name: 1 to 15 bytes without /")
            }
            Self::NotPermitted(name) => write!(
                f,
                "no permission to use {name}; run as root, or give it to your user: \
                 ip tuntap add {name} mode tap user $USER"
            ),
            Self::Unsupported(name) => {
                write!(
                    f,
                    "no {DEVICE} for {name}; load the kernel module: modprobe tun"
                )
            }
            Self::Busy(name) => write!(f, "{name} is in use by another process"),
            Self::NotTap(name) => write!(f, "{name} is no TAP interface; choose another name"),
            Self::Host(name, errno) => write!(f, "{name}: {errno}"),
        }
    }
}

impl core::error::Error for TapError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn names_are_checked() {
        assert!(interface("tap0").is_some_and(|request| request.name.starts_with(b"tap0\0")));
        for name in ["", "a/b", "tap%d", "sixteen-bytes-xx", "nul\0"] {
            assert!(interface(name).is_none(), "{name}");
        }
    }

    #[test]
    fn the_loopback_interface_has_an_mtu_and_is_no_tap() {
        assert!(mtu("lo").unwrap() >= 1_280);
        assert_eq!(mtu("no-such-device"), Err(Errno::NODEV));
    }

    #[test]
    fn errors_tell_what_to_do() {
        let error = TapError::new("tap0", Errno::PERM);
        assert!(error.to_string().contains("ip tuntap add tap0"));
    }
}
