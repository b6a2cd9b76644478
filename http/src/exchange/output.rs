use crate::Status;
use crate::chunked;
use alloc::vec::Vec;

/// The head of an answer hardly takes more than so many bytes.
const HEAD: usize = 256;
/// The longest answer of a request on trial.
pub(crate) const SHORT: usize = 8 << 10;
/// Most short answers fit so many bytes.
pub(crate) const LITTLE: usize = 1 << 10;

/// How the answer's body is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    Chunked,
    UntilClose,
    /// Not at all, as for HEAD.
    Discard,
    /// Not at all, and the handler has come to writing it.
    Discarded,
}

/// The answer's side.
pub(super) struct Output {
    /// Bytes to be sent, earlier answers included.
    pub(super) buffer: Vec<u8>,
    pub(super) body: Body,
    /// Where the chunk that is being filled begins.
    pub(super) chunk: Option<usize>,
    pub(super) status: Option<Status>,
    pub(super) finished: bool,
    pub(super) keep_alive: bool,
    /// Bytes of the answer's body, for the log.
    pub(super) sent: u64,
}

impl Output {
    /// Makes room for a head in one piece, as a buffer that begins empty grows again and again.
    pub(super) fn reserve_head(&mut self) {
        if self.buffer.capacity() == 0 {
            let _ = self.buffer.try_reserve_exact(HEAD);
        }
    }

    /// Makes room for `wanted` bytes more, if the buffer then holds at most `most`. Returns how
    /// much room there is: less if memory is short.
    pub(super) fn reserve(&mut self, wanted: usize, most: usize) -> usize {
        let used = self.buffer.len();
        let wanted = wanted.min(most.saturating_sub(used));
        if self.buffer.capacity() - used < wanted {
            // At once as much as there may be: a buffer that doubles leaves holes behind.
            let whole = if used + wanted > LITTLE { most } else { LITTLE };
            let _ = self
                .buffer
                .try_reserve_exact(whole.min(most).max(used + wanted) - used);
        }
        wanted.min(self.buffer.capacity() - used)
    }

    /// How many bytes more the chunk can tell that is being filled, or the next one.
    pub(super) fn chunk_space(&self) -> usize {
        let data = |start| start + chunked::SIZE_LINE.len();
        let used = self
            .chunk
            .map_or(0, |start| self.buffer.len() - data(start));
        chunked::MAX_CHUNK - used
    }

    pub(super) fn close_chunk(&mut self) {
        if let Some(start) = self.chunk.take() {
            let data = start + chunked::SIZE_LINE.len();
            let size = self.buffer.len() - data;
            chunked::fill_size(&mut self.buffer[start..data], size);
            self.buffer.extend_from_slice(b"\r\n");
        }
    }

    pub(super) fn count(&mut self, length: usize) {
        self.sent += length as u64;
        if let Body::Length(left) = &mut self.body {
            *left = left.saturating_sub(length as u64);
        }
    }
}
