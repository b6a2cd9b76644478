//! The chunked coding (RFC 9112, section 7.1).

use crate::Error;
use crate::syntax::{is_token_byte, is_value_byte};

/// Most bytes of all chunk extensions of a body together. Nobody uses them.
const MAX_EXTENSIONS: usize = 4096;
/// Most bytes of a trailer section, which is read and dropped.
const MAX_TRAILERS: usize = 8192;
/// Most digits of a chunk's size, leading zeros included.
const MAX_DIGITS: u8 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a chunk's size.
    Size,
    /// Behind the `;` of a size.
    Extension,
    /// Behind the CR of a size's line.
    SizeEnd,
    /// In a chunk's data.
    Data,
    /// Behind the data.
    DataEnd,
    /// Behind the CR that follows the data.
    DataLineFeed,
    /// At the start of a line behind the last chunk.
    TrailerLine,
    TrailerName,
    TrailerValue,
    /// Behind the CR of a trailer.
    TrailerEnd,
    /// Behind the CR of the empty line.
    LastLineFeed,
    Done,
}

/// Decodes the chunked coding, from input that comes in any pieces. Keeps no input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// The rest of the chunk, in bytes.
    size: u64,
    digits: u8,
    extensions: usize,
    trailers: usize,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Size,
            size: 0,
            digits: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Passes over what is not data. Returns how many bytes that is, and how many bytes
    /// of data follow in the input; both are zero at most if more input is needed, or
    /// the coding is done.
    ///
    /// # Errors
    /// [`Error::BadBody`].
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<(usize, usize), Error> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Done => break,
                State::Data => {
                    let available = (input.len() - at) as u64;
                    return Ok((at, self.size.min(available) as usize));
                }
                _ => self.step(byte)?,
            }
            at += 1;
        }
        Ok((at, 0))
    }

    /// Notes that so much of the data was taken.
    pub(crate) fn take(&mut self, length: usize) {
        self.size = self.size.saturating_sub(length as u64);
        if self.size == 0 {
            self.state = State::DataEnd;
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), Error> {
        self.state = match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, _) => self.size_digit(byte)?,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, _) if is_value_byte(byte) => {
                self.extensions += 1;
                below(self.extensions, MAX_EXTENSIONS)?;
                State::Extension
            }
            (State::SizeEnd, b'\n') if self.size == 0 => State::TrailerLine,
            (State::SizeEnd, b'\n') => State::Data,
            (State::DataEnd, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => {
                self.digits = 0;
                State::Size
            }
            (State::LastLineFeed, b'\n') => State::Done,
            _ => self.trailer(byte)?,
        };
        Ok(())
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, Error> {
        let digit = char::from(byte).to_digit(16).ok_or(Error::BadBody)?;
        self.digits += 1;
        if self.digits > MAX_DIGITS {
            return Err(Error::BadBody);
        }
        self.size = self.size << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Error> {
        self.trailers += 1;
        below(self.trailers, MAX_TRAILERS)?;
        match (self.state, byte) {
            (State::TrailerLine, b'\r') => Ok(State::LastLineFeed),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerLine | State::TrailerName, _) if is_token_byte(byte) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, _) if is_value_byte(byte) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerLine),
            _ => Err(Error::BadBody),
        }
    }
}

fn below(count: usize, limit: usize) -> Result<(), Error> {
    if count > limit {
        Err(Error::BadBody)
    } else {
        Ok(())
    }
}

/// The bytes before a chunk's data: four digits of its size, and the line's end. Leading
/// zeros are allowed, so that the size can be filled in when it is known.
pub(crate) const SIZE_LINE: &[u8; 6] = b"0000\r\n";
/// The largest chunk that four digits can tell.
pub(crate) const MAX_CHUNK: usize = 0xFFFF;

/// Fills in a chunk's size. `size` is at most [`MAX_CHUNK`].
pub(crate) fn fill_size(line: &mut [u8], size: usize) {
    for (index, digit) in line.iter_mut().take(4).enumerate() {
        *digit = b"0123456789abcdef"[size >> (12 - 4 * index) & 0xF];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Decodes pieces of `step` bytes. Returns the data and how much input was taken.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), Error> {
        let mut decoder = Decoder::new();
        let mut data = Vec::new();
        let mut at = 0;
        for end in (0..input.len())
            .map(|end| end + 1)
            .filter(|end| end % step == 0 || *end == input.len())
        {
            while at < end && !decoder.is_done() {
                let (skip, length) = decoder.next(&input[at..end])?;
                data.extend_from_slice(&input[at + skip..at + skip + length]);
                if length > 0 {
                    decoder.take(length);
                }
                at += skip + length;
            }
        }
        Ok((data, at, decoder.is_done()))
    }

    #[test]
    fn decodes_in_any_pieces() {
        let coded = b"5\r\nhello\r\n00007;a=\"b\"\r\n, world\r\n0\r\nX-T: y\r\nZ:\r\n\r\nNEXT";
        for step in 1..coded.len() {
            let (data, taken, done) = decode(coded, step).unwrap();
            assert_eq!(data, b"hello, world");
            assert!(done);
            assert_eq!(&coded[taken..], b"NEXT");
        }
    }

    #[test]
    fn refuses_malformed() {
        for bad in [
            &b"\r\n"[..],
            b" 5\r\n",
            b"5 \r\n",
            b"5\n",
            b"+5\r\n",
            b"-5\r\n",
            b"0x5\r\n",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"g\r\n",
            b"00000000000000005\r\n",
            b"5;\x00\r\n",
            b";a\r\n",
            b"0\r\nX Y: z\r\n",
            b"0\r\n X: y\r\n",
            b"0\r\n\n",
            b"0\r\nX: \x01\r\n",
            b"5\r\r\n",
            b"0\r\n\rX",
            b"0\r\n: x\r\n",
        ] {
            assert_eq!(
                decode(bad, 1),
                Err(Error::BadBody),
                "{}",
                bad.escape_ascii()
            );
        }
    }

    #[test]
    fn bounds_extensions_and_trailers() {
        let mut coded = Vec::from(&b"1;"[..]);
        coded.resize(MAX_EXTENSIONS + 3, b'x');
        assert_eq!(decode(&coded, 100), Err(Error::BadBody));
        let mut coded = Vec::from(&b"0\r\nX:"[..]);
        coded.resize(MAX_TRAILERS + 6, b'x');
        assert_eq!(decode(&coded, 100), Err(Error::BadBody));
    }

    #[test]
    fn sizes() {
        let mut line = *SIZE_LINE;
        fill_size(&mut line, 0xA3F);
        assert_eq!(&line, b"0a3f\r\n");
        fill_size(&mut line, MAX_CHUNK);
        assert_eq!(&line, b"ffff\r\n");
    }
}
