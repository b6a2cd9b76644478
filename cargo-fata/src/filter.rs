//! Passes the guest's console through, and says more about the addresses in backtraces.

use std::io::{self, Write};

/// Start of a line with a return address, as fata-boot prints it.
const RETURN_ADDRESS: &[u8] = b"  at 0x";

/// Start of a line with the address of an instruction that failed.
const INSTRUCTION: &[u8] = b"  ip 0x";

/// Hexadecimal digits of an address.
const DIGITS: usize = 16;

/// Length of a line with an address; nothing longer is remembered.
const LINE_LENGTH: usize = RETURN_ADDRESS.len() + DIGITS;

/// Copies bytes to `output`; behind a line that is nothing but an address comes what `describe`
/// knows about the instruction there.
pub struct Filter<Output, Describe> {
    output: Output,
    describe: Describe,
    /// The current line so far, cut off one byte after [`LINE_LENGTH`].
    line: Vec<u8>,
    /// A carriage return is held back, because the description has to come before it.
    carriage_return: bool,
    /// Bytes that go out at the end of `write`; kept for its memory.
    ready: Vec<u8>,
}

impl<Output, Describe> Filter<Output, Describe>
where
    Output: Write,
    Describe: FnMut(u64) -> Vec<String>,
{
    /// A filter at the start of a line. `describe` returns the frames at an address, innermost
    /// first, without line ends; none if it knows nothing.
    pub fn new(output: Output, describe: Describe) -> Self {
        Self {
            output,
            describe,
            line: Vec::with_capacity(LINE_LENGTH + 1),
            carriage_return: false,
            ready: Vec::new(),
        }
    }

    /// Takes what the guest wrote, and writes it at once, unfinished lines too.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            self.take(byte);
        }
        self.send()
    }

    /// Writes what was held back, at the end of the guest's output.
    pub fn finish(mut self) -> io::Result<()> {
        self.release_carriage_return();
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        self.output.write_all(&self.ready)?;
        self.ready.clear();
        self.output.flush()
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            b'\r' if !self.carriage_return && address(&self.line).is_some() => {
                self.carriage_return = true
            }
            _ => {
                self.release_carriage_return();
                self.ready.push(byte);
                if self.line.len() <= LINE_LENGTH {
                    self.line.push(byte);
                }
            }
        }
    }

    fn end_line(&mut self) {
        let end: &[u8] = if self.carriage_return { b"\r\n" } else { b"\n" };
        self.carriage_return = false;
        let frames = address(&self.line)
            .map(&mut self.describe)
            .unwrap_or_default();
        for (index, frame) in frames.iter().enumerate() {
            let lead: &[u8] = if index == 0 {
                b" "
            } else {
                b"     inlined into "
            };
            self.ready
                .extend_from_slice(if index == 0 { b"" } else { end });
            self.ready.extend_from_slice(lead);
            self.ready.extend_from_slice(frame.as_bytes());
        }
        self.ready.extend_from_slice(end);
        self.line.clear();
    }

    fn release_carriage_return(&mut self) {
        if self.carriage_return {
            self.carriage_return = false;
            self.ready.push(b'\r');
            // Whatever follows, the line holds more than an address now.
            self.line.resize(LINE_LENGTH + 1, b'\r');
        }
    }
}

/// The instruction that a line is about, if the line is nothing but an address.
fn address(line: &[u8]) -> Option<u64> {
    let number = |digits: &[u8]| {
        let is_address = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = is_address.then(|| str::from_utf8(digits).ok()).flatten()?;
        u64::from_str_radix(digits, 16).ok()
    };
    match line.strip_prefix(RETURN_ADDRESS) {
        // The call is before the address to which it returns, maybe in another source line.
        Some(digits) => number(digits)?.checked_sub(1),
        None => number(line.strip_prefix(INSTRUCTION)?),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Filter;

    /// Filters `pieces`, with frames that name the address.
    fn filtered(pieces: &[&[u8]]) -> String {
        let mut output = Vec::new();
        let mut filter = Filter::new(&mut output, |address| match address {
            0 => Vec::new(),
            _ => vec![format!("f{address:x}"), "outer".into()],
        });
        for piece in pieces {
            filter.write(piece).unwrap();
        }
        filter.finish().unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn describes_addresses() {
        assert_eq!(
            filtered(&[b"panic\r\n  at 0x0000000000101234\r\nend"]),
            "panic\r\n  at 0x0000000000101234 f101233\r\n     inlined into outer\r\nend",
        );
        assert_eq!(
            filtered(&[b"  ip 0x", b"00000000001", b"01234", b"\n"]),
            "  ip 0x0000000000101234 f101234\n     inlined into outer\n",
        );
    }

    #[test]
    fn leaves_everything_else_alone() {
        for text in [
            "  at 0x0000000000101234",
            "  at 0x0000000000101234 \n",
            "  at 0x0000000000101234\r\r\n",
            "  at 0x0000000000101234\rx\n",
            "  at 0x000000000010123g\n",
            "  at 0x+000000000101234\n",
            "  at 0x101234\n",
            " at 0x0000000000101234\n",
            "x  at 0x0000000000101234\n",
            // Unknown, and the caller of nothing.
            "  ip 0x0000000000000000\r\n",
            "  at 0x0000000000000000\r\n",
        ] {
            assert_eq!(filtered(&[text.as_bytes()]), text);
        }
    }

    #[test]
    fn unfinished_lines_appear_at_once() {
        let mut output = Vec::new();
        let mut filter = Filter::new(&mut output, |_| Vec::new());
        filter.write(b"login: ").unwrap();
        drop(filter);
        assert_eq!(output, b"login: ");
    }

    proptest! {
        #[test]
        fn garbage_passes_in_bounded_memory(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let mut output = Vec::new();
            let mut filter = Filter::new(&mut output, |_| Vec::new());
            for piece in &pieces {
                filter.write(piece).unwrap();
                prop_assert!(filter.line.len() <= super::LINE_LENGTH + 1);
                prop_assert!(filter.ready.is_empty());
            }
            filter.finish().unwrap();
            prop_assert_eq!(output, pieces.concat());
        }
    }
}
