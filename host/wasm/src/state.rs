//! What the host keeps for one instance, and the answers to what the guest calls.

use std::sync::Arc;

use types::Timestamp;
use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::{context, types as wit_types};
use crate::guest_log::GuestLog;
use crate::limits::{CORE_INSTANCES_PER_COMPONENT_MAX, TABLE_ELEMENTS_MAX};
use crate::manifest::Manifest;
use crate::sealed::{self, LastWords};

/// The moment that one delivery is worked on, the same whenever it is worked on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the guest's clocks show, all the time.
    pub now: Timestamp,
    /// What the guest's random numbers are made of.
    pub seed: u64,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) limits: StoreLimits,
    wasi: WasiCtx,
    table: ResourceTable,
    log: Arc<GuestLog>,
    manifest: Arc<Manifest>,
    now: Timestamp,
    last_words: LastWords,
    host_calls_left: u32,
}

impl State {
    pub(crate) fn new(manifest: &Arc<Manifest>, log: &Arc<GuestLog>, moment: Moment) -> Self {
        let last_words = LastWords::default();
        let core_instances = usize::try_from(CORE_INSTANCES_PER_COMPONENT_MAX).unwrap_or(0);
        Self {
            limits: StoreLimitsBuilder::new()
                .memory_size(manifest.limits.memory_bytes_max)
                .table_elements(TABLE_ELEMENTS_MAX)
                .instances(core_instances)
                .tables(core_instances)
                .memories(core_instances)
                .trap_on_grow_failure(true)
                .build(),
            wasi: sealed::context(moment, log, &last_words, manifest.limits.host_calls_max),
            table: ResourceTable::new(),
            log: Arc::clone(log),
            manifest: Arc::clone(manifest),
            now: moment.now,
            last_words,
            host_calls_left: manifest.limits.host_calls_max,
        }
    }

    /// A new batch may call the host anew.
    pub(crate) fn begin_batch(&mut self) {
        self.host_calls_left = self.manifest.limits.host_calls_max;
        self.last_words
            .begin_batch(self.manifest.limits.host_calls_max);
    }

    /// What the guest wrote last to its standard error, as a panic does; empty if nothing.
    pub(crate) fn last_words(&self) -> String {
        self.last_words.text()
    }

    pub(crate) fn host_call(&mut self) -> wasmtime::Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => Err(too_many_calls(self.manifest.limits.host_calls_max)),
        }
    }
}

pub(crate) fn too_many_calls(max: u32) -> wasmtime::Error {
    wasmtime::Error::msg(format!("more than {max} calls to the host in one batch"))
}

impl context::Host for State {
    fn log(&mut self, level: context::Level, message: String) -> wasmtime::Result<()> {
        self.host_call()?;
        self.log.line(level, &message);
        Ok(())
    }

    fn counter(&mut self, name: String, by: u64) -> wasmtime::Result<()> {
        self.host_call()?;
        self.log.count(&name, by);
        Ok(())
    }

    fn config(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.host_call()?;
        Ok(self.manifest.config.get(&key).cloned())
    }

    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        self.host_call()?;
        Ok(self.now.0)
    }
}

impl wit_types::Host for State {}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}
