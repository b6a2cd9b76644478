//! The end of a message's body, found without keeping the body.

use crate::Error;
use crate::chunked;
use crate::head::Framing;

/// Takes a body out of the bytes of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decoder {
    /// So many bytes are to come.
    Length(u64),
    /// More chunks are to come. The number is how much data may still come.
    Chunked(chunked::Decoder, u64),
    /// All until the peer closes (RFC 9112, section 6.3, answers only).
    UntilClose(u64),
}

impl Decoder {
    /// A body that is over.
    pub(crate) const DONE: Self = Self::Length(0);

    /// `limit` bounds the data of a body whose length is not known from the start.
    pub(crate) const fn new(framing: Framing, limit: u64) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(chunked::Decoder::new(), limit),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(decoder, _) => decoder.is_done(),
            Self::UntilClose(_) => false,
        }
    }

    /// Takes at most `max` bytes of data. Returns how many bytes of the input to skip
    /// and how many bytes of data follow them. No data means that the body is done, or
    /// that more input is needed.
    ///
    /// # Errors
    /// [`Error::BadBody`] and [`Error::BodyTooLarge`].
    pub(crate) fn take(&mut self, input: &[u8], max: usize) -> Result<(usize, usize), Error> {
        match self {
            Self::Length(left) => {
                let length = (input.len().min(max) as u64).min(*left);
                *left -= length;
                Ok((0, length as usize))
            }
            Self::Chunked(decoder, left) => {
                let (skip, length) = decoder.next(input)?;
                let length = length.min(max);
                if length > 0 {
                    decoder.take(length);
                    *left = left.checked_sub(length as u64).ok_or(Error::BodyTooLarge)?;
                }
                Ok((skip, length))
            }
            Self::UntilClose(left) => {
                let length = input.len().min(max);
                *left = left.checked_sub(length as u64).ok_or(Error::BodyTooLarge)?;
                Ok((0, length))
            }
        }
    }
}
