//! Remembers the end of what a console shows.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much of a console is remembered, in bytes.
const BYTES: usize = 64 * 1024;

/// The last bytes of a console. All clones are one.
#[derive(Clone, Default)]
pub struct Tail {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    /// There was more in front of it.
    is_cut: bool,
}

impl Tail {
    /// The last `count` lines at most, without line ends. A line of which the start is no longer
    /// known is left out.
    pub fn lines(&self, count: usize) -> Vec<String> {
        let kept = self.kept();
        let bytes: Vec<u8> = kept.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().skip(usize::from(kept.is_cut));
        let lines: Vec<&str> = lines.collect();
        let last = lines.len().saturating_sub(count);
        lines[last..].iter().map(|line| line.to_string()).collect()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept();
        kept.bytes.extend(bytes);
        let excess = kept.bytes.len().saturating_sub(BYTES);
        kept.bytes.drain(..excess);
        kept.is_cut |= excess > 0;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whatever went wrong elsewhere, the bytes are whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to `output`, and remembers what was written.
pub struct Recorder<Output> {
    output: Output,
    tail: Tail,
}

impl<Output> Recorder<Output> {
    /// A writer to `output` whose end is in `tail`.
    pub fn new(output: Output, tail: Tail) -> Self {
        Self { output, tail }
    }
}

impl<Output: Write> Write for Recorder<Output> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.tail.push(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::{BYTES, Recorder, Tail};

    #[test]
    fn the_last_lines_are_remembered() {
        let tail = Tail::default();
        let mut output = Vec::new();
        let mut recorder = Recorder::new(&mut output, tail.clone());
        recorder.write_all(b"one\r\ntwo\nth").unwrap();
        recorder.write_all(b"ree").unwrap();
        assert_eq!(tail.lines(2), ["two", "three"]);
        assert_eq!(tail.lines(9), ["one", "two", "three"]);
        assert!(tail.lines(0).is_empty());
        assert_eq!(output, b"one\r\ntwo\nthree");
    }

    #[test]
    fn a_line_without_start_is_left_out() {
        let tail = Tail::default();
        tail.push(&[b'x'; BYTES]);
        tail.push(b"\nend\n");
        assert_eq!(tail.lines(9), ["end"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn memory_is_bounded(sizes in prop::collection::vec(0..BYTES * 2, 0..5)) {
            let tail = Tail::default();
            for size in sizes {
                tail.push(&vec![b'\n'; size]);
                prop_assert!(tail.kept().bytes.len() <= BYTES);
                prop_assert!(tail.lines(7).len() <= 7);
            }
        }
    }
}
