use std::io::{PipeReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A program's output so far, collected by a thread as it comes.
#[derive(Clone)]
pub struct Output {
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    /// Collects from `pipe` until its end.
    pub fn collect(mut pipe: PipeReader) -> Self {
        let output = Self {
            shared: Arc::new(Shared {
                seen: Mutex::default(),
                changed: Condvar::new(),
            }),
        };
        let writer = output.clone();
        thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut seen = writer.seen();
                seen.bytes.extend_from_slice(&buffer[..count]);
                seen.ended = count == 0;
                writer.shared.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        output
    }

    /// Waits until `wanted` accepts the text, the program's output ends, or time is up. Returns
    /// the text, and whether it was accepted.
    pub fn wait(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> (String, bool) {
        let deadline = Instant::now() + limit;
        let mut seen = self.seen();
        loop {
            let text = String::from_utf8_lossy(&seen.bytes).into_owned();
            let left = deadline.saturating_duration_since(Instant::now());
            let accepted = wanted(&text);
            if accepted || seen.ended || left.is_zero() {
                return (text, accepted);
            }
            seen = self
                .shared
                .changed
                .wait_timeout(seen, left)
                .expect("the collecting thread does not panic")
                .0;
        }
    }

    /// The text so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen().bytes).into_owned()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared
            .seen
            .lock()
            .expect("the collecting thread does not panic")
    }
}
