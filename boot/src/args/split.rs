use super::ArgsError;
use alloc::string::String;
use alloc::vec::Vec;

/// Splits a command line into words as a shell does.
///
/// White space separates words. Everything between single quotes stands for itself;
/// between double quotes a backslash makes the next `"` or `\` stand for itself; outside
/// of quotes a backslash does so for any character.
///
/// # Errors
/// [`ArgsError::Unbalanced`] if a quote is not closed or the line ends in a backslash.
pub fn split(line: &str) -> Result<Vec<String>, ArgsError> {
    let mut words = Vec::new();
    // `None` between words: an empty word in quotes is a word.
    let mut word: Option<Vec<u8>> = None;
    // Separators, quotes and escapes are ASCII, so it can be looked for byte by byte.
    let mut rest = line.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if byte.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match *byte {
            quote @ (b'\'' | b'"') => rest = quoted(quote, rest, word)?,
            b'\\' => {
                let (escaped, tail) = rest.split_first().ok_or(ArgsError::Unbalanced)?;
                word.push(*escaped);
                rest = tail;
            }
            byte => word.push(byte),
        }
    }
    words.extend(word);
    let texts = words.into_iter().map(String::from_utf8);
    texts
        .collect::<Result<_, _>>()
        .map_err(|_| ArgsError::NotText)
}

/// Reads on to the closing `quote`, and returns what follows it.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ArgsError> {
    loop {
        let (byte, tail) = match rest {
            [byte, tail @ ..] if *byte == quote => return Ok(tail),
            [b'\\', escaped @ (b'"' | b'\\'), tail @ ..] if quote == b'"' => (escaped, tail),
            [byte, tail @ ..] => (byte, tail),
            [] => return Err(ArgsError::Unbalanced),
        };
        word.push(*byte);
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_quotes_and_escapes() {
        for (line, words) in [
            ("", &[][..]),
            ("  a\tb \n c  ", &["a", "b", "c"]),
            (r#"--hello="a b" 'c "d"'e"#, &["--hello=a b", "c \"d\"e"]),
            (r#""" '' x"#, &["", "", "x"]),
            (r#"a\ b "\"\\\n" '\'"#, &["a b", "\"\\\\n", "\\"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        for line in ["'a", "\"a", "a\\", "\"\\\""] {
            assert_eq!(split(line), Err(ArgsError::Unbalanced), "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in prop::collection::vec(".*", 0..6)) {
            let single: Vec<String> = words
                .iter()
                .map(|word| alloc::format!("'{}'", word.replace('\'', r"'\''")))
                .collect();
            prop_assert_eq!(split(&single.join(" ")).unwrap(), &words[..]);
            let double: Vec<String> = words
                .iter()
                .map(|word| word.replace('\\', r"\\").replace('"', "\\\""))
                .map(|word| alloc::format!("\"{word}\""))
                .collect();
            prop_assert_eq!(split(&double.join("\n")).unwrap(), words);
        }

        #[test]
        fn never_panics(line in ".*") {
            let _ = split(&line);
        }
    }
}
