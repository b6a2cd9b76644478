/// Resources that a sandboxed program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// The host's sockets of TCP and UDP, which the program opens as it goes. Devices need
    /// nothing once they are open.
    pub(crate) sockets: bool,
    /// Disks, which are open already, and threads that read and write them.
    pub(crate) disks: bool,
    /// The terminal, whose size can change.
    pub(crate) terminal: bool,
}
