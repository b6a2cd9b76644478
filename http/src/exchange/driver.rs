//! The driver's side.

use super::output::Body;
use super::{Exchange, LITTLE, Need, WATCH};
use crate::body::Decoder;
use crate::{Error, Status};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

impl Exchange<'_> {
    /// The need of the handler. Its output goes out first, so that a client that answers
    /// to it is not kept waiting.
    pub(crate) fn need(&self) -> Option<Need> {
        let input = self.input.borrow();
        let output = self.output.borrow();
        let watches = input.is_watching(self.service.limits.body_buffer);
        if matches!(output.body, Body::Discarded) {
            Some(Need::End)
        } else if self.trial.get() {
            (self.blocked.get() || input.wanted || watches).then_some(Need::Room)
        } else if !output.buffer.is_empty() {
            Some(Need::Write)
        } else if input.wanted {
            Some(Need::Read)
        } else if watches {
            Some(Need::Watch)
        } else {
            None
        }
    }

    /// The request may take long from here on.
    pub(crate) fn end_trial(&self) {
        self.trial.set(false);
    }

    /// True once some of the answer may have been sent.
    pub(crate) fn has_begun(&self) -> bool {
        self.status().is_some() && !self.trial.get()
    }

    /// Takes the answer back, of which nothing was sent while the request is on trial.
    pub(crate) fn take_back(&self) {
        self.output.borrow_mut().buffer.clear();
        self.reset_output(false);
    }

    /// How long input may take that is waited for.
    pub(crate) fn patience(&self, need: Need) -> Option<Duration> {
        (need == Need::Read).then_some(self.service.limits.body_timeout)
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.output.borrow().buffer.is_empty()
    }

    /// True once so many answers have gathered that they should leave.
    pub(crate) fn is_output_full(&self) -> bool {
        self.output.borrow().buffer.len() >= self.service.limits.write_buffer
    }

    /// Takes what is to be sent. Give the vector back to [`sent`](Self::sent).
    pub(crate) fn take_output(&self) -> Vec<u8> {
        let mut output = self.output.borrow_mut();
        output.close_chunk();
        mem::take(&mut output.buffer)
    }

    /// The output was sent; its buffer is used again.
    pub(crate) fn sent(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut output = self.output.borrow_mut();
        if output.buffer.is_empty() {
            output.buffer = buffer;
        }
        drop(output);
        self.blocked.set(false);
        self.wake();
    }

    /// Takes the buffer for input, and from where on to fill it. Give it back to
    /// [`received`](Self::received) or [`not_received`](Self::not_received).
    pub(crate) fn take_input(&self, need: Need) -> (Vec<u8>, usize) {
        let input = &mut *self.input.borrow_mut();
        if need == Need::Read {
            debug_assert_eq!(input.start, input.end, "the decoder has taken all of it");
            (input.start, input.end) = (0, 0);
        }
        let least = match need {
            Need::Watch => input.end + WATCH,
            _ => self.service.limits.body_buffer,
        };
        let mut buffer = mem::take(&mut input.buffer);
        if buffer.len() < least {
            // Less will do, if memory is short.
            let missing = least - buffer.len();
            let found = buffer.try_reserve_exact(missing).is_ok();
            let length = if found { least } else { input.end + WATCH };
            buffer.resize(length, 0);
        }
        (buffer, input.end)
    }

    /// `length` bytes more of input were read, or reading has failed.
    pub(crate) fn received(&self, buffer: Vec<u8>, length: Result<usize, Error>) {
        let mut input = self.input.borrow_mut();
        input.buffer = buffer;
        input.wanted = false;
        match length {
            Ok(length) => input.end += length,
            Err(_) if input.decoder.is_done() => input.closed = true,
            Err(error) => input.failed = Some(error),
        }
        drop(input);
        self.wake();
    }

    /// Reading was broken off because the handler wants something else.
    pub(crate) fn not_received(&self, buffer: Vec<u8>) {
        self.input.borrow_mut().buffer = buffer;
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Drops what has arrived of the body. Returns whether that is all of it.
    ///
    /// # Errors
    /// As for reading the body.
    pub(crate) fn discard_input(&self) -> Result<bool, Error> {
        let input = &mut *self.input.borrow_mut();
        while !input.take(usize::MAX)?.is_empty() {}
        Ok(input.decoder.is_done())
    }

    /// True once the body is over, so that another request may follow.
    pub(crate) fn is_input_done(&self) -> bool {
        let input = self.input.borrow();
        input.decoder.is_done() && input.failed.is_none()
    }

    /// True if the rest of the body may be read and dropped, so that another request
    /// may follow: it is short, and the client does not wait for leave to send it.
    pub(crate) fn is_input_drainable(&self) -> bool {
        let input = self.input.borrow();
        let is_short = match input.decoder {
            Decoder::Length(left) => left <= self.service.limits.linger as u64,
            _ => input.decoder.is_done(),
        };
        is_short && !input.continue_due && input.failed.is_none()
    }

    /// True if the buffer for answers is larger than short ones need.
    pub(crate) fn holds_much(&self) -> bool {
        self.output.borrow().buffer.capacity() > LITTLE
    }

    /// Gives the buffer for answers back if it is larger than `most`.
    pub(crate) fn shrink(&self, most: usize) {
        let buffer = &mut self.output.borrow_mut().buffer;
        if buffer.is_empty() && buffer.capacity() > most {
            *buffer = Vec::new();
        }
    }

    /// The connection ends after this answer.
    pub(crate) fn set_close(&self) {
        self.output.borrow_mut().keep_alive = false;
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        self.output.borrow().keep_alive
    }

    /// The status of the answer that was begun.
    pub(crate) fn status(&self) -> Option<Status> {
        self.output.borrow().status
    }

    /// True once the answer that was begun is complete.
    pub(crate) fn is_finished(&self) -> bool {
        self.output.borrow().finished
    }

    /// Bytes of the answer's body, for the log.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.output.borrow().sent
    }

    /// Appends what fits of the body of an answer that was opened with its length.
    /// Returns what does not fit; the caller sends that itself.
    pub(crate) fn append<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        let output = &mut *self.output.borrow_mut();
        if matches!(output.body, Body::Discard) {
            output.finished = true;
            return &[];
        }
        let room = output.reserve(body.len(), self.most_output());
        let (now, later) = body.split_at(room);
        output.buffer.extend_from_slice(now);
        output.count(body.len());
        output.finished = true;
        later
    }
}
