use crate::About;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Display, Write};
use core::str::FromStr;

mod error;
mod foreign;
mod split;

pub use error::ArgsError;
pub use split::split;

/// The boot arguments: options of the form `--name value` or `--name=value`, and flags
/// of the form `--name`.
///
/// A value that begins with `--` must be given in the form `--name=value`. If an option
/// is given more than once, the last one counts. Arguments that nobody takes are an
/// error that lists what exists.
///
/// A virtual machine's command line is not the program's alone: monitors add words for a
/// Linux kernel, such as `pci=off` or `rw`. There, words of the form `name` or `name=value` that
/// are no option's value are passed over, and logged at debug; those after a word `--` are not.
/// A process takes no such words.
///
/// ```
/// use fata_boot::{Args, ArgsError, FromArgs};
///
/// struct Options {
///     port: u16,
///     verbose: bool,
/// }
///
/// impl FromArgs for Options {
///     fn from_args(args: &mut Args) -> Result<Self, ArgsError> {
///         Ok(Self {
///             port: args.option("port", "PORT", "TCP port to serve on", 80)?,
///             verbose: args.flag("verbose", "log every request")?,
///         })
///     }
/// }
///
/// let mut args = Args::new(fata_boot::split("--port=8080 --verbose")?);
/// let options = Options::from_args(&mut args)?;
/// args.finish()?;
/// assert!(options.port == 8080 && options.verbose);
/// # Ok::<(), ArgsError>(())
/// ```
#[derive(Debug)]
pub struct Args {
    words: Vec<String>,
    known: Vec<Known>,
    help: bool,
}

/// An option that somebody asked for, as `--help` shows it.
#[derive(Debug)]
struct Known {
    name: &'static str,
    /// Empty for a flag.
    metavar: &'static str,
    help: &'static str,
    /// Filled only when help is wanted.
    default: Option<String>,
}

/// Something that is made from boot arguments, such as an application's options.
pub trait FromArgs: Sized {
    /// Takes its options out of `args`.
    ///
    /// # Errors
    /// [`ArgsError`] if a value is missing or not valid.
    fn from_args(args: &mut Args) -> Result<Self, ArgsError>;
}

impl FromArgs for () {
    fn from_args(_: &mut Args) -> Result<Self, ArgsError> {
        Ok(())
    }
}

impl Args {
    /// The arguments `words`, which do not include the program's name.
    pub fn new(mut words: Vec<String>) -> Self {
        Self {
            help: remove(&mut words, "help"),
            words,
            known: Vec::new(),
        }
    }

    /// Takes the option `--name`, a `metavar`, described by `help`. It is `default` if it
    /// was not given.
    ///
    /// # Errors
    /// [`ArgsError`] if its value is missing or not valid.
    pub fn option<T>(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        help: &'static str,
        default: T,
    ) -> Result<T, ArgsError>
    where
        T: FromStr<Err: Display> + Display,
    {
        let shown = self.help.then(|| default.to_string());
        let value = self.last(name, metavar, help, shown)?;
        value.map_or(Ok(default), |value| parse(name, value))
    }

