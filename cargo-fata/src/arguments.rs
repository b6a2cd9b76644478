//! Packs the program's arguments into the one string that a boot loader hands over.

/// Joins `arguments` so that `fata_boot::split` gives them back, as a shell would: words that hold
/// blanks, quotes or backslashes, and empty words, go between double quotes, in which a backslash
/// takes the special meaning from `"` and `\`.
pub fn join(arguments: &[String]) -> String {
    let mut line = String::new();
    for argument in arguments {
        if !line.is_empty() {
            line.push(' ');
        }
        push_quoted(&mut line, argument);
    }
    line
}

fn push_quoted(line: &mut String, argument: &str) {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\');
    if !argument.is_empty() && !argument.contains(special) {
        line.push_str(argument);
        return;
    }
    line.push('"');
    for c in argument.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::join;

    #[test]
    fn plain_words_stay_as_they_are() {
        let words = ["--port", "8080", "--ipv4=10.0.0.2/24"].map(String::from);
        assert_eq!(join(&words), "--port 8080 --ipv4=10.0.0.2/24");
    }

    #[test]
    fn special_words_are_quoted() {
        let words = ["--hello", "two words", "", r#"a"b\c"#, "it's"].map(String::from);
        assert_eq!(join(&words), r#"--hello "two words" "" "a\"b\\c" "it's""#);
    }

    proptest! {
        #[test]
        fn splitting_gives_the_words_back(words in prop::collection::vec("[^\0]*", 0..8)) {
            prop_assert_eq!(fata_boot::split(&join(&words)), Ok(words));
        }
    }
}
