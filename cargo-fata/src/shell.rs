//! Commands as a user can paste them into a shell.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Joins words into a line that a POSIX shell splits into the same words.
pub fn line<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| quoted(&word.as_ref().to_string_lossy()))
        .collect();
    words.join(" ")
}

/// The line that starts a program.
pub fn command(program: &Path, arguments: &[OsString]) -> String {
    line(
        [program.as_os_str()]
            .into_iter()
            .chain(arguments.iter().map(OsString::as_os_str)),
    )
}

/// The word as a shell reads it. GRUB's script language quotes in the same way.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::line;

    #[test]
    fn only_special_words_are_quoted() {
        assert_eq!(
            line(["qemu", "-m", "32M", "two words", "it's", "$HOME", ""]),
            r"qemu -m 32M 'two words' 'it'\''s' '$HOME' ''"
        );
    }

    proptest! {
        #[test]
        fn a_shell_gives_the_words_back(words in prop::collection::vec("[^\0]*", 0..8)) {
            prop_assert_eq!(fata_boot::split(&line(&words)), Ok(words));
        }
    }
}
