//! The pages about plugins.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::output;

#[derive(Deserialize)]
pub(crate) struct Plugins {
    pub(crate) plugins: Vec<Plugin>,
    #[serde(default)]
    pub(crate) ignored: Vec<Ignored>,
}

/// What looks like a plugin and cannot be one.
#[derive(Deserialize)]
pub(crate) struct Ignored {
    pub(crate) file: String,
    pub(crate) why: String,
}

/// One plugin; what is said of a version is not there while none is in force.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) version: Option<String>,
    pub(crate) hash: Option<String>,
    pub(crate) world: Option<String>,
    pub(crate) loaded_at_ms: Option<u64>,
    pub(crate) component_bytes: Option<u64>,
    pub(crate) compile_us: Option<u64>,
    pub(crate) from_cache: Option<bool>,
    pub(crate) memory_bytes_max: Option<u64>,
    pub(crate) batch_ms_max: Option<u64>,
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    #[serde(default)]
    pub(crate) http: Vec<String>,
    pub(crate) http_calls: Option<u64>,
    pub(crate) http_refused: Option<u64>,
    pub(crate) http_failed: Option<u64>,
    pub(crate) lacks: Option<String>,
    pub(crate) calls: Option<u64>,
    pub(crate) traps: Option<u64>,
    pub(crate) deadlines: Option<u64>,
    pub(crate) log_lines_left_out: Option<u64>,
    pub(crate) counters: Option<BTreeMap<String, u64>>,
    pub(crate) refused: Option<String>,
    pub(crate) refused_at_ms: Option<u64>,
    pub(crate) swaps: u64,
    pub(crate) cpu_ms_per_second: u64,
    /// This and all that tells what went through it is not there for those who do not deploy.
    pub(crate) cpu_us: Option<u64>,
    pub(crate) held_back_us: Option<u64>,
    pub(crate) number: Option<u64>,
    pub(crate) rollbacks: Option<u64>,
    pub(crate) automatic_rollbacks: Option<u64>,
    pub(crate) failing: Option<String>,
    pub(crate) canary: Option<Canary>,
    #[serde(default)]
    pub(crate) aliases: BTreeMap<String, u64>,
    pub(crate) set_aside: Option<SetAside>,
    pub(crate) shadow: Option<Shadow>,
    #[serde(default)]
    pub(crate) recent: Vec<Event>,
    #[serde(default)]
    pub(crate) versions: Vec<InUse>,
    #[serde(default)]
    pub(crate) costs: Vec<VersionCosts>,
    #[serde(default)]
    pub(crate) accounts: Vec<AccountCosts>,
}

/// A version that a share of the lanes go by.
#[derive(Deserialize)]
pub(crate) struct Canary {
    pub(crate) number: u64,
    pub(crate) percent: u64,
}

/// What lies in the plugins directory and is not taken by itself.
#[derive(Deserialize)]
pub(crate) struct SetAside {
    pub(crate) hash: String,
    pub(crate) number: Option<u64>,
    pub(crate) why: String,
}

/// What the last shadow run found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shadow {
    pub(crate) at_ms: u64,
    /// Not there for those who do not deploy.
    pub(crate) source: Option<String>,
    pub(crate) hash: String,
    pub(crate) records: u64,
    pub(crate) left_out: u64,
    pub(crate) old: ShadowSide,
    pub(crate) new: ShadowSide,
    pub(crate) differing: u64,
}

/// What one version made of the records of a shadow run.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShadowSide {
    pub(crate) ok: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
    pub(crate) output_bytes: u64,
    pub(crate) ns_per_record: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) fault: Option<String>,
}

/// A version that is in force or held ready.
#[derive(Deserialize)]
pub(crate) struct InUse {
    pub(crate) number: Option<u64>,
    pub(crate) hash: String,
    pub(crate) calls: Option<u64>,
    pub(crate) ended: Option<u64>,
    pub(crate) failed: Option<u64>,
    pub(crate) signed: Option<String>,
}

