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
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        if character.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match character {
            '\'' | '"' => quoted(character, &mut rest, word)?,
            '\\' => word.push(rest.next().ok_or(ArgsError::Unbalanced)?),
            _ => word.push(character),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads on to the closing `quote`.
fn quoted(
    quote: char,
    rest: &mut core::str::Chars<'_>,
    word: &mut String,
) -> Result<(), ArgsError> {
    loop {
        let character = rest.next().ok_or(ArgsError::Unbalanced)?;
        if character == quote {
            return Ok(());
        }
        let escapable = quote == '"' && character == '\\' && rest.as_str().starts_with(['"', '\\']);
        let next = if escapable { rest.next() } else { None };
        word.push(next.unwrap_or(character));
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
