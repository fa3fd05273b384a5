//! What the pages of plugins say of versions: which are in use, and which were in force when.

use std::collections::BTreeMap;

use serde::Serialize;
use wasm::{Canary, Event, Life, Numbered, Plugin, SetAside, Signed, Version};

use super::shadow_page::ShadowPage;
use super::viewer::Viewer;

/// Lines of the history that a plugin's page has; the history's own page has all.
const RECENT_EVENTS: usize = 5;

/// What a plugin's page says of its versions.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    /// The number of the version in force.
    number: Option<u64>,
    /// The version that a rollback would put in force.
    before: Option<u64>,
    rollbacks: u64,
    automatic_rollbacks: u64,
    /// What came of a version that failed on too many records, since the last swap.
    failing: Option<String>,
    paused_at_ms: Option<u64>,
    canary: Option<CanaryPage>,
    aliases: BTreeMap<String, u64>,
    set_aside: Option<SetAsidePage>,
    /// What came into force last, the oldest of that first.
    recent: Vec<EventPage>,
    /// What the last shadow run found.
    shadow: Option<ShadowPage>,
    /// The versions that are in force or held ready, with what went through them.
    versions: Vec<InUse>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanaryPage {
    number: u64,
    percent: u8,
    since_ms: u64,
}

/// What lies in the plugins directory and is not taken by itself.
#[derive(Serialize)]
struct SetAsidePage {
    hash: String,
    /// Its number, if it was in use before.
    number: Option<u64>,
    why: &'static str,
}

/// One version, with what went through it since it was loaded.
#[derive(Serialize)]
struct InUse {
    number: Option<u64>,
    hash: String,
    version: String,
    #[serde(flatten)]
    through: Option<Through>,
    /// Whose signature it has, where anybody looked.
    signed: Option<String>,
}

/// What went through a version, of all accounts: for those who may see that.
#[derive(Serialize)]
struct Through {
    calls: u64,
    records: u64,
    ended: u64,
    failed: u64,
}

impl Standing {
    /// With data of records only for those who may see records of all accounts.
    pub(super) fn of(plugin: &Plugin, viewer: &Viewer) -> Self {
        let failing = plugin.failing.as_ref();
        let life = plugin.life.as_deref();
        let in_use = plugin.version.iter().chain(&plugin.others);
        let shadow = plugin.shadow.as_deref();
        let events = life.map_or(&[][..], Life::events);
        let recent = &events[events.len().saturating_sub(RECENT_EVENTS)..];
        let aliases = life.into_iter().flat_map(Life::aliases);
        Self {
            number: life.and_then(Life::in_force).map(|it| it.number),
            before: life.and_then(Life::before).map(|it| it.number),
            rollbacks: plugin.rollbacks,
            automatic_rollbacks: plugin.automatic_rollbacks,
            failing: failing.map(|what| viewer.reason(&plugin.name, what)),
            paused_at_ms: life.and_then(Life::paused).map(|at| at.0),
            canary: life.and_then(Life::canary).map(CanaryPage::of),
            aliases: aliases
                .map(|(alias, number)| (alias.to_string(), *number))
                .collect(),
            set_aside: life.and_then(|life| Some(SetAsidePage::of(life, life.set_aside()?))),
            recent: recent.iter().map(EventPage::of).collect(),
            shadow: shadow.map(|report| ShadowPage::of(report, viewer.deploys)),
            versions: in_use
                .map(|version| InUse::of(plugin, version, viewer))
                .collect(),
        }
    }
}

impl CanaryPage {
    fn of(canary: Canary) -> Self {
        Self {
            number: canary.number,
            percent: canary.percent,
            since_ms: canary.since.0,
        }
    }
}

impl SetAsidePage {
    fn of(life: &Life, aside: SetAside) -> Self {
        Self {
            hash: aside.hash.to_string(),
            number: life.of_hash(aside.hash).map(|version| version.number),
            why: aside.why.as_str(),
        }
    }
}

impl InUse {
    fn of(plugin: &Plugin, version: &Version, viewer: &Viewer) -> Self {
        let counters = version.counters();
        Self {
            number: plugin.number(version.hash()),
            hash: version.hash().to_string(),
            version: version.label().to_owned(),
            through: viewer.deploys.then(|| Through {
                calls: counters.calls.value(),
                records: counters.records.value(),
                ended: counters.ended.value(),
                failed: counters.failed.value(),
            }),
            signed: match &version.facts().signed {
                Signed::Unknown => None,
                Signed::By(key) => Some(format!("by {key}")),
                Signed::Not(why) => Some(format!("not: {}", viewer.reason(&plugin.name, why))),
            },
        }
    }
}

/// The versions of a plugin, and when which was in force.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    plugin: String,
    in_force: Option<u64>,
    /// The oldest first.
    versions: Vec<VersionPage>,
    /// What came into force when, the oldest first.
    events: Vec<EventPage>,
}

/// A version, as it is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionPage {
    number: u64,
    hash: String,
    component_hash: String,
    version: String,
    /// When it got its number.
    at_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventPage {
    number: u64,
    at_ms: u64,
    how: &'static str,
}

impl EventPage {
    fn of(event: &Event) -> Self {
        Self {
            number: event.number,
            at_ms: event.at.0,
            how: event.how.as_str(),
        }
    }
}

impl History {
    pub(super) fn of(name: &str, life: &Life) -> Self {
        let events = life.events().iter().map(EventPage::of);
        Self {
            plugin: name.to_owned(),
            in_force: life.in_force().map(|version| version.number),
            versions: life.versions().iter().map(VersionPage::of).collect(),
            events: events.collect(),
        }
    }
}

impl VersionPage {
    pub(super) fn of(version: &Numbered) -> Self {
        Self {
            number: version.number,
            hash: version.hash.to_string(),
            component_hash: version.component.to_string(),
            version: version.label.clone(),
            at_ms: version.at.0,
        }
    }
}
