//! CONSOLE of a virtual machine: the first serial line.

use super::interrupts::{self, Interrupt};
use super::{Idler, apic};
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;
use fata_console::Uart;

/// The serial line's input of the I/O APIC.
const COM1_PIN: u32 = 4;

/// The serial line. Clones are the same line; one task at a time should read from it.
#[derive(Clone)]
pub struct Console {
    /// Raised when a byte has come in. Without one, input is not possible.
    interrupt: Option<Interrupt>,
}

/// Writes all of `bytes`, without the heap or a lock.
pub(crate) fn write(bytes: &[u8]) {
    Uart.write(bytes);
}

/// The serial line, for the formatting of reports.
pub(super) struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}

pub(crate) fn open(_: &Idler) -> Console {
    let interrupt = interrupts::allocate().inspect(|interrupt| apic::route(COM1_PIN, *interrupt));
    Console { interrupt }
}

impl fata_console::Console for Console {
    fn write(&self, bytes: &[u8]) {
        write(bytes);
    }

    async fn read(&self, buffer: &mut [u8]) -> usize {
        let Some(interrupt) = self.interrupt else {
            return 0;
        };
        Uart.enable_receive_interrupt();
        poll_fn(|context| {
            loop {
                let count = Uart.read(buffer);
                if count > 0 || buffer.is_empty() {
                    return Poll::Ready(count);
                }
                // A byte may have come since the look: the interrupt was raised then.
                if interrupt.event.poll_wait(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}
