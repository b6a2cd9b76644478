//! A disk whose data only those can read who have the key.

#[cfg(test)]
mod tests;

use crate::{Block, Error, Geometry, zeroes};
use aes::Aes256;
use aes::cipher::KeyInit;
use alloc::vec::Vec;
use core::fmt;
use xts_mode::{Xts128, get_tweak_default};
use zeroize::Zeroizing;

/// An adapter that encrypts each sector by itself with XTS-AES-256 (IEEE 1619-2018). The tweak
/// is the sector's number on the disk beneath, so the data takes as much room as it did, and a
/// torn write, a flush and a power cut mean what they mean without encryption.
///
/// It keeps a disk that is lost or copied once secret. It does **not** protect from those who
/// can change the disk or see it more than once:
/// - Nothing is authenticated: a changed sector decrypts to noise in the 16 bytes that were
///   changed, and to the old data elsewhere, without an error.
/// - An older copy of a sector, or of the whole disk, is taken for the current one.
/// - Equal data at the same place encrypts to the same bytes, so two copies of the disk show
///   which 16 bytes differ.
/// - So do two partitions of a disk that are encrypted with one key: take a key for each, or
///   encrypt the whole disk.
/// - Which sectors are read, written and discarded is visible.
///
/// A disk that was never written reads as noise, and so do discarded sectors.
pub struct Encrypted<B> {
    disk: B,
    cipher: Xts128<Aes256>,
}

/// The two halves of a key are the same, which breaks XTS (FIPS 140-3 IG C.I).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EqualHalves;

impl fmt::Display for EqualHalves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves of the key are the same; use 64 random bytes")
    }
}

impl core::error::Error for EqualHalves {}

impl<B: Block> Encrypted<B> {
    /// The disk, read and written with a key: 32 bytes for the data, then 32 for the tweak. The
    /// key and what is derived of it are overwritten when they are dropped.
    ///
    /// # Errors
    /// [`EqualHalves`] for a key that does not keep anything secret.
    pub fn new(disk: B, key: Zeroizing<[u8; 64]>) -> Result<Self, EqualHalves> {
        let (data, tweak) = key.split_at(32);
        if data == tweak {
            return Err(EqualHalves);
        }
        let cipher = |half| Aes256::new_from_slice(half).expect("it has 32 bytes");
        Ok(Self {
            disk,
            cipher: Xts128::new(cipher(data), cipher(tweak)),
        })
    }

    fn encrypt(&self, sector: u64, bytes: &mut [u8]) {
        let size = self.disk.geometry().sector_size;
        self.cipher
            .encrypt_area(bytes, size, sector.into(), get_tweak_default);
    }
}

impl<B> fmt::Debug for Encrypted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").finish_non_exhaustive()
    }
}

impl<B: Block> Block for Encrypted<B> {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    async fn read(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        let size = self.disk.geometry().sector_size;
        let mut buffer = self.disk.read(sector, buffer).await?;
        self.cipher
            .decrypt_area(&mut buffer, size, sector.into(), get_tweak_default);
        Ok(buffer)
    }

    async fn write(&self, sector: u64, buffer: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.geometry().check_write(sector, buffer.len())?;
        let mut encrypted = buffer.clone();
        self.encrypt(sector, &mut encrypted);
        self.disk.write(sector, encrypted).await?;
        Ok(buffer)
    }

    async fn flush(&self) -> Result<(), Error> {
        self.disk.flush().await
    }

    async fn discard(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.disk.discard(sector, count).await
    }

    async fn write_zeroes(&self, sector: u64, count: u64) -> Result<(), Error> {
        self.geometry().check_change(sector, count)?;
        zeroes::write_out(self, sector, count).await
    }
}