/// What a version costs, or all together that are not shown by themselves.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionCosts {
    pub(crate) version: String,
    pub(crate) number: Option<u64>,
    pub(crate) calls: u64,
    pub(crate) records: u64,
    pub(crate) ok: u64,
    pub(crate) dropped: u64,
    pub(crate) failed: u64,
    pub(crate) batch_us: u64,
    pub(crate) processor_us: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) starts_failed: u64,
    pub(crate) faults: BTreeMap<String, u64>,
}

/// What is done for an account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountCosts {
    pub(crate) account: String,
    pub(crate) calls: u64,
    pub(crate) records: u64,
    pub(crate) processor_us: u64,
}

/// A version came into force.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) number: u64,
    pub(crate) at_ms: u64,
    pub(crate) how: String,
}

/// What an order was about.
#[derive(Deserialize)]
pub(crate) struct Obeyed {
    pub(crate) version: Option<Numbered>,
}

/// A version with its number.
#[derive(Deserialize)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) hash: String,
    pub(crate) version: String,
}

impl Numbered {
    /// The version as a person tells it from others.
    pub(crate) fn text(&self) -> String {
        let Self {
            number,
            hash,
            version,
        } = self;
        let hash = hash.get(..12).unwrap_or(hash);
        format!("version {number} ({version} {hash})").replace("( ", "(")
    }
}

impl Shadow {
    /// What it found, as rows.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let [records, left_out, differing] =
            [self.records, self.left_out, self.differing].map(output::count);
        let hash = self.hash.get(..12).unwrap_or(&self.hash);
        let at = output::time(self.at_ms);
        let source = match self.source.as_deref() {
            None => String::new(),
            Some("") => " of no delivery stream".to_owned(),
            Some(source) => format!(" of {source}"),
        };
        vec![
            (
                "shadow run",
                format!("of {hash} at {at}, {records} records{source}"),
            ),
            ("left out", left_out),
            ("differing", differing),
            ("before", self.old.text()),
            ("after", self.new.text()),
        ]
    }
}

impl ShadowSide {
    /// All of it in one line.
    pub(crate) fn text(&self) -> String {
        let numbers = [
            self.ok,
            self.dropped,
            self.failed,
            self.output_bytes,
            self.ns_per_record,
            self.memory_bytes,
        ];
        let [ok, dropped, failed, bytes, time, memory] = numbers.map(output::count);
        let fault = self.fault.as_deref();
        let fault = fault.map_or_else(String::new, |fault| format!("; {fault}"));
        format!(
            "{ok} ok, {dropped} dropped, {failed} failed, {bytes} bytes, {time} ns a record, \
             {memory} bytes of memory{fault}"
        )
    }
}

impl SetAside {
    /// What lies there, and why it is left alone.
    pub(crate) fn text(&self) -> String {
        let hash = self.hash.get(..12).unwrap_or(&self.hash);
        match self.number {
            Some(number) => format!("{} (version {number}, {hash})", self.why),
            None => format!("{} ({hash})", self.why),
        }
    }
}

impl Plugin {
    /// Why what lies in the plugins directory is not in force, and since when that is known.
    pub(crate) fn refusal(&self) -> Option<String> {
        let why = self.refused.as_deref()?;
        let at = self.refused_at_ms.map(output::time);
        let at = at.map_or_else(String::new, |at| format!(" at {at}"));
        Some(format!(
            "{}: what lies there was refused{at}: {why}",
            self.name
        ))
    }

    /// The version in force, as a person tells it from others.
    pub(crate) fn version_text(&self) -> String {
        let version = self.version.as_deref().unwrap_or_default();
        let hash = self
            .hash
            .as_deref()
            .and_then(|hash| hash.get(..12))
            .unwrap_or("-");
        format!("{version} {hash}").trim().to_owned()
    }
}
