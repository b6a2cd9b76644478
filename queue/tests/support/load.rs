//! Clients that load a queue until its disk fails, and note what they see.

use super::model::Model;
use super::{get, item, number};
use fata_block::{Error as DiskError, FaultyDisk};
use fata_queue::{Error, Queue};
use fata_task::{Handle, yield_now};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::cell::RefCell;
use std::rc::Rc;

/// Clients that upload at once.
const PRODUCERS: u64 = 3;

#[derive(Clone)]
struct Client {
    disk: Rc<FaultyDisk>,
    queue: Queue<Rc<FaultyDisk>>,
    model: Rc<RefCell<Model>>,
    random: ChaCha8Rng,
}

/// Loads a queue from all sides until its disk is gone.
pub async fn load(
    disk: &Rc<FaultyDisk>,
    queue: &Queue<Rc<FaultyDisk>>,
    model: &Rc<RefCell<Model>>,
    seed: u64,
    tasks: &Handle,
) {
    let client = |number: u64| Client {
        disk: Rc::clone(disk),
        queue: queue.clone(),
        model: Rc::clone(model),
        random: ChaCha8Rng::seed_from_u64(seed * 10 + number),
    };
    let consumer = tasks.spawn(client(0).consume());
    let producers: Vec<_> = (1..=PRODUCERS)
        .map(|number| tasks.spawn(client(number).produce()))
        .collect();
    for producer in producers {
        producer.await.expect("nobody cancels it");
    }
    consumer.cancel();
}

impl Client {
    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    async fn produce(mut self) {
        loop {
            let outcome = self.upload().await;
            // A full queue does not ask the disk.
            if outcome == Err(Error::Disk(DiskError::Gone)) || self.disk.is_gone() {
                return;
            }
            for _ in 0..self.below(20) {
                yield_now().await;
            }
        }
    }

    /// Uploads an item of any size, most often a small one, in pieces; one of eight is given up.
    async fn upload(&mut self) -> Result<(), Error> {
        let bound = [40, 40, 600, 600, 3000, 3000, 20_000, 150_000][self.below(8) as usize];
        let length = 8 + self.below(bound);
        let gives_up = self.below(8) == 0;
        let mut upload = self.queue.upload(length).await?;
        let number = self.model.borrow().next_number();
        self.model.borrow_mut().sending(number);
        let bytes = item(number, length as usize);
        let (first, second) = bytes.split_at(self.below(length) as usize);
        upload.write(first).await?;
        yield_now().await;
        if gives_up {
            return Ok(());
        }
        upload.write(second).await?;
        upload.finish().await?;
        self.model.borrow_mut().acknowledged(number);
        Ok(())
    }

    /// Takes items out, sometimes, and checks them.
    async fn consume(mut self) {
        let patience = [2, 20, 200][self.below(3) as usize];
        loop {
            for _ in 0..self.below(patience) {
                yield_now().await;
            }
            if self.take().await == Err(Error::Disk(DiskError::Gone)) {
                return;
            }
        }
    }

    async fn take(&mut self) -> Result<(), Error> {
        let bytes = get(&self.queue).await?;
        let number = number(&bytes).expect("what is downloaded is what was uploaded");
        self.model.borrow_mut().removing(number);
        let removed = self.queue.remove().await?;
        assert!(removed, "nobody else removes items");
        self.model.borrow_mut().removed(number);
        Ok(())
    }
}
