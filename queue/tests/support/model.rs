//! Model of what may be in a queue after a power cut.

use super::number;
use std::collections::BTreeMap;

/// Histories of the items of a queue, in the order in which clients saw them.
#[derive(Default)]
pub struct Model {
    clock: u64,
    items: BTreeMap<u64, History>,
}

/// When something happened to an item.
#[derive(Clone, Copy, Default)]
struct History {
    /// All of it was sent, and the client began to wait.
    sent: u64,
    acknowledged: Option<u64>,
    removal_sent: bool,
    removal_acknowledged: bool,
}

impl Model {
    /// A number that no item has.
    pub fn next_number(&self) -> u64 {
        self.items.last_key_value().map_or(1, |(last, _)| last + 1)
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn of(&mut self, number: u64) -> &mut History {
        self.items.get_mut(&number).expect("the item is known")
    }

    /// A client begins to send an item. It may be whole on the disk from now on.
    pub fn sending(&mut self, number: u64) {
        let sent = self.tick();
        let history = History {
            sent,
            ..History::default()
        };
        self.items.insert(number, history);
    }

    pub fn acknowledged(&mut self, number: u64) {
        let now = self.tick();
        self.of(number).acknowledged = Some(now);
    }

    pub fn removing(&mut self, number: u64) {
        self.of(number).removal_sent = true;
    }

    pub fn removed(&mut self, number: u64) {
        self.of(number).removal_acknowledged = true;
    }

    /// Checks what was found in the queue, the oldest first.
    ///
    /// # Errors
    /// A text that tells what should not be.
    pub fn check(&self, found: &[Vec<u8>]) -> Result<(), String> {
        let numbers = numbers(found)?;
        self.check_presence(&numbers)?;
        self.check_order(&numbers)
    }

    /// Takes what was found as what was acknowledged from now on.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn settle(&mut self, found: &[Vec<u8>]) -> Result<(), String> {
        self.check(found)?;
        let numbers = numbers(found)?;
        self.items.retain(|number, _| numbers.contains(number));
        for number in numbers {
            let now = self.tick();
            *self.of(number) = History {
                sent: now,
                acknowledged: Some(now),
                ..History::default()
            };
        }
        Ok(())
    }

    fn check_presence(&self, found: &[u64]) -> Result<(), String> {
        for (index, number) in found.iter().enumerate() {
            if found[..index].contains(number) {
                return Err(format!("item {number} is there twice"));
            }
            match self.items.get(number) {
                None => return Err(format!("item {number} was never sent, or is long gone")),
                Some(history) if history.removal_acknowledged => {
                    return Err(format!("item {number} is back"));
                }
                Some(_) => {}
            }
        }
        let lost = self.items.iter().find(|(number, history)| {
            history.acknowledged.is_some() && !history.removal_sent && !found.contains(number)
        });
        lost.map_or(Ok(()), |(number, _)| Err(format!("item {number} is lost")))
    }

    fn check_order(&self, found: &[u64]) -> Result<(), String> {
        for (index, later) in found.iter().enumerate() {
            let acknowledged = self.items[later].acknowledged.unwrap_or(u64::MAX);
            for earlier in &found[..index] {
                if acknowledged < self.items[earlier].sent {
                    return Err(format!("item {later} is behind item {earlier}"));
                }
            }
        }
        Ok(())
    }
}

fn numbers(found: &[Vec<u8>]) -> Result<Vec<u64>, String> {
    let number =
        |bytes: &Vec<u8>| number(bytes).ok_or(format!("{} bytes that are no item", bytes.len()));
    found.iter().map(number).collect()
}
