//! The first serial line: a 16550 UART (Texas Instruments PC16550D).

use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::instructions::port::Port;

const COM1: u16 = 0x3f8;
const DATA: u16 = COM1;
const INTERRUPT_ENABLE: u16 = COM1 + 1;
const FIFO_CONTROL: u16 = COM1 + 2;
const LINE_CONTROL: u16 = COM1 + 3;
const MODEM_CONTROL: u16 = COM1 + 4;
const LINE_STATUS: u16 = COM1 + 5;

const RECEIVED_DATA_AVAILABLE: u8 = 0x01;
/// FIFOs on and cleared, an interrupt at 14 bytes or after a pause.
const FIFOS: u8 = 0xc7;
const DIVISOR_LATCH: u8 = 0x80;
const EIGHT_BITS_NO_PARITY: u8 = 0x03;
/// Data terminal ready, request to send, and OUT2, which lets interrupts through.
const MODEM_READY: u8 = 0x0b;
const DATA_READY: u8 = 0x01;
const TRANSMITTER_EMPTY: u8 = 0x20;
/// 115,200 baud.
const DIVISOR: u8 = 1;
/// The transmitter takes so many bytes when it is empty.
const FIFO_SIZE: usize = 16;
/// A byte takes under 100 µs to leave, if somebody reads. A line that takes so many looks,
/// about a second, is stuck.
const PATIENCE: u32 = 1_000_000;

/// True if the line is stuck: until it takes bytes again, nobody waits for it.
static STUCK: AtomicBool = AtomicBool::new(false);

/// The serial line at port 0x3f8, 115,200 baud, eight bits, no parity.
///
/// It needs neither heap nor lock, so panics and traps can use it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uart;

fn read(port: u16) -> u8 {
    // SAFETY: the port belongs to the serial line; where there is none, it reads as 0xff.
    unsafe { Port::new(port).read() }
}

fn write(port: u16, value: u8) {
    // SAFETY: the port belongs to the serial line; where there is none, nothing happens.
    unsafe { Port::new(port).write(value) }
}

impl Uart {
    /// Sets speed and format, with interrupts off.
    ///
    /// # Safety
    /// Bare metal only: it writes to I/O ports.
    pub unsafe fn init() {
        write(INTERRUPT_ENABLE, 0);
        write(LINE_CONTROL, DIVISOR_LATCH);
        write(DATA, DIVISOR);
        write(INTERRUPT_ENABLE, 0);
        write(LINE_CONTROL, EIGHT_BITS_NO_PARITY);
        write(FIFO_CONTROL, FIFOS);
        write(MODEM_CONTROL, MODEM_READY);
    }

    /// Writes all of `bytes`, a carriage return before each line feed. Waits for the line
    /// as long as bytes leave it; what a stuck line does not take is lost.
    pub fn write(&self, bytes: &[u8]) {
        let mut room = 0;
        for &byte in bytes {
            let carriage_return = (byte == b'\n').then_some(b'\r');
            for byte in carriage_return.into_iter().chain([byte]) {
                if room == 0 {
                    if !self.wait_until_empty() {
                        return;
                    }
                    room = FIFO_SIZE;
                }
                write(DATA, byte);
                room -= 1;
            }
        }
    }

    /// Returns whether the line has taken what it was given. A line that was stuck is
    /// asked once.
    fn wait_until_empty(&self) -> bool {
        let tries = if STUCK.load(Ordering::Relaxed) {
            1
        } else {
            PATIENCE
        };
        let is_empty = (0..tries).any(|_| {
            core::hint::spin_loop();
            read(LINE_STATUS) & TRANSMITTER_EMPTY != 0
        });
        STUCK.store(!is_empty, Ordering::Relaxed);
        is_empty
    }

    /// Lets the line raise its interrupt when bytes have come in.
    pub fn enable_receive_interrupt(&self) {
        write(INTERRUPT_ENABLE, RECEIVED_DATA_AVAILABLE);
    }

    /// Reads what has come in, at most a buffer full. Returns how many bytes.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        for slot in buffer {
            // Where there is no line, all bits are set, those of errors too.
            let status = read(LINE_STATUS);
            if status & DATA_READY == 0 || status == 0xff {
                break;
            }
            *slot = read(DATA);
            count += 1;
        }
        count
    }
}
