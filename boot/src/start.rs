use crate::args::{Args, ArgsError, FromArgs};
use crate::env::Settings;
use crate::outcome::{ExitStatus, Outcome};
use crate::{Env, platform};
use alloc::string::ToString;
use alloc::vec::Vec;
use fata_console::Filter;
use fata_task::{Either, Executor, select};
use fata_time::{Clock, Instant};

/// A program's description of itself.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its purpose, in one line.
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
    let mut options = None;
    let configured = configure(about, &mut |args| {
        options = Some(P::from_args(args)?);
        Ok(())
    });
    let prepared = configured.and_then(prepare);
    let (
        Prepared {
            executor,
            idler,
            env,
        },
        termination,
        options,
    ) = match (prepared, options) {
        (Ok((prepared, termination)), Some(options)) => (prepared, termination, options),
        (ended, _) => return ended.err().unwrap_or(ExitStatus::USAGE),
    };
    let ended = executor.block_on(&idler, select(main(env, options), termination));
    // The tasks end before the exit status is told: sockets close, devices stop.
    drop(executor);
    match ended {
        Either::First(outcome) => outcome.report(),
        Either::Second(status) => status,
    }
}

/// The executor of the program, and what the program gets.
struct Prepared {
    executor: Executor,
    idler: platform::Idler,
    env: Env,
}

// The functions below are not generic, so an image has them once, and made for size.

/// Makes ready what runs the program, and what may end it.
#[inline(never)]
fn prepare(settings: Settings) -> Result<(Prepared, impl Future<Output = ExitStatus>), ExitStatus> {
    platform::trace::mark();
    let is_traced = settings.trace;
    let executor = Executor::new(platform::clock());
    let idler = platform::idle();
    let platform_settings = settings.platform;
    let env = Env::new(executor.handle(), idler.clone(), settings);
    // Signals are caught before the sandbox closes.
    let termination = platform::termination(&idler);
    if let Err(error) = platform::confine(&env, platform_settings) {
        return Err(Err::<(), _>(error).report());
    }
    platform::trace::mark();
    if is_traced {
        platform::trace::print();
    }
    let prepared = Prepared {
        executor,
        idler,
        env,
    };
    Ok((prepared, termination))
}

/// Takes the boot arguments, those of the program by `take_options`, and starts the log. An
/// error in them, or the help, is told, and makes the program's exit status.
#[inline(never)]
fn configure(
    about: About,
    take_options: &mut dyn FnMut(&mut Args) -> Result<(), ArgsError>,
) -> Result<Settings, ExitStatus> {
    let configured = platform::command_line().and_then(|words| {
        let mut args = Args::new(words);
        let log = args.option(
            "log",
            "FILTER",
            "a level, or levels of targets as in info,net:debug",
            Filter::default(),
        );
        let settings = Settings::from_args(&mut args);
        let options = take_options(&mut args);
        if args.wants_help() {
            platform::console::write(args.help(about).as_bytes());
            return Ok(None);
        }
        let (settings, ()) = (settings?, options?);
        let log = log?;
        // Nobody adds words to a process's.
        let passed_over = match cfg!(fata_vm) {
            true => args.pass_over(),
            false => Vec::new(),
        };
        args.finish()?;
        fata_console::init(log, now, platform::console::write);
        platform::log_start();
        for word in passed_over {
            log::debug!(target: "boot", "passed over in the command line: {word}");
        }
        Ok(Some(settings))
    });
    match configured {
        Ok(settings) => settings.ok_or(ExitStatus::SUCCESS),
        Err(error) => {
            let text = ["error: ", &error.to_string(), "\n"].concat();
            platform::console::write(text.as_bytes());
            Err(ExitStatus::USAGE)
        }
    }
}

fn now() -> Instant {
    platform::clock().now()
}

/// Makes an asynchronous function the program's main function, on either platform, and declares the
/// program's heap.
///
/// `fata_boot::main!(app);` wants `async fn app(env: Env) -> impl Outcome`.
/// `fata_boot::main!(app, Options);` wants
/// `async fn app(env: Env, options: Options) -> impl Outcome` with [`Options`](FromArgs)
/// from the boot arguments. See [`Outcome`] for what it may return.
///
/// The heap is [`heap::Talc`](crate::heap::Talc). `heap = LinkedList` at the end chooses another
/// one of [`heap`](crate::heap); after `heap = own` the program declares an allocator itself:
///
/// ```
/// use fata_boot::{Env, Port};
///
/// #[global_allocator]
/// static HEAP: std::alloc::System = std::alloc::System;
///
/// fata_boot::main!(app, Port<80>, heap = own);
///
/// async fn app(_: Env, port: Port<80>) {
///     log::info!("the port is {port}");
/// }
/// ```
#[macro_export]
macro_rules! main {
    ($app:path) => {
        $crate::main!($app, heap = Talc);
    };
    ($app:path, heap = $heap:ident) => {
        $crate::global_heap!($heap);
        $crate::entry!(|env, ()| $app(env));
    };
    ($app:path, $options:ty) => {
        $crate::main!($app, $options, heap = Talc);
    };
    ($app:path, $options:ty, heap = $heap:ident) => {
        $crate::global_heap!($heap);
        $crate::entry!(|env, options: $options| $app(env, options));
    };
}

/// Declares a heap of [`heap`](crate::heap), unless the program has its own.
#[doc(hidden)]
#[macro_export]
macro_rules! global_heap {
    (own) => {};
    ($heap:ident) => {
        // Unnamed, so that the program can have its own `HEAP`.
        const _: () = {
            #[global_allocator]
            static HEAP: $crate::heap::$heap = $crate::heap::$heap::new();
        };
    };
}

/// The start of a process.
#[cfg(not(fata_vm))]
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($app:expr) => {
        fn main() -> ::std::process::ExitCode {
            $crate::run($crate::about!(), $app).into()
        }
    };
}

/// The function that a virtual machine calls once it is set up.
#[cfg(fata_vm)]
#[doc(hidden)]
#[macro_export]
macro_rules! entry {
    ($app:expr) => {
        #[unsafe(no_mangle)]
        extern "Rust" fn fata_main() -> u8 {
            $crate::run($crate::about!(), $app).0
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
