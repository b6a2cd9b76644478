//! An option of the host's sockets that neither `rustix` nor stable `std` offers.

use core::ffi::c_int;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};

/// Lets a listening TCP socket report a connection once its peer has sent something, or after
/// some `seconds` (TCP_DEFER_ACCEPT of tcp(7)).
///
/// # Errors
/// Those of the host, which may not know it.
pub(super) fn set_tcp_defer_accept(socket: &OwnedFd, seconds: c_int) -> Result<(), Errno> {
    // SAFETY: the host reads an `int`, which lives for the call, and keeps nothing of it.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    match status {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}
