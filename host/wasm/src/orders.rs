//! What an operator orders of a plugin, and what the guard does by itself. An order is kept durably
//! before it is announced, and announced before it is answered. All of this may block: for the
//! disk, and where a version is not held ready, until it is loaded.

use std::fmt;
use std::sync::Arc;

use crate::control::{Control, canary_hash, coming, keep};
use crate::hash::ContentHash;
use crate::life::{ALIASES_MAX, How, Life, Numbered, SetAside, Why};
use crate::lives::Change;
use crate::name::PluginName;
use crate::qualifier::AliasName;
use crate::refusal::Refusal;
use crate::trial::Alarm;
use crate::version::Version;

/// Digits of a hash that name a version at least: as many as are shown.
const HASH_DIGITS_MIN: usize = 12;
/// The shares that a canary may have, in percent.
const CANARY_PERCENT_MAX: u8 = 99;

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// There is no plugin of that name with a version in force.
    NoPlugin,
    /// What was named is none, or breaks a rule. A sentence.
    Invalid(String),
    /// It cannot be done as things are: what would have to be otherwise.
    NotNow(String),
    /// The disk or the version did not allow it.
    Failed(String),
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlugin => f.write_str("there is no such plugin"),
            Self::Invalid(why) | Self::NotNow(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for OrderError {}

impl From<Refusal> for OrderError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ForGood(why) => Self::NotNow(why),
            Refusal::ForNow(why) => Self::Failed(why),
        }
    }
}

impl Control {
    /// Puts the version before in force, or the one that is named by its number or its hash.
    pub(crate) fn rollback(
        &self,
        name: &PluginName,
        to: Option<&str>,
    ) -> Result<Numbered, OrderError> {
        let life = self.life(name)?;
        let target = match to {
            Some(text) => find(&life, text)?,
            None => life.before().ok_or_else(|| {
                let now = life.in_force().map_or(0, |version| version.number);
                OrderError::NotNow(format!("There is no version before {now}"))
            })?,
        };
        let target = target.clone();
        let version = self.alive(name, target.hash)?;
        self.put_back(name, (&target, &version), How::Rollback)?;
        Ok(target)
    }

    /// Lets lanes and applications wait.
    pub(crate) fn pause(&self, name: &PluginName) -> Result<(), OrderError> {
        let (mut change, now) = (self.begin(name)?, self.clock.now());
        if change.life.paused.is_none() {
            change.life.paused = Some(now);
            keep(&mut change)?;
            tracing::info!(plugin = %name, "a plugin is paused");
            self.registry.changed(name);
        }
        Ok(())
    }

    /// Lets them go on; or, where they do, what was set aside in the plugins directory. The
    /// version that came into force, if one did.
    pub(crate) fn resume(&self, name: &PluginName) -> Result<Option<Numbered>, OrderError> {
        let mut change = self.begin(name)?;
        if change.life.paused.take().is_some() {
            keep(&mut change)?;
            tracing::info!(plugin = %name, "a plugin goes on");
            self.registry.changed(name);
            return Ok(None);
        }
        let aside = change.life.set_aside.ok_or_else(|| {
            let why = "The plugin is not paused, and nothing of it was set aside";
            OrderError::NotNow(why.to_owned())
        })?;
        drop(change);
        let version = self.alive(name, aside.hash)?;
        let mut change = self.begin(name)?;
        if change.life.set_aside != Some(aside) {
            return Err(changed_meanwhile());
        }
        let now = self.clock.now();
        change.life.take(coming(&version), How::Resume, now);
        keep(&mut change)?;
        self.announce(&version, How::Resume, now);
        Ok(change.life.in_force().cloned())
    }

