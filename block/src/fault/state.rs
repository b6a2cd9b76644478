use super::faults::{Countdown, DiskCounts, Faults};
use super::image::{Image, WriteId, below, chance};
use crate::Error;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// All that changes about a [`FaultyDisk`](super::FaultyDisk).
#[derive(Debug)]
pub(super) struct State {
    sector_size: usize,
    image: Image,
    faults: Faults,
    countdown: Countdown,
    counts: DiskCounts,
    random: ChaCha8Rng,
    is_gone: bool,
    /// The sectors that take room on the host.
    stored: BTreeSet<u64>,
    begun_writes: u64,
    ended_writes: u64,
}

impl State {
    pub(super) fn new(sector_size: usize, bytes: Vec<u8>, seed: u64) -> Self {
        let is_used = |(index, sector): (usize, &[u8])| {
            let is_used = sector.iter().any(|byte| *byte != 0);
            is_used.then_some(index as u64)
        };
        let sectors = bytes.chunks(sector_size).enumerate();
        Self {
            sector_size,
            stored: sectors.filter_map(is_used).collect(),
            image: Image::new(sector_size, bytes),
            faults: Faults::default(),
            countdown: Countdown::default(),
            counts: DiskCounts::default(),
            random: ChaCha8Rng::seed_from_u64(seed),
            is_gone: false,
            begun_writes: 0,
            ended_writes: 0,
        }
    }

    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.countdown = Countdown::new(&faults);
        self.faults = faults;
    }

    pub(super) fn counts(&self) -> DiskCounts {
        self.counts
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn ended_writes(&self) -> u64 {
        self.ended_writes
    }

    pub(super) fn contents(&self) -> Vec<u8> {
        self.image.contents()
    }

    pub(super) fn cut(&mut self) -> Vec<u8> {
        self.is_gone = true;
        self.image.cut(&mut self.random)
    }

    /// How many polls something takes longer.
    pub(super) fn delay(&mut self) -> u32 {
        match self.faults.delay {
            0 => 0,
            delay => below(&mut self.random, delay as usize + 1) as u32,
        }
    }

    /// Begins a step, which may fail.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        if self.is_gone {
            return Err(Error::Gone);
        }
        let outcome = self.countdown.step();
        self.is_gone = outcome == Err(Error::Gone);
        outcome?;
        self.fail_one_in(self.faults.fail_one_in)
    }

    /// Fails once in so many times, by chance.
    fn fail_one_in(&mut self, bound: Option<u32>) -> Result<(), Error> {
        match bound {
            Some(bound) if chance(&mut self.random, bound) => Err(Error::Io),
            _ => Ok(()),
        }
    }

    pub(super) fn read(&mut self, sector: u64, buffer: &mut [u8]) -> Result<(), Error> {
        self.counts.reads += 1;
        let sectors = sector..sector + (buffer.len() / self.sector_size) as u64;
        if self
            .faults
            .unreadable
            .is_some_and(|bad| sectors.contains(&bad))
        {
            return Err(Error::Io);
        }
        for (index, part) in buffer.chunks_mut(self.sector_size).enumerate() {
            self.counts.sectors_read += 1;
            part.copy_from_slice(self.image.sector(sector + index as u64));
        }
        if let Some(bound) = self.faults.damage_one_in
            && !buffer.is_empty()
            && chance(&mut self.random, bound)
        {
            let bit = below(&mut self.random, buffer.len() * 8);
            buffer[bit / 8] ^= 1 << (bit % 8);
        }
        Ok(())
    }

    pub(super) fn begin_write(&mut self) -> WriteId {
        self.counts.writes += 1;
        self.next_write()
    }

    pub(super) fn begin_discard(&mut self) -> WriteId {
        self.counts.discards += 1;
        self.next_write()
    }

    fn next_write(&mut self) -> WriteId {
        self.begun_writes += 1;
        WriteId(self.begun_writes)
    }

    /// Writes a sector, or discards it, if there is no content.
    pub(super) fn store(
        &mut self,
        write: WriteId,
        sector: u64,
        content: Option<Vec<u8>>,
    ) -> Result<(), Error> {
        self.counts.sectors_written += 1;
        match content {
            Some(bytes) => {
                self.take_room(sector)?;
                self.image.store(write, sector, bytes);
            }
            None => {
                self.stored.remove(&sector);
                self.discard(write, sector);
            }
        }
        Ok(())
    }

    fn take_room(&mut self, sector: u64) -> Result<(), Error> {
        if let Some(capacity) = self.faults.capacity
            && !self.stored.contains(&sector)
            && self.stored.len() as u64 >= capacity
        {
            return Err(Error::Full);
        }
        self.stored.insert(sector);
        Ok(())
    }

    /// A discarded sector stays as it is, becomes zeroes, or noise.
    fn discard(&mut self, write: WriteId, sector: u64) {
        let mut bytes = vec![0; self.sector_size];
        match below(&mut self.random, 3) {
            0 => return,
            1 => self.random.fill_bytes(&mut bytes),
            _ => {}
        }
        self.image.store(write, sector, bytes);
    }

    pub(super) fn end_write(&mut self, write: WriteId, sector: u64, count: u64) {
        self.ended_writes += 1;
        self.image
            .end_write(write, sector, count, self.ended_writes);
    }

    /// Ends a flush that covers the first `ended` writes, and `began` well or not.
    pub(super) fn flush(&mut self, ended: u64, began: Result<(), Error>) -> Result<(), Error> {
        let outcome = began.and_then(|()| self.fail_one_in(self.faults.fail_flush_one_in));
        if outcome == Err(Error::Io) {
            self.image.fail_flush(&mut self.random);
        }
        outcome?;
        self.counts.flushes += 1;
        if !self.faults.flush_lies {
            self.image.flush(ended);
        }
        Ok(())
    }
}
