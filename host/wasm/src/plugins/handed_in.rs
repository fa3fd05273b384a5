//! Versions that somebody hands in: to be put in force, or only to be tried.

use std::time::{Duration, Instant};

use super::{Plugins, lock};
use crate::deploying::{Begun, Deployed, NotDeployed};
use crate::kept::Source;
use crate::name::PluginName;
use crate::offline::Files;
use crate::refusal::Refusal;
use crate::shadow::{RecordsOf, ShadowReport};
use crate::shadowing::NotShadowed;

impl Plugins {
    /// Puts a version in force and into the plugins directory: admitted, compiled and tried first,
    /// so that the one before goes on if it cannot be. Blocks for as long as all of that takes, and
    /// while others are at it, but not longer than `wait_max`: `None` if it is not known by then
    /// what becomes of it. Whoever asks again with the same files hears of it.
    ///
    /// # Errors
    /// Why it is not in force.
    pub fn deploy(
        &self,
        name: &PluginName,
        files: Files,
        wait_max: Duration,
    ) -> Result<Option<Deployed>, NotDeployed> {
        let source = files.into_source();
        self.check_size(name, &source)?;
        if self.directory.is_none() {
            return Err(NotDeployed::NoDirectory);
        }
        let awaited = match self.deployments.begin(name, source, Instant::now()) {
            Begun::OnItsWay(awaited) => awaited,
            Begun::Full => {
                let why = "others are being deployed; try again in a moment";
                return Err(NotDeployed::ForNow(why.to_owned()));
            }
            Begun::Closed => return Err(NotDeployed::ForNow("the server closes".to_owned())),
        };
        if let Some(watcher) = lock(&self.watcher).as_ref() {
            watcher.ring();
        }
        match self.deployments.hear(&awaited, wait_max) {
            None => Ok(None),
            Some(outcome) => Ok(Some(outcome?)),
        }
    }

    /// Lets retained records through files that are not deployed, beside the version in force;
    /// nothing of it is kept. One at a time: another is told to come again. Without a number as
    /// many records as a deployment of these files would try. Blocks for a minute and a half at
    /// most, and as long as it takes to compile.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn shadow(
        &self,
        name: &PluginName,
        files: Files,
        asked: (&RecordsOf, Option<u32>),
    ) -> Result<ShadowReport, NotShadowed> {
        let source = files.into_source();
        self.check_size(name, &source)?;
        let now = self.control.clock.now();
        self.control.shadow_files((name, &source), asked, now)
    }

    fn check_size(&self, name: &PluginName, source: &Source) -> Result<(), Refusal> {
        let bytes = source.component.len() as u64;
        let limit = self.control.loader.limits.component_bytes_max;
        if bytes <= limit {
            return Ok(());
        }
        Err(Refusal::ForGood(format!(
            "{name}.wasm: has {bytes} bytes, more than {limit} (component_mib = {})",
            limit / (1024 * 1024)
        )))
    }
}
