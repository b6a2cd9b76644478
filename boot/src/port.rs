use crate::args::{Args, ArgsError, FromArgs};
use core::fmt;
use core::net::{Ipv6Addr, SocketAddr};

/// The boot argument `--port`: the port that a program serves on, `DEFAULT` if it was not given.
///
/// It becomes the address to listen on, that of all interfaces, for IPv6 and IPv4.
///
/// ```
/// use core::net::SocketAddr;
/// use fata_boot::{Args, ArgsError, FromArgs, Port};
///
/// struct Options {
///     port: Port<80>,
///     verbose: bool,
/// }
///
/// impl FromArgs for Options {
///     fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
///         Ok(Self {
///             port: Port::from_args(args)?,
///             verbose: args.flag("verbose", "log every request")?,
///         })
///     }
/// }
///
/// let mut args = Args::new(fata_boot::split("--port=8080 --verbose")?);
/// let options = Options::from_args(&mut args)?;
/// assert_eq!(SocketAddr::from(options.port).to_string(), "[::]:8080");
/// assert_eq!(options.port.to_string(), "8080");
/// # Ok::<(), ArgsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port<const DEFAULT: u16>(u16);

impl<const DEFAULT: u16> FromArgs for Port<DEFAULT> {
    fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
        take(args, DEFAULT).map(Self)
    }
}

// Not generic, so an image has it once.
fn take(args: &mut Args, default: u16) -> Result<u16, ArgsError> {
    args.option("port", "PORT", "port to serve on", default)
}

impl<const DEFAULT: u16> From<Port<DEFAULT>> for u16 {
    fn from(port: Port<DEFAULT>) -> Self {
        port.0
    }
}

impl<const DEFAULT: u16> From<Port<DEFAULT>> for SocketAddr {
    fn from(port: Port<DEFAULT>) -> Self {
        (Ipv6Addr::UNSPECIFIED, port.0).into()
    }
}

impl<const DEFAULT: u16> fmt::Display for Port<DEFAULT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
