use core::fmt;

/// How long a line of the log can be, in bytes. What exceeds it is cut off.
const LENGTH: usize = 1024;
const CUT: &[u8] = b"...\n";

/// A line of the log while it is put together, on the stack, so that logging needs no
/// heap and a line reaches the console in one write.
pub(crate) struct Line {
    bytes: [u8; LENGTH],
    length: usize,
    cut: bool,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; LENGTH],
            length: 0,
            cut: false,
        }
    }

    /// Ends the line and hands it out.
    pub(crate) fn finish(&mut self) -> &[u8] {
        let end: &[u8] = if self.cut { CUT } else { b"\n" };
        self.bytes[self.length..][..end.len()].copy_from_slice(end);
        self.length += end.len();
        &self.bytes[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = LENGTH - CUT.len() - self.length;
        self.cut |= bytes.len() > room;
        if !self.cut {
            self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    /// Takes as much of `text` as there is room for, in whole characters.
    fn push_text(&mut self, text: &str) {
        let room = LENGTH - CUT.len() - self.length;
        let fitting = text.floor_char_boundary(room);
        self.push(&text.as_bytes()[..fitting]);
        self.cut |= fitting < text.len();
    }

    /// Writes a control character as an escape, so that a message can neither forge
    /// lines nor drive the terminal.
    fn push_escaped(&mut self, character: char) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let code = character as u32 as usize;
        match character {
            '\n' => self.push(b"\\n"),
            '\r' => self.push(b"\\r"),
            '\t' => self.push(b"\t"),
            _ => self.push(&[b'\\', b'x', DIGITS[code >> 4 & 15], DIGITS[code & 15]]),
        }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Pieces that end in a control character, or in the end of the text.
        for piece in text.split_inclusive(is_control) {
            match piece.chars().next_back().filter(|last| is_control(*last)) {
                Some(control) => {
                    self.push_text(piece.strip_suffix(control).unwrap_or_default());
                    self.push_escaped(control);
                }
                None => self.push_text(piece),
            }
        }
        Ok(())
    }
}

/// The control characters of ASCII and of Latin-1: U+0000 to U+001F, U+007F to U+009F.
fn is_control(character: char) -> bool {
    matches!(character, '\0'..='\x1f' | '\x7f'..='\u{9f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    use proptest::prelude::*;

    #[test]
    fn control_characters_are_escaped() {
        let mut line = Line::new();
        line.write_str("a\nb\r\tc\x1b[2J\u{9b}é").unwrap();
        assert_eq!(line.finish(), "a\\nb\\r\tc\\x1b[2J\\x9bé\n".as_bytes());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut line = Line::new();
        for _ in 0..LENGTH {
            line.write_str("é!").unwrap();
        }
        let text = core::str::from_utf8(line.finish()).unwrap();
        assert!(text.len() <= LENGTH && text.len() > LENGTH - 8);
        assert!(text.ends_with("...\n"));
    }

    proptest! {
        #[test]
        fn always_one_bounded_line(pieces in prop::collection::vec("(?s).{0,300}", 0..12)) {
            let mut line = Line::new();
            for piece in &pieces {
                line.write_str(piece).unwrap();
            }
            let text = core::str::from_utf8(line.finish()).unwrap();
            prop_assert!(text.len() <= LENGTH);
            prop_assert_eq!(text.find('\n'), Some(text.len() - 1));
        }
    }
}
