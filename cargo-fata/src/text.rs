//! Text from elsewhere, made safe to show.

use std::fmt::{self, Write};

/// Shows text on one line, its control characters escaped: they could move a terminal's cursor or
/// change its title.
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\t' => f.write_char(c),
            _ if c.is_control() => write!(f, "{}", c.escape_default()),
            _ => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Printable;

    #[test]
    fn control_characters_lose_their_power() {
        let text = "ünï\tcode \u{1b}]0;title\u{7}\r\n\u{9b}2J";
        let shown = Printable(text).to_string();
        assert_eq!(shown, "ünï\tcode \\u{1b}]0;title\\u{7}\\r\\n\\u{9b}2J");
    }
}
