use crate::args::{Args, ArgsError, FromArgs};
use crate::heap::{self, Statistics};
use crate::platform;
use core::fmt;
use core::time::Duration;
use fata_task::Handle;
use rand_core::SeedableRng;

/// A cryptographically secure random number generator: ChaCha20, seeded from the platform's
/// entropy. It implements [`rand_core`]'s traits.
pub type Rng = rand_chacha::ChaCha20Rng;

/// Why there are no random numbers that are fit for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntropyError {
    /// The virtual machine has no source of random numbers that passes its health test.
    NoSource,
    /// The host refuses random numbers to the process.
    Refused,
}

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSource => {
                "no random numbers for keys: neither the processor nor a device gives any; give \
                 the machine a virtio-rng device"
            }
            Self::Refused => {
                "no random numbers for keys: the host refuses the system call getrandom; \
                 allow it to the process"
            }
        })
    }
}

impl core::error::Error for EntropyError {}

/// The things that the platform gives to a program. Clones are handles to the same things.
#[derive(Clone)]
pub struct Env {
    /// Spawns tasks, and tells and passes the time.
    pub tasks: Handle,
    console: crate::Console,
    #[cfg(any(feature = "net", feature = "terminal"))]
    #[cfg_attr(
        fata_vm,
        expect(dead_code, reason = "a machine's devices have interrupts instead")
    )]
    pub(crate) idler: platform::Idler,
    #[cfg(all(feature = "terminal", not(fata_vm)))]
    pub(crate) terminal: platform::terminal::Opened,
    #[cfg(any(feature = "disk", feature = "net"))]
    memory: fata_memory::Budget,
    #[cfg(any(feature = "disk", feature = "net"))]
    settings: Settings,
}

/// The boot arguments of the platform itself.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) platform: platform::Settings,
    pub(crate) trace: bool,
    #[cfg(feature = "net")]
    pub(crate) network: crate::network::Options,
    #[cfg(feature = "disk")]
    pub(crate) disks: platform::disk::Options,
}

impl FromArgs for Settings {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        Ok(Self {
            platform: FromArgs::from_args(args)?,
            trace: args.given("trace", "print when each phase of the start ended"),
            #[cfg(feature = "net")]
            network: FromArgs::from_args(args)?,
            #[cfg(feature = "disk")]
            disks: FromArgs::from_args(args)?,
        })
    }
}

impl Env {
    #[cfg_attr(
        not(any(feature = "disk", feature = "net")),
        expect(unused_variables, reason = "only devices need settings")
    )]
    pub(crate) fn new(tasks: Handle, idler: platform::Idler, settings: Settings) -> Self {
        Self {
            tasks,
            console: platform::console::open(&idler),
            #[cfg(any(feature = "net", feature = "terminal"))]
            idler,
            #[cfg(all(feature = "terminal", not(fata_vm)))]
            terminal: platform::terminal::Opened::default(),
            #[cfg(any(feature = "disk", feature = "net"))]
            memory: crate::memory::budget(),
            #[cfg(any(feature = "disk", feature = "net"))]
            settings,
        }
    }

    /// The network, as the boot arguments configure it: `--ipv4`, `--dhcp` and others.
    /// Call it once and clone the handle.
    ///
    /// A stack over a device starts here, and gets its address in the background.
    ///
    /// # Errors
    /// [`NetworkError`](crate::NetworkError) if there is no network device or it cannot
    /// be opened.
    #[cfg(feature = "net")]
    pub async fn network(&self) -> Result<crate::Network, crate::NetworkError> {
        let network = crate::network::open(self, &self.settings.network).await;
        platform::trace::report("network\n");
        network
    }

    /// A resolver of names over `network`. It asks the servers that the boot argument `--dns`
    /// names, else those that DHCP and routers have told; in a process over the host's
    /// sockets, those of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// [`EntropyError`] if there are no random numbers that keep its questions from being
    /// answered by others.
    #[cfg(feature = "net")]
    pub fn resolver(&self, network: &crate::Network) -> Result<crate::Resolver, EntropyError> {
        crate::network::resolver(self, network, &self.settings.network)
    }

    /// A disk. `name` says which if several are attached: `--disk NAME=FILE` attaches one for
    /// that name, `--disk FILE` one for the first that asks and has none of its own. Ask once for
    /// each name and clone the handle.
    ///
    /// In a virtual machine a disk has a name if its serial number is `disk:` and the name, of at
    /// most 15 characters; `cargo fata run --disk` sees to that.
    ///
    /// # Errors
    /// [`DiskError`](crate::DiskError) if there is no such disk or it cannot be opened.
    #[cfg(feature = "disk")]
    pub async fn disk(&self, name: &str) -> Result<crate::Disk, crate::DiskError> {
        crate::disk::open(self, &self.settings.disks, name).await
    }

    /// Opens what the program is attached to, before the sandbox closes.
    #[cfg(not(fata_vm))]
    pub(crate) fn open_early(&self) -> platform::Profile {
        // Whoever asks for it later learns of an error.
        #[cfg(feature = "terminal")]
        let _ = self.terminal();
        platform::Profile {
            #[cfg(feature = "net")]
            sockets: platform::network::open_early(self, &self.settings.network.platform),
            #[cfg(not(feature = "net"))]
            sockets: false,
            #[cfg(feature = "disk")]
            disks: self.settings.disks.open_early(),
            #[cfg(not(feature = "disk"))]
            disks: false,
            terminal: cfg!(feature = "terminal"),
        }
    }

    /// Starts the threads that the program needs, before the sandbox closes.
    #[cfg(not(fata_vm))]
    pub(crate) fn start_early(&self) {
        #[cfg(feature = "disk")]
        self.settings.disks.start_early();
    }

    /// CONSOLE: bytes in and out.
    pub fn console(&self) -> crate::Console {
        self.console.clone()
    }

    /// A terminal with a size, apart from the log: a virtual machine's virtio console, a
    /// process's standard input and output. Call it once and clone the handle.
    ///
    /// # Errors
    /// [`TerminalError`](crate::TerminalError) if there is no virtio console, or it cannot
    /// be used.
    #[cfg(feature = "terminal")]
    pub fn terminal(&self) -> Result<crate::Terminal, crate::TerminalError> {
        platform::terminal::open(self)
    }

    /// A new random number generator with a seed of its own, fit for key material. The
    /// generator that a virtual machine takes it from gets a new seed from all sources each minute;
    /// this one does not.
    ///
    /// A copy of it gives the same numbers again: make one where it is needed, and none
    /// before a snapshot of the machine is taken.
    ///
    /// # Errors
    /// [`EntropyError`] if the platform has no source of random numbers to trust.
    pub fn rng(&self) -> Result<Rng, EntropyError> {
        let mut seed = [0; 32];
        platform::entropy::fill(&mut seed)?;
        Ok(Rng::from_seed(seed))
    }

    /// The processor time that the program has used since it started.
    pub fn busy(&self) -> Duration {
        platform::busy()
    }

    /// The memory that parts of the program may hold for what comes from outside. The network and
    /// HTTP servers over it draw from it; what else holds much (a store, a cache) should.
    #[cfg(any(feature = "disk", feature = "net"))]
    pub fn memory(&self) -> fata_memory::Budget {
        self.memory.clone()
    }

    /// How much of the heap is in use.
    pub fn heap(&self) -> Statistics {
        Statistics {
            used: heap::used(),
            total: heap::total(),
        }
    }
}
