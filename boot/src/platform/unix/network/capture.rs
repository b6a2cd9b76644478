//! The file of `--pcap`.

use crate::NetworkError;
use alloc::format;
use fata_net::CaptureSink;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// A file that frames are written to. Its buffer is written out when no frame waits, and at the
/// end. After a failure, of which there is one warning, nothing is written any more.
pub(super) struct CaptureFile(Option<BufWriter<File>>);

impl CaptureFile {
    /// Makes the file, or empties the one that is there.
    pub(super) fn create(path: &str) -> Result<Self, NetworkError> {
        let file = File::create(path);
        let file = file.map_err(|error| NetworkError::Device(format!("--pcap {path}: {error}")))?;
        Ok(Self(Some(BufWriter::new(file))))
    }

    fn try_to(&mut self, act: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) {
        if let Some(file) = &mut self.0
            && let Err(error) = act(file)
        {
            log::warn!(target: "net", "no more frames are written down: {error}");
            self.0 = None;
        }
    }
}

impl CaptureSink for CaptureFile {
    fn write(&mut self, bytes: &[u8]) {
        self.try_to(|file| file.write_all(bytes));
    }

    fn flush(&mut self) {
        self.try_to(Write::flush);
    }
}