    /// Lets an alias stand for a version.
    pub(crate) fn set_alias(
        &self,
        name: &PluginName,
        alias: &AliasName,
        number: &str,
    ) -> Result<Numbered, OrderError> {
        let mut change = self.begin(name)?;
        let target = find(&change.life, number)?.clone();
        self.loader.check_signature(name, target.hash)?;
        let aliases = &mut change.life.aliases;
        if !aliases.contains_key(alias) && aliases.len() >= ALIASES_MAX {
            return Err(OrderError::NotNow(format!(
                "The plugin has {ALIASES_MAX} aliases, as many as it may have"
            )));
        }
        if aliases.insert(alias.clone(), target.number) != Some(target.number) {
            keep(&mut change)?;
            self.registry.changed(name);
        }
        Ok(target)
    }

    /// Forgets an alias. Whoever goes by it waits.
    pub(crate) fn delete_alias(
        &self,
        name: &PluginName,
        alias: &AliasName,
    ) -> Result<(), OrderError> {
        let mut change = self.begin(name)?;
        if change.life.aliases.remove(alias).is_none() {
            let what = format!("The plugin has no alias {alias}");
            return Err(OrderError::Invalid(what));
        }
        keep(&mut change)?;
        self.registry.changed(name);
        Ok(())
    }

    /// Lets a share go by a version.
    pub(crate) fn begin_canary(
        &self,
        name: &PluginName,
        target: &str,
        percent: u8,
    ) -> Result<Numbered, OrderError> {
        if !(1..=CANARY_PERCENT_MAX).contains(&percent) {
            return Err(OrderError::Invalid(format!(
                "A canary's share is 1 to {CANARY_PERCENT_MAX} percent"
            )));
        }
        let life = self.life(name)?;
        let target = find(&life, target)?.clone();
        let version = self.alive(name, target.hash)?;
        let (mut change, now) = (self.begin(name)?, self.clock.now());
        if change.life.in_force == Some(target.number) {
            let what = format!("Version {} is in force", target.number);
            return Err(OrderError::NotNow(what));
        }
        change.life.begin_canary(coming(&version), percent, now);
        self.set_aside_what_lies(&mut change, name, Why::RolledBack);
        if change
            .life
            .set_aside
            .is_some_and(|it| it.hash == target.hash)
        {
            // A share goes by it.
            change.life.set_aside = None;
        }
        keep(&mut change)?;
        self.announce_canary(&version, now);
        Ok(target)
    }

    /// Puts the canary in force for all.
    pub(crate) fn promote_canary(&self, name: &PluginName) -> Result<Numbered, OrderError> {
        let life = self.life(name)?;
        let hash = canary_hash(&life).ok_or_else(no_canary)?;
        let version = self.alive(name, hash)?;
        let (mut change, now) = (self.begin(name)?, self.clock.now());
        if canary_hash(&change.life) != Some(hash) {
            return Err(changed_meanwhile());
        }
        let how = How::CanaryPromoted;
        change.life.take(coming(&version), how, now);
        self.set_aside_what_lies(&mut change, name, Why::RolledBack);
        keep(&mut change)?;
        self.announce(&version, how, now);
        change.life.in_force().cloned().ok_or_else(no_canary)
    }

    /// Lets all go by the version in force again.
    pub(crate) fn end_canary(&self, name: &PluginName) -> Result<(), OrderError> {
        let mut change = self.begin(name)?;
        if change.life.canary.is_none() {
            return Err(no_canary());
        }
        self.end_canary_for(&mut change, name, Why::CanaryEnded)?;
        Ok(())
    }

    /// Does what an alarm asks for. Failing that, the version stays in force, which is told.
    pub(crate) fn roll_back_by_itself(&self, alarm: &Alarm) {
        let name = &alarm.plugin;
        let Alarm {
            records,
            failed,
            percent_max,
            version,
            ..
        } = alarm;
        let what = format!(
            "{failed} of the first {records} records of version {} failed, more than \
             {percent_max} %",
            version.short()
        );
        match self.try_roll_back(alarm) {
            Ok(None) => {}
            Ok(Some(came)) => {
                tracing::error!(plugin = %name, what, came, "a version was rolled back");
                self.registry.fails(name, format!("{what}: {came}"));
            }
            Err(why) => {
                let why = why.to_string();
                tracing::error!(plugin = %name, what, why, "a version cannot be rolled back");
                self.registry.fails(name, format!("{what}: {why}"));
            }
        }
    }

