//! `GET /_millrace/plugins/NAME/logs`: what a plugin logged last.
//!
//! | in the query | |
//! |---|---|
//! | `after=N` | lines with a greater number only |
//! | `run=ID` | of the server whose numbers these are; of another one all lines are given |
//! | `version=HASH`, `shard=ID` | lines of this version (its first digits), of this shard |
//! | `level=warn` | lines of this level and of graver ones |
//!
//! The answer is `{"run", "lines", "next", "missed", "leftOut"}`: `next` is what `after` should be
//! the next time, `missed` how many lines after `after` were gone before they were read, whatever
//! they said, and `leftOut` how many lines the versions that are held have not logged since they
//! said more than they may.

use std::borrow::Cow;

use serde::Serialize;
use types::LogEntry;
use wasm::{LogAsked, LogLevel, LogLine, PluginName, Plugins, WorksFor};
use wire::{Answer, ApiError, form, json};

use super::api::not_found;
use super::log_query;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogPage {
    run: String,
    lines: Vec<LinePage>,
    next: u64,
    missed: u64,
    left_out: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinePage {
    number: u64,
    at_ms: u64,
    version: String,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    text: String,
}

impl LinePage {
    fn of(entry: LogEntry<LogLine>) -> Self {
        let line = entry.what;
        let at = line.at_work.as_deref();
        let name = |of: &WorksFor| of.name().to_owned();
        let is_application = |of: &&WorksFor| matches!(of, WorksFor::Application(_));
        let of = at.map(|at| &at.of);
        Self {
            number: entry.number,
            at_ms: entry.at.0,
            version: line.version.to_string(),
            level: line.level.as_str(),
            account: at.map(|at| at.account.to_string()),
            delivery_stream: of.filter(|of| !is_application(of)).map(name),
            application: of.filter(is_application).map(name),
            shard: at.and_then(|at| at.shard.clone()),
            text: line.text,
        }
    }
}

/// What a plugin logged last, as far as it was asked for.
pub(super) fn logs(plugins: &Plugins, name: &str, query: Option<&str>) -> Result<Answer, ApiError> {
    let asked = asked(query.unwrap_or_default())?;
    let found = PluginName::parse(name).ok();
    let found = found.and_then(|name| {
        let read = plugins.log(&name, &asked, log_query::ENTRIES_MAX)?;
        Some((read, plugins.find(&name)?))
    });
    let (read, plugin) = found.ok_or_else(|| not_found(&format!("plugin {name}")))?;
    let held = plugin.version.iter().chain(&plugin.others);
    json::answer(&LogPage {
        run: read.run,
        lines: read.entries.into_iter().map(LinePage::of).collect(),
        next: read.next,
        missed: read.missed,
        left_out: held.map(|version| version.log_lines_left_out()).sum(),
    })
}

fn asked(query: &str) -> Result<LogAsked, ApiError> {
    let given = |name| form::parameter(query, name);
    let level = match given("level") {
        None => LogLevel::Trace,
        Some(level) => LogLevel::parse(&level)
            .ok_or_else(|| log_query::invalid("The level is trace, debug, info, warn or error."))?,
    };
    Ok(LogAsked {
        from: log_query::from(query)?,
        version: given("version").map(Cow::into_owned),
        shard: given("shard").map(Cow::into_owned),
        level,
    })
}
