//! Streams of integers.

use super::packer::Packer;
use super::runs_1;
use super::runs_2::{self, VALUES_MAX};
use super::stream::Stream;
use crate::settings::OrcVersion;

/// A stream of integers, of which some wait to be encoded together.
#[derive(Debug)]
pub struct Integers {
    waiting: Vec<i64>,
    is_signed: bool,
    version: OrcVersion,
    stream: Stream,
}

impl Integers {
    /// With a sign, or without.
    pub fn new(is_signed: bool, version: OrcVersion) -> Self {
        Self {
            waiting: Vec::new(),
            is_signed,
            version,
            stream: Stream::default(),
        }
    }

    /// Adds a value.
    pub fn push(&mut self, value: i64, packer: &mut Packer) {
        self.waiting.push(value);
        if self.waiting.len() == VALUES_MAX {
            self.encode(packer);
        }
    }

    fn encode(&mut self, packer: &mut Packer) {
        let mut bytes = packer.take_spare();
        match self.version {
            OrcVersion::V0_11 => runs_1::encode(&self.waiting, self.is_signed, &mut bytes),
            OrcVersion::V0_12 => runs_2::encode(&self.waiting, self.is_signed, &mut bytes),
        }
        self.waiting.clear();
        self.stream.write(&bytes, packer);
        packer.give_back(bytes);
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<i64>() + self.stream.memory_bytes()
    }

    /// Takes out what there is, encoded and packed.
    pub fn take(&mut self, packer: &mut Packer) -> Vec<Vec<u8>> {
        self.encode(packer);
        self.waiting = Vec::new();
        self.stream.take(packer)
    }
}
