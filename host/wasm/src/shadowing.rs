//! Which versions go through a shadow run, and with which records: `shadow` does it.

use std::sync::{Arc, PoisonError, TryLockError};

use types::Timestamp;

use crate::control::Control;
use crate::kept::Source;
use crate::name::PluginName;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::shadow::{RecordsOf, Run, SHADOW_RECORDS_DEFAULT, ShadowReport};
use crate::version::Version;

/// Why files did not go through a shadow run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotShadowed {
    /// There is no plugin of that name with a version in force.
    NoPlugin,
    /// For what is in them.
    Refused(String),
    /// It may be at another time.
    ForNow(String),
}

impl From<Refusal> for NotShadowed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForGood(why) => Self::Refused(why),
            Refusal::ForNow(why) => Self::ForNow(why),
        }
    }
}

impl Control {
    /// Lets retained records through a version that would take the place of the one in force, where
    /// its manifest or the operator asks for that, and shows what came of it. Blocks.
    ///
    /// # Errors
    /// When too many of them failed in it, or none can be read for now.
    pub(crate) fn shadow(&self, version: &Version) -> Result<(), Refusal> {
        let (name, rollout) = (version.name(), version.manifest().rollout);
        let records_max = rollout.shadow_records(&self.loader.rollout);
        // A consumer's effects are for its application alone to try.
        if records_max == 0 || version.role() == Role::Consumer {
            return Ok(());
        }
        let Some(in_force) = self.in_force_but(version) else {
            return Ok(());
        };
        // It guards no value.
        let turn = self.shadowing.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        let of = RecordsOf::Plugin(name.clone());
        let report = self.run_beside((&in_force, version), (&of, records_max))?;
        let percent_max = rollout.shadow_failed_percent_max;
        let too_many = percent_max.filter(|most| report.fails_more_than(*most));
        let told = too_many.map(|most| {
            format!(
                "shadow run: {} of {} records failed in it, and {} in the version in force; \
                 shadow_failed_percent_max is {most}",
                report.new.failed, report.records, report.old.failed
            )
        });
        self.registry.shadowed(name, report);
        told.map_or(Ok(()), |why| Err(Refusal::ForGood(why)))
    }

    /// Lets retained records through files that are not deployed, beside the version in force.
    /// Nothing of them is kept, and nobody is shown what came of it but the caller. Blocks.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn shadow_files(
        &self,
        (name, source): (&PluginName, &Source),
        (of, records_max): (&RecordsOf, Option<u32>),
        now: Timestamp,
    ) -> Result<ShadowReport, NotShadowed> {
        let in_force = self.registry.current(name).ok_or(NotShadowed::NoPlugin)?;
        let _turn = match self.shadowing.try_lock() {
            Ok(turn) => turn,
            // It guards no value.
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let why = "another shadow run is under way; try again in a moment";
                return Err(NotShadowed::ForNow(why.to_owned()));
            }
        };
        let version = self.loader.try_out(name, source, now)?;
        for version in [&version, &*in_force] {
            if version.role() == Role::Consumer {
                let why = "it is a consumer: its effects are for its application alone to try";
                return Err(NotShadowed::Refused(why.to_owned()));
            }
        }
        let asked = records_max.unwrap_or_else(|| {
            let rollout = version.manifest().rollout;
            match rollout.shadow_records(&self.loader.rollout) {
                0 => SHADOW_RECORDS_DEFAULT,
                records => records,
            }
        });
        Ok(self.run_beside((&in_force, &version), (of, asked))?)
    }

    fn run_beside(
        &self,
        (old, new): (&Version, &Version),
        (of, records_max): (&RecordsOf, u32),
    ) -> Result<ShadowReport, Refusal> {
        let closing = self.loader.compiler.closing();
        let retained = self
            .records
            .last(of, records_max, closing.clone())
            .map_err(|why| Refusal::ForNow(format!("read records for its shadow run: {why}")))?;
        let run = Run {
            old,
            new,
            now: self.clock.now(),
            with_text: self.loader.rollout.shadow_samples,
            closing,
        };
        run.run_apart(&retained)
    }

    /// The version in force that another would take the place of. After a start it comes into force
    /// for that; where it cannot, nothing can be compared.
    fn in_force_but(&self, version: &Version) -> Option<Arc<Version>> {
        let (name, is_other) = (version.name(), |hash| hash != version.hash());
        let noted = self.loader.lives.hash_in_force(name);
        if self.registry.hash(name).is_none() && noted.is_some_and(is_other) {
            let last = self.loader.load_last(name, self.clock.now())?;
            // Where an order has put another in force meanwhile, that is compared.
            let brought = last.and_then(|last| self.bring_back(last));
            if let Err(refusal) = brought {
                let why = refusal.to_string();
                tracing::warn!(plugin = %name, why, "no shadow run beside what was in force");
            }
        }
        let in_force = self.registry.current(name);
        in_force.filter(|it| is_other(it.hash()))
    }
}
