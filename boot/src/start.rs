use crate::args::{Args, ArgsError, FromArgs};
use crate::env::Settings;
use crate::outcome::{ExitStatus, Outcome};
use crate::{Env, home};
use alloc::string::{String, ToString};
use fata_console::Filter;
use fata_task::{Either, Executor, select};
use fata_time::{Clock, Instant};

/// What a program says about itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it does, in one line.
    pub description: &'static str,
}

/// Runs a program from its boot arguments to its exit status. [`main!`](crate::main)
/// makes the call.
///
/// Wrong arguments end the program with [`ExitStatus::USAGE`] and a message; `--help`
/// prints all options and ends it with [`ExitStatus::SUCCESS`].
pub fn run<P: FromArgs, O: Outcome, F: Future<Output = O>>(
    about: About,
    main: impl FnOnce(Env, P) -> F,
) -> ExitStatus {
    let (settings, options) = match configure(about) {
        Ok(configured) => configured,
        Err(end) => return end.report(),
    };
    home::trace::mark();
    let is_traced = settings.trace;
    let executor = Executor::new(home::clock());
    let idler = home::idle();
    let home_settings = settings.home;
    let env = Env::new(executor.handle(), idler.clone(), settings);
    let termination = home::termination(&idler);
    if let Err(error) = home::confine(&env, home_settings) {
        return Err::<(), _>(error).report();
    }
    home::trace::mark();
    if is_traced {
        home::trace::print();
    }
    let ended = executor.block_on(&idler, select(main(env, options), termination));
    // The tasks end before the exit status is told: sockets close, devices stop.
    drop(executor);
    match ended {
        Either::First(outcome) => outcome.report(),
        Either::Second(status) => status,
    }
}

/// Why a program ends before it has started.
enum End {
    Help(String),
    Usage(ArgsError),
}

impl End {
    fn report(self) -> ExitStatus {
        let (text, status) = match self {
            Self::Help(text) => (text, ExitStatus::SUCCESS),
            Self::Usage(error) => {
                let text = ["error: ", &error.to_string(), "\n"].concat();
                (text, ExitStatus::USAGE)
            }
        };
        home::console::write(text.as_bytes());
        status
    }
}

fn configure<P: FromArgs>(about: About) -> Result<(Settings, P), End> {
    let mut args = Args::new(home::command_line().map_err(End::Usage)?);
    let log = args.option(
        "log",
        "FILTER",
        "what to log: a level, or levels of targets as in info,net:debug",
        Filter::default(),
    );
    let settings = Settings::from_args(&mut args);
    let options = P::from_args(&mut args);
    if args.wants_help() {
        return Err(End::Help(args.help(about)));
    }
    let configured = (settings.map_err(End::Usage)?, options.map_err(End::Usage)?);
    let log = log.map_err(End::Usage)?;
    args.finish().map_err(End::Usage)?;
    fata_console::init(log, now, home::console::write);
    home::log_start();
    Ok(configured)
}

fn now() -> Instant {
    home::clock().now()
}

/// Makes an asynchronous function the program's main function, on either home.
///
/// `fata_boot::main!(app);` wants `async fn app(env: Env) -> impl Outcome`.
/// `fata_boot::main!(app, Options);` wants
/// `async fn app(env: Env, options: Options) -> impl Outcome` with [`Options`](FromArgs)
/// from the boot arguments. See [`Outcome`] for what it may return.
#[cfg(not(fata_vm))]
#[macro_export]
macro_rules! main {
    ($app:path) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($crate::about!(), |env, ()| $app(env)).into()
        }
    };
    ($app:path, $options:ty) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($crate::about!(), |env, options: $options| {
                $app(env, options)
            })
            .into()
        }
    };
}

/// Makes an asynchronous function the program's main function, on either home.
///
/// `fata_boot::main!(app);` wants `async fn app(env: Env) -> impl Outcome`.
/// `fata_boot::main!(app, Options);` wants
/// `async fn app(env: Env, options: Options) -> impl Outcome` with [`Options`](FromArgs)
/// from the boot arguments. See [`Outcome`] for what it may return.
#[cfg(fata_vm)]
#[macro_export]
macro_rules! main {
    ($app:path) => {
        #[unsafe(no_mangle)]
        extern "Rust" fn fata_main() -> u8 {
            $crate::run($crate::about!(), |env, ()| $app(env)).0
        }
    };
    ($app:path, $options:ty) => {
        #[unsafe(no_mangle)]
        extern "Rust" fn fata_main() -> u8 {
            $crate::run($crate::about!(), |env, options: $options| {
                $app(env, options)
            })
            .0
        }
    };
}

/// [`About`] the crate that calls it, from its manifest.
#[doc(hidden)]
#[macro_export]
macro_rules! about {
    () => {
        $crate::About {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            description: env!("CARGO_PKG_DESCRIPTION"),
        }
    };
}