    /// Takes the option `--name`, a `metavar`, described by `help`, which has no default.
    ///
    /// # Errors
    /// [`ArgsError`] if its value is missing or not valid.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        help: &'static str,
    ) -> Result<Option<T>, ArgsError>
    where
        T: FromStr<Err: Display>,
    {
        let value = self.last(name, metavar, help, None)?;
        value.map(|value| parse(name, value)).transpose()
    }

    /// Takes every value of the option `--name`, a `metavar`, described by `help`, in the order in
    /// which they were given.
    ///
    /// # Errors
    /// [`ArgsError`] if a value is missing or not valid.
    pub fn repeated<T>(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        help: &'static str,
    ) -> Result<Vec<T>, ArgsError>
    where
        T: FromStr<Err: Display>,
    {
        self.describe(name, metavar, help, None);
        let mut values = Vec::new();
        self.take(name, metavar, &mut |value| values.push(value))?;
        values.into_iter().map(|value| parse(name, value)).collect()
    }

    /// Takes the flag `--name`, described by `help`: whether it was given.
    ///
    /// # Errors
    /// [`ArgsError::UnexpectedValue`] if it was given a value.
    pub fn flag(&mut self, name: &'static str, help: &'static str) -> Result<bool, ArgsError> {
        let given = self.given(name, help);
        if self.position(name).is_some() && !self.help {
            return Err(ArgsError::UnexpectedValue { name });
        }
        Ok(given)
    }

    /// Takes the flag `--name`, described by `help`: whether it was given. Unlike
    /// [`flag`](Self::flag) it leaves one with a value over, which is an unknown argument to
    /// [`finish`](Self::finish), so there is no error to pass on.
    pub fn given(&mut self, name: &'static str, help: &'static str) -> bool {
        self.describe(name, "", help, None);
        remove(&mut self.words, name)
    }

    /// Ends the taking of options.
    ///
    /// # Errors
    /// [`ArgsError::Unknown`] if arguments are left that nobody took.
    pub fn finish(self) -> Result<(), ArgsError> {
        let Some(word) = self.words.first() else {
            return Ok(());
        };
        Err(ArgsError::Unknown {
            word: word.clone(),
            known: self.list(),
        })
    }

    /// Returns whether `--help` was given. Values are not looked at then.
    pub(crate) fn wants_help(&self) -> bool {
        self.help
    }

    /// The text that `--help` prints.
    pub(crate) fn help(&self, about: About) -> String {
        let About {
            name,
            version,
            description,
        } = about;
        [
            name,
            " ",
            version,
            "\n",
            description,
            "\n\nBoot arguments:\n",
            &self.list(),
        ]
        .concat()
    }

    /// All options that were asked for, a line for each.
    fn list(&self) -> String {
        let width = |option: &Known| option.name.len() + option.metavar.len();
        let widest = self.known.iter().map(width).max().unwrap_or(0);
        let mut list = String::new();
        for option in &self.known {
            list += "  --";
            list += option.name;
            list += " ";
            list += option.metavar;
            pad(&mut list, widest - width(option) + 2);
            list += option.help;
            if let Some(default) = &option.default {
                // Writing to a string does not fail.
                let _ = write!(list, " [default: {default}]");
            }
            list += "\n";
        }
        list += "  --help ";
        pad(&mut list, (widest + 2).saturating_sub("help".len()));
        list += "print this and end\n";
        list
    }

    fn describe(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        help: &'static str,
        default: Option<String>,
    ) {
        self.known.push(Known {
            name,
            metavar,
            help,
            default,
        });
    }

    /// Takes the last value of an option, which is described.
    fn last(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        help: &'static str,
        default: Option<String>,
    ) -> Result<Option<String>, ArgsError> {
        self.describe(name, metavar, help, default);
        let mut last = None;
        self.take(name, metavar, &mut |value| last = Some(value))?;
        Ok(last)
    }

    /// Takes all values of an option. There are none if help is wanted. It is not generic, so an
    /// image has it once.
    fn take(
        &mut self,
        name: &'static str,
        metavar: &'static str,
        receive: &mut dyn FnMut(String),
    ) -> Result<(), ArgsError> {
        while let Some(index) = self.position(name) {
            let word = self.words.remove(index);
            // Bytes, as what searches in a `str` costs every image a kilobyte.
            let equals = word.bytes().position(|byte| byte == b'=');
            let value = if let Some(equals) = equals {
                word.get(equals + 1..).map(ToOwned::to_owned)
            } else if self.words.get(index).is_some_and(|next| !is_option(next)) {
                Some(self.words.remove(index))
            } else if self.help {
                None
            } else {
                return Err(ArgsError::MissingValue { name, metavar });
            };
            if let Some(value) = value.filter(|_| !self.help) {
                receive(value);
            }
        }
        Ok(())
    }

    /// Where `--name` or `--name=…` stands first.
    fn position(&self, name: &str) -> Option<usize> {
        self.words.iter().position(|word| {
            let rest = word
                .strip_prefix("--")
                .and_then(|word| word.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }
}

/// Removes all `--name` from `words`. Returns whether there were any.
fn remove(words: &mut Vec<String>, name: &str) -> bool {
    let mut found = false;
    let is_meant = |word: &String| word.strip_prefix("--") == Some(name);
    while let Some(index) = words.iter().position(is_meant) {
        words.remove(index);
        found = true;
    }
    found
}

fn parse<T: FromStr<Err: Display>>(name: &'static str, value: String) -> Result<T, ArgsError> {
    value
        .parse()
        .map_err(|error: T::Err| ArgsError::InvalidValue {
            name,
            value,
            reason: error.to_string(),
        })
}

fn pad(text: &mut String, count: usize) {
    for _ in 0..count {
        *text += " ";
    }
}

fn is_option(word: &str) -> bool {
    word.starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn args(words: &[&str]) -> Args {
        Args::new(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn port(args: &mut Args) -> Result<u16, ArgsError> {
        args.option("port", "PORT", "TCP port", 80)
    }

    #[test]
    fn both_forms_defaults_and_repetition() {
        for (words, expected) in [
            (&[][..], 80),
            (&["--port", "1"], 1),
            (&["--port=2"], 2),
            (&["--port=3", "--port", "4"], 4),
            (&["--port", "5", "--port=6"], 6),
        ] {
            let mut args = args(words);
            assert_eq!(port(&mut args), Ok(expected));
            assert_eq!(args.finish(), Ok(()));
        }
        let mut args = args(&["--disk="]);
        assert_eq!(
            args.optional::<String>("disk", "FILE", ""),
            Ok(Some(String::new()))
        );
        assert_eq!(args.optional::<u8>("none", "N", ""), Ok(None));
    }

    #[test]
    fn every_value_is_kept_in_order() {
        let disks = |args: &mut Args| args.repeated::<u8>("disk", "N", "");
        let mut given = args(&["--disk", "3", "--port=1", "--disk=1", "--disk", "2"]);
        assert_eq!(disks(&mut given), Ok(alloc::vec![3, 1, 2]));
        assert_eq!(port(&mut given), Ok(1));
        assert_eq!(disks(&mut args(&[])), Ok(Vec::new()));
        assert!(disks(&mut args(&["--disk=1", "--disk=x"])).is_err());
        assert!(disks(&mut args(&["--disk=1", "--disk"])).is_err());
        assert_eq!(disks(&mut args(&["--help", "--disk=x"])), Ok(Vec::new()));
    }

    #[test]
    fn a_value_is_not_mistaken_for_an_option() {
        let mut args = args(&["--hello=--port", "--port", "-1x"]);
        assert!(matches!(
            port(&mut args),
            Err(ArgsError::InvalidValue { name: "port", .. })
        ));
        let hello = args.optional::<String>("hello", "TEXT", "");
        assert_eq!(hello, Ok(Some("--port".to_owned())));
        assert_eq!(
            port(&mut super::tests::args(&["--port", "--hello"])),
            Err(ArgsError::MissingValue {
                name: "port",
                metavar: "PORT"
            })
        );
    }

    #[test]
    fn flags() {
        let mut args = args(&["--verbose", "--verbose", "--quiet=yes"]);
        assert_eq!(args.flag("verbose", ""), Ok(true));
        assert_eq!(args.flag("other", ""), Ok(false));
        assert_eq!(
            args.flag("quiet", ""),
            Err(ArgsError::UnexpectedValue { name: "quiet" })
        );
        assert!(!args.given("quiet", ""));
        assert!(matches!(args.finish(), Err(ArgsError::Unknown { .. })));
        assert!(self::args(&["--quiet"]).given("quiet", ""));
    }

    #[test]
    fn what_is_left_is_an_error_that_lists_the_options() {
        let mut args = args(&["--prot", "1"]);
        assert_eq!(port(&mut args), Ok(80));
        let error = args.finish().unwrap_err().to_string();
        assert!(error.contains("--prot") && error.contains("--port PORT"));
    }

    #[test]
    fn help_shows_everything_and_ignores_mistakes() {
        let mut args = args(&["--port", "many", "--help", "--verbose=1", "--disk"]);
        assert!(args.wants_help());
        assert_eq!(port(&mut args), Ok(80));
        assert_eq!(args.flag("verbose", "say more"), Ok(false));
        assert_eq!(args.optional::<String>("disk", "FILE", "a disk"), Ok(None));
        let help = args.help(About {
            name: "program",
            version: "1.2.3",
            description: "What it does",
        });
        assert_eq!(
            help,
            "program 1.2.3\nWhat it does\n\nBoot arguments:\n\
             \x20 --port PORT  TCP port [default: 80]\n\
             \x20 --verbose    say more\n\
             \x20 --disk FILE  a disk\n\
             \x20 --help       print this and end\n"
        );
    }

    proptest! {
        #[test]
        fn any_words_are_taken_or_refused(words in prop::collection::vec("(--)?[a-c=]{0,4}", 0..8)) {
            let count = words.len();
            let mut args = Args::new(words);
            let taken = args.optional::<String>("a", "A", "").is_ok()
                & args.optional::<u8>("b", "B", "").is_ok()
                & args.flag("c", "").is_ok();
            let finished = args.finish();
            prop_assert!(count > 0 || (taken && finished.is_ok()));
        }

        #[test]
        fn a_value_comes_through_unchanged(value in ".*") {
            let mut args = Args::new(vec![alloc::format!("--text={value}")]);
            prop_assert_eq!(args.optional::<String>("text", "TEXT", ""), Ok(Some(value)));
            prop_assert_eq!(args.finish(), Ok(()));
        }
    }
}
