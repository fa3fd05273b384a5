//! The partitions of a window, each in a place that it keeps.

use super::partition::Partition;
use crate::fault::Invalid;

/// Partitions by their places. Places of those that are gone are taken again.
#[derive(Default)]
pub struct Partitions {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    bytes: usize,
    /// Places of partitions that changed since the last save. Some of them may be gone.
    touched: Vec<usize>,
}

struct Slot {
    partition: Partition,
    /// So many bytes are counted for it.
    bytes: usize,
    touched: bool,
}

impl Partitions {
    /// Bytes that all of them hold, about, as they were measured last.
    pub fn held_bytes(&self) -> usize {
        self.bytes
    }

    pub fn insert(&mut self, partition: Partition) -> usize {
        let bytes = partition.held_bytes();
        self.bytes += bytes;
        let slot = Some(Slot {
            partition,
            bytes,
            touched: false,
        });
        if let Some(place) = self.free.pop() {
            self.slots[place] = slot;
            return place;
        }
        self.slots.push(slot);
        self.slots.len() - 1
    }

    pub fn remove(&mut self, place: usize) -> Result<Partition, Invalid> {
        let slot = self.slots.get_mut(place).and_then(Option::take);
        let slot = slot.ok_or_else(missing)?;
        self.bytes -= slot.bytes;
        self.free.push(place);
        Ok(slot.partition)
    }

    pub fn get(&self, place: usize) -> Result<&Partition, Invalid> {
        let slot = self.slots.get(place).and_then(Option::as_ref);
        Ok(&slot.ok_or_else(missing)?.partition)
    }

    /// For a change that the saved state has already.
    pub fn get_mut(&mut self, place: usize) -> Result<&mut Partition, Invalid> {
        Ok(&mut self.slot_mut(place)?.partition)
    }

    /// For a change that the next save writes.
    pub fn touch(&mut self, place: usize) -> Result<&mut Partition, Invalid> {
        if !std::mem::replace(&mut self.slot_mut(place)?.touched, true) {
            self.touched.push(place);
        }
        self.get_mut(place)
    }

    /// Counts the bytes of a partition again, after a change.
    pub fn measure(&mut self, place: usize) -> Result<(), Invalid> {
        let slot = self.slot_mut(place)?;
        let before = slot.bytes;
        slot.bytes = slot.partition.held_bytes();
        let now = slot.bytes;
        self.bytes = self.bytes - before + now;
        Ok(())
    }

    /// The places that were touched, for [`Partitions::take_touched`].
    pub fn take_touched_places(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.touched)
    }

    /// The partition in a place, if it was touched and is there. It is not touched any more.
    pub fn take_touched(&mut self, place: usize) -> Option<&mut Partition> {
        let slot = self.slots.get_mut(place)?.as_mut()?;
        std::mem::take(&mut slot.touched).then_some(&mut slot.partition)
    }

    fn slot_mut(&mut self, place: usize) -> Result<&mut Slot, Invalid> {
        let slot = self.slots.get_mut(place).and_then(Option::as_mut);
        slot.ok_or_else(missing)
    }
}

fn missing() -> Invalid {
    Invalid::new("internal: a partition of a window is missing")
}