    /// What was done; `None` when it was no matter any more.
    fn try_roll_back(&self, alarm: &Alarm) -> Result<Option<String>, OrderError> {
        let (name, hash) = (&alarm.plugin, alarm.version);
        let life = self.life(name)?;
        if canary_hash(&life) == Some(hash) {
            let mut change = self.begin(name)?;
            if canary_hash(&change.life) != Some(hash) {
                return Ok(None);
            }
            self.end_canary_for(&mut change, name, Why::RolledBackByItself)?;
            return Ok(Some("it is no canary any more".to_owned()));
        }
        if life.in_force().map(|version| version.hash) != Some(hash) {
            return Ok(None);
        }
        let Some(target) = life.before().cloned() else {
            let why = "there is no version before it, and it stays in force";
            return Err(OrderError::NotNow(why.to_owned()));
        };
        let version = self.alive(name, target.hash)?;
        let is_still = |life: &Life| life.in_force().map(|it| it.hash) == Some(hash);
        let done = self.put_back_if(name, (&target, &version), How::AutomaticRollback, is_still)?;
        Ok(done.then(|| format!("version {} is in force again", target.number)))
    }

    fn put_back(
        &self,
        name: &PluginName,
        target: (&Numbered, &Arc<Version>),
        how: How,
    ) -> Result<(), OrderError> {
        self.put_back_if(name, target, how, |_| true).map(|_| ())
    }

    /// Puts a version in force that was before, if that is still wanted.
    fn put_back_if(
        &self,
        name: &PluginName,
        (target, version): (&Numbered, &Arc<Version>),
        how: How,
        is_wanted: impl FnOnce(&Life) -> bool,
    ) -> Result<bool, OrderError> {
        let (mut change, now) = (self.begin(name)?, self.clock.now());
        if !is_wanted(&change.life) {
            return Ok(false);
        }
        if change.life.in_force == Some(target.number) {
            return self.acknowledge(&mut change, name, target.number);
        }
        if change.life.number(target.number).is_none() {
            return Err(changed_meanwhile());
        }
        let why = match how {
            How::AutomaticRollback => Why::RolledBackByItself,
            _ => Why::RolledBack,
        };
        change.life.put_in_force(target.number, how, now);
        self.set_aside_what_lies(&mut change, name, why);
        keep(&mut change)?;
        self.announce(version, how, now);
        Ok(true)
    }

    /// An operator wants the version in force that is: what failed by itself need not be shown any
    /// more.
    fn acknowledge(
        &self,
        change: &mut Change<'_>,
        name: &PluginName,
        number: u64,
    ) -> Result<bool, OrderError> {
        let aside = change.life.set_aside;
        let by_itself = aside.filter(|aside| aside.why == Why::RolledBackByItself);
        let was_shown = self.registry.acknowledge(name);
        if let Some(aside) = by_itself {
            change.life.set_aside = Some(SetAside {
                why: Why::RolledBack,
                ..aside
            });
            keep(change)?;
            self.registry.changed(name);
        } else if !was_shown {
            let what = format!("Version {number} is in force already");
            return Err(OrderError::NotNow(what));
        }
        Ok(true)
    }

    pub(crate) fn end_canary_for(
        &self,
        change: &mut Change<'_>,
        name: &PluginName,
        why: Why,
    ) -> Result<(), OrderError> {
        self.note_no_canary(change, name, why)?;
        self.tell_no_canary(name);
        Ok(())
    }

    /// The same, noted and told to nobody.
    pub(crate) fn note_no_canary(
        &self,
        change: &mut Change<'_>,
        name: &PluginName,
        why: Why,
    ) -> Result<(), OrderError> {
        change.life.canary = None;
        if change.life.set_aside.is_none() {
            self.set_aside_what_lies(change, name, why);
        }
        keep(change)?;
        Ok(())
    }

