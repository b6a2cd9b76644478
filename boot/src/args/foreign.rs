use super::Args;
use alloc::string::String;
use alloc::vec::Vec;

/// The word that separates the kernel's words from those of the first program.
const SEPARATOR: &str = "--";

impl Args {
    /// Takes out the words that monitors add for a Linux kernel, such as `pci=off` or `rw`, and
    /// returns them. Call it when all options have been taken: their values are the program's.
    ///
    /// The kernel's syntax is `name` or `name=value` (Linux's
    /// `Documentation/admin-guide/kernel-parameters.rst`). As for a kernel, words after the first
    /// `--` are the program's alone.
    pub(crate) fn pass_over(&mut self) -> Vec<String> {
        let mut passed = Vec::new();
        let mut index = 0;
        while let Some(word) = self.words.get(index) {
            let is_separator = word == SEPARATOR;
            if is_separator || is_of_kernel(word) {
                passed.push(self.words.remove(index));
            } else {
                index += 1;
            }
            if is_separator {
                break;
            }
        }
        passed
    }
}

/// Returns whether a word begins with a name as Linux gives them to parameters, such as
/// `8250.nr_uarts`: an address, a path or a number is none.
fn is_of_kernel(word: &str) -> bool {
    let mut has_letter = false;
    for (index, byte) in word.bytes().enumerate() {
        match byte {
            b'=' => break,
            b'-' if index == 0 => return false,
            b'0'..=b'9' | b'-' | b'_' | b'.' => {}
            _ if byte.is_ascii_alphabetic() => has_letter = true,
            _ => return false,
        }
    }
    has_letter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArgsError, split};
    use proptest::prelude::*;

    /// The words passed over, and the options found, of a command line for a program with
    /// an option and a flag.
    fn parse(line: &str) -> (Vec<String>, Result<Option<String>, ArgsError>) {
        let mut args = Args::new(split(line).expect("the quotes are closed"));
        let greeting = args.optional("hello", "TEXT", "");
        let flag = args.flag("loud", "");
        let passed = args.pass_over();
        (passed, flag.and(args.finish()).and(greeting))
    }

    #[track_caller]
    fn assert_passes(line: &str, passed: &[&str], greeting: Option<&str>) {
        let (words, parsed) = parse(line);
        assert_eq!(words, passed, "{line}");
        assert_eq!(parsed, Ok(greeting.map(Into::into)), "{line}");
    }

    #[test]
    fn what_monitors_add_is_passed_over() {
        // Firecracker 1.13, with its own default and a root drive.
        assert_passes(
            "reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.dumbkbd --hello Ahoy \
             pci=off root=/dev/vda rw",
            &[
                "reboot=k",
                "panic=1",
                "nomodule",
                "8250.nr_uarts=0",
                "i8042.noaux",
                "i8042.dumbkbd",
                "pci=off",
                "root=/dev/vda",
                "rw",
            ],
            Some("Ahoy"),
        );
        assert_passes(
            r#"dyndbg="file a.c +p" --loud console=ttyS0,115200n8 --hello=a"#,
            &["dyndbg=file a.c +p", "console=ttyS0,115200n8"],
            Some("a"),
        );
    }

    #[test]
    fn values_are_the_programs() {
        assert_passes("--hello pci=off rw", &["rw"], Some("pci=off"));
        assert_passes("rw --hello rw", &["rw"], Some("rw"));
    }

    #[test]
    fn a_separator_ends_the_kernels_words() {
        assert_passes("quiet -- --hello Ahoy", &["quiet", "--"], Some("Ahoy"));
        assert_passes("--hello Ahoy --", &["--"], Some("Ahoy"));
        assert_passes("--hello Ahoy ro --", &["ro", "--"], Some("Ahoy"));
        for line in ["-- --hello Ahoy rw", "-- quiet", "-- --"] {
            assert!(
                matches!(parse(line).1, Err(ArgsError::Unknown { .. })),
                "{line}"
            );
        }
        // It is no value.
        assert!(parse("--hello -- there").1.is_err());
    }

    #[test]
    fn the_programs_own_arguments_stay_strict() {
        for line in [
            "--helo Ahoy",
            "--loud=yes",
            "-loud",
            "-",
            "10.9.0.2/24",
            "80",
            "/dev/vda",
            "=a",
            "a:b",
            "''",
        ] {
            assert!(parse(line).1.is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(words in prop::collection::vec("[-a.=1:]{0,4}", 0..8)) {
            let mut args = Args::new(words.clone());
            let passed = args.pass_over();
            prop_assert_eq!(passed.len() + args.words.len(), words.len());
            let after = words.iter().skip_while(|word| *word != SEPARATOR).skip(1);
            prop_assert!(args.words.ends_with(&after.cloned().collect::<Vec<_>>()));
        }
    }
}
