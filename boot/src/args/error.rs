use alloc::string::String;
use core::fmt;

/// A mistake in the boot arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgsError {
    /// A quote in the command line is not closed, or a backslash ends it.
    Unbalanced,
    /// The command line is not UTF-8.
    NotText,
    /// An option lacks its value.
    MissingValue {
        /// The option's name.
        name: &'static str,
        /// The meaning of the value.
        metavar: &'static str,
    },
    /// A flag has a value.
    UnexpectedValue {
        /// The flag's name.
        name: &'static str,
    },
    /// An option's value cannot be understood.
    InvalidValue {
        /// The option's name.
        name: &'static str,
        /// The value.
        value: String,
        /// The mistake in it.
        reason: String,
    },
    /// An argument that nothing in the program takes.
    Unknown {
        /// The argument.
        word: String,
        /// The options that exist, a line for each.
        known: String,
    },
    /// Options that contradict or need each other; the message says which.
    Conflict(&'static str),
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbalanced => f.write_str("an open quote in the boot arguments"),
            Self::NotText => f.write_str("the boot arguments are not UTF-8"),
            Self::MissingValue { name, metavar } => {
                write!(f, "--{name} needs a value: --{name}={metavar}")
            }
            Self::UnexpectedValue { name } => write!(f, "--{name} takes no value"),
            Self::InvalidValue {
                name,
                value,
                reason,
            } => write!(f, "--{name}={value}: {reason}"),
            Self::Unknown { word, known } => {
                write!(f, "unknown argument: {word}\nBoot arguments:\n{known}")
            }
            Self::Conflict(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for ArgsError {}