    /// Tells everybody that what was noted is so.
    pub(crate) fn tell_no_canary(&self, name: &PluginName) {
        tracing::info!(plugin = %name, "a version is no canary any more");
        self.note_shown(name);
        self.registry.changed(name);
    }

    /// A version that was kept, held ready or loaded now. It came to life.
    fn alive(&self, name: &PluginName, hash: ContentHash) -> Result<Arc<Version>, OrderError> {
        // One that is held for a delivery may never have been checked.
        self.loader.check_signature(name, hash)?;
        if let Some(version) = self.registry.loaded(name, hash) {
            return Ok(version);
        }
        let load = || {
            let loaded = self.loader.load_again(name, hash, self.clock.now());
            loaded.map_err(|refusal| refusal.to_string())
        };
        let version = self.loaded.find_or_load((name, hash), load);
        let version = version.map_err(OrderError::Failed)?;
        self.registry.hold(Arc::clone(&version));
        Ok(version)
    }

    /// Holds a version ready, if it comes to life.
    pub(crate) fn warm_up(&self, name: &PluginName, version: &Numbered) {
        if let Err(why) = self.alive(name, version.hash) {
            let (number, why) = (version.number, why.to_string());
            tracing::warn!(plugin = %name, number, why, "a version cannot be held ready");
        }
    }

    /// The life of a plugin that is there.
    fn life(&self, name: &PluginName) -> Result<Arc<Life>, OrderError> {
        let life = self.loader.lives.of(name);
        let life = life.filter(|life| life.in_force.is_some());
        life.ok_or(OrderError::NoPlugin)
    }

    pub(crate) fn begin(&self, name: &PluginName) -> Result<Change<'_>, OrderError> {
        let change = self.change(name)?;
        if change.life.in_force.is_some() {
            Ok(change)
        } else {
            Err(OrderError::NoPlugin)
        }
    }
}

/// The version that a person names: by its number, by its hash or by the hash's first digits.
fn find<'a>(life: &'a Life, text: &str) -> Result<&'a Numbered, OrderError> {
    let invalid = |why: String| OrderError::Invalid(why);
    let is_number = text.len() < HASH_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_digit());
    if is_number && !text.is_empty() {
        let number = text.parse().ok();
        let found = number.and_then(|number| life.number(number));
        return found.ok_or_else(|| invalid(format!("The plugin has no version {text}")));
    }
    let is_hash = text.len() >= HASH_DIGITS_MIN && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hash {
        return Err(invalid(format!(
            "A version is named by its number, or by at least {HASH_DIGITS_MIN} digits of its hash"
        )));
    }
    let versions = life.versions().iter();
    let mut found = versions.filter(|version| version.hash.to_string().starts_with(text));
    match (found.next(), found.next()) {
        (Some(version), None) => Ok(version),
        (None, _) => Err(invalid(format!("The plugin has no version {text}"))),
        (Some(_), Some(_)) => Err(invalid(format!("More than one version begins with {text}"))),
    }
}

fn no_canary() -> OrderError {
    OrderError::NotNow("The plugin has no canary".to_owned())
}

fn changed_meanwhile() -> OrderError {
    OrderError::NotNow("The plugin changed meanwhile; look, and try again".to_owned())
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;
    use crate::life::Coming;

    #[test]
    fn a_version_is_found_by_its_number_and_by_the_beginning_of_its_hash() {
        let mut life = Life::default();
        for byte in [7, 8] {
            let coming = Coming {
                hash: ContentHash([byte; 32]),
                component: ContentHash([0; 32]),
                label: String::new(),
            };
            life.take(coming, How::File, Timestamp(0));
        }
        let number = |text: &str| find(&life, text).map(|version| version.number);
        assert_eq!(number("1"), Ok(1));
        assert_eq!(number("080808080808"), Ok(2));
        assert_eq!(number(&"07".repeat(32)), Ok(1));
        for (text, why) in [
            ("3", "no version 3"),
            ("", "named by its number"),
            ("07070707", "no version"),
            ("0707070707", "no version"),
            ("090909090909", "no version"),
            ("live", "named by its number"),
        ] {
            let told = number(text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
