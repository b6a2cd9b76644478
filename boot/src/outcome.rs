use alloc::boxed::Box;
use core::error::Error;
use core::fmt;

/// The result of a main function whose errors are of several types: `?` takes them all.
pub type Result<T = (), E = Box<dyn Error>> = core::result::Result<T, E>;

/// How a program ended: 0 is success, anything else a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitStatus(pub u8);

impl ExitStatus {
    /// All went well.
    pub const SUCCESS: Self = Self(0);
    /// The program failed.
    pub const FAILURE: Self = Self(1);
    /// The boot arguments were wrong.
    pub const USAGE: Self = Self(64);
    /// The program panicked, or the processor trapped.
    pub const PANIC: Self = Self(101);
}

#[cfg(not(fata_vm))]
impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        status.0.into()
    }
}

/// A value that a program's main function may return.
pub trait Outcome {
    /// Logs what went wrong, if anything did, and tells the exit status.
    fn report(self) -> ExitStatus;
}

impl Outcome for () {
    fn report(self) -> ExitStatus {
        ExitStatus::SUCCESS
    }
}

impl Outcome for ExitStatus {
    fn report(self) -> ExitStatus {
        self
    }
}

impl<T: Outcome, E: fmt::Display> Outcome for Result<T, E> {
    fn report(self) -> ExitStatus {
        match self {
            Ok(outcome) => outcome.report(),
            Err(error) => {
                log::error!(target: "boot", "{error}");
                ExitStatus::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_become_statuses() {
        assert_eq!(().report(), ExitStatus::SUCCESS);
        assert_eq!(Ok::<_, &str>(ExitStatus(7)).report(), ExitStatus(7));
        assert_eq!(Err::<(), _>("no").report(), ExitStatus::FAILURE);
    }
}
