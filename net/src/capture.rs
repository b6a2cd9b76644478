//! Capture: an adapter that writes down the frames that pass.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use crate::{Counters, MacAddress, Net, Offload, Offloads, TransmitError};
use core::task::{Context, Poll};
use core::time::Duration;
use fata_task::Handle;

/// Says that times have nanoseconds, and in which order the bytes of numbers are (pcap-savefile(5)).
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// Where a [`Capture`] goes: a closure that takes bytes, or more.
pub trait CaptureSink {
    /// Takes the next bytes of the file.
    fn write(&mut self, bytes: &[u8]);

    /// Is called when no frame waits, a good moment to pass on what was buffered.
    fn flush(&mut self) {}
}

impl<F: FnMut(&[u8])> CaptureSink for F {
    fn write(&mut self, bytes: &[u8]) {
        self(bytes);
    }
}

/// A network device that writes the frames of both directions down, in the order in which they
/// pass, as a file of the classic pcap format, which tcpdump and Wireshark read.
///
/// A frame whose checksum is left to the device, or was left to it by a sender on the same host,
/// shows the sum of the pseudo-header in its place: turn checksum validation off to look at
/// it. A segment that the device is to cut or has merged is one long frame. Transmitted
/// frames are written when they are queued. Nothing is allocated for a frame.
///
/// Times are wall-clock times, or counted from the start where nothing tells those.
pub struct Capture<N: Net, S: CaptureSink> {
    device: N,
    tasks: Handle,
    file: File<S>,
}

struct File<S> {
    sink: S,
    snap_length: usize,
}

impl<S: CaptureSink> File<S> {
    fn begin(&mut self) {
        let [major, minor] = VERSION;
        let mut header = [0; 24];
        header[..4].copy_from_slice(&MAGIC.to_le_bytes());
        header[4..6].copy_from_slice(&major.to_le_bytes());
        header[6..8].copy_from_slice(&minor.to_le_bytes());
        // Eight bytes are reserved.
        header[16..20].copy_from_slice(&number(self.snap_length).to_le_bytes());
        header[20..].copy_from_slice(&ETHERNET.to_le_bytes());
        self.sink.write(&header);
    }

    fn record(&mut self, frame: &[u8], time: Duration) {
        let kept = &frame[..frame.len().min(self.snap_length)];
        let fields = [
            // The format's seconds have 32 bits, without a sign until 2106.
            time.as_secs() as u32,
            time.subsec_nanos(),
            number(kept.len()),
            number(frame.len()),
        ];
        let mut header = [0; 16];
        for (place, field) in header.as_chunks_mut().0.iter_mut().zip(fields) {
            *place = field.to_le_bytes();
        }
        self.sink.write(&header);
        self.sink.write(kept);
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn time(tasks: &Handle) -> Duration {
    let wall = tasks.wall();
    wall.unwrap_or_else(|| Duration::from_nanos(tasks.now().as_nanos()))
}

impl<N: Net, S: CaptureSink> Capture<N, S> {
    /// Captures what passes `device` into `sink`, of each frame the first `snap_length` bytes;
    /// all of them with [`LARGEST_FRAME`](crate::LARGEST_FRAME). The file's header is written
    /// at once.
    pub fn new(device: N, tasks: &Handle, snap_length: usize, sink: S) -> Self {
        let mut file = File { sink, snap_length };
        file.begin();
        Self {
            device,
            tasks: tasks.clone(),
            file,
        }
    }
}

impl<N: Net, S: CaptureSink> Net for Capture<N, S> {
    type Frame = N::Frame;

    fn mac(&self) -> MacAddress {
        self.device.mac()
    }

    fn mtu(&self) -> usize {
        self.device.mtu()
    }

    fn offloads(&self) -> Offloads {
        self.device.offloads()
    }

    fn counters(&self) -> Counters {
        self.device.counters()
    }

    fn receive(&mut self) -> Option<N::Frame> {
        let frame = self.device.receive()?;
        self.file.record(frame.as_ref(), time(&self.tasks));
        Some(frame)
    }

    fn waiting(&self) -> Option<usize> {
        self.device.waiting()
    }

    fn recycle(&mut self, frame: N::Frame) {
        self.device.recycle(frame);
    }

    fn can_transmit(&mut self) -> bool {
        self.device.can_transmit()
    }

    fn is_crowded(&mut self) -> bool {
        self.device.is_crowded()
    }

    fn transmit_offloaded<R>(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> (R, Offload),
    ) -> Result<R, TransmitError> {
        self.device.transmit_offloaded(length, |frame| {
            let result = fill(frame);
            self.file.record(frame, time(&self.tasks));
            result
        })
    }

    fn flush(&mut self) {
        self.device.flush();
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let ready = self.device.poll_ready(context);
        if ready.is_pending() {
            self.file.sink.flush();
        }
        ready
    }
}
