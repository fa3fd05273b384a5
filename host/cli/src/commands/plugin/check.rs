//! `millrace plugin check`: what a server would say of a plugin, without one.

use std::path::PathBuf;

use clap::Args;
use types::{Clock, StreamName, SystemClock};
use wasm::{Access, Census, Files, Limits, Role, Version, Workbench};

use super::cache;
use super::limits::LimitArgs;
use super::project::{Given, Unreadable};
use crate::failure::Failure;
use crate::output;

const MEBIBYTE: u64 = 1024 * 1024;
/// Of what admission counts, only what has more than this share of its limit in percent is shown.
const SHOWN_PERCENT_MIN: u64 = 10;

/// Does with a plugin what a server does before it puts it in force. The exit code is 0 where a
/// server would, 1 where it would refuse it, and 2 where there is nothing to check.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A component, or the folder of a plugin's sources
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    plugin: PathBuf,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let limits = args.limits.limits().map_err(Failure::Unable)?;
    let Given { name, files } = match Given::read(&args.plugin, &limits) {
        Ok(given) => given,
        Err(Unreadable::Missing(what)) => return Err(Failure::Unable(what)),
        Err(Unreadable::Refused(why)) => return Err(Failure::Text(format!("refused: {why}"))),
    };
    output::lines(&format!("{name} {}", files.hash().short()))?;
    let census = Workbench::census(&files);
    output::raw(imports(&census).as_bytes())?;
    output::raw(counts(&census, &files, &limits).as_bytes())?;
    output::flush()?;
    let bench = Workbench::open(&cache::options(limits).map_err(Failure::Unable)?);
    let bench = bench.map_err(|error| Failure::Unable(error.to_string()))?;
    let version = bench.load(&name, &files, SystemClock.now());
    let version = version.map_err(|why| Failure::Text(format!("refused: {why}")))?;
    output::raw(facts(&version).as_bytes())?;
    if let Some(block) = grants(&version) {
        output::raw(block.as_bytes())?;
    }
    Ok(output::lines("a server would put it in force")?)
}

/// What it imports, and what it gets.
fn imports(census: &Census) -> String {
    let mut rows = Vec::new();
    for import in &census.imports {
        let access = match import.access {
            Access::Granted => "granted".to_owned(),
            Access::Denied => "denied: each call is answered with an error".to_owned(),
            Access::OtherVersion(versions) => format!("refused: the host has {versions}x"),
            Access::Unknown => "refused: no plugin may have it".to_owned(),
        };
        rows.push(vec![format!("imports {}", import.name), access]);
    }
    if census.imports_left_out > 0 {
        rows.push(vec![format!("and {} more", census.imports_left_out)]);
    }
    output::table(&rows)
}

/// How much there is of what is limited, and of which share of its limit.
fn counts(census: &Census, files: &Files, limits: &Limits) -> String {
    let bytes = files.component().len() as u64;
    let head = ["what", "count", "at most", "share"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let row = |what: &str, count: u64, max: u64| {
        let share = format!("{} %", percent(count, max));
        vec![
            what.to_owned(),
            output::count(count),
            output::count(max),
            share,
        ]
    };
    rows.push(row("bytes", bytes, limits.component_bytes_max));
    for counted in &census.counted {
        if percent(counted.count, counted.max) >= SHOWN_PERCENT_MIN {
            rows.push(row(counted.what, counted.count, counted.max));
        }
    }
    let small = census.counted.len() + 2 - rows.len();
    let mut text = output::table(&rows);
    if small > 0 {
        text.push_str(&format!(
            "  {small} other counts have less than {SHOWN_PERCENT_MIN} % of their limit\n"
        ));
    }
    text
}

/// What became known of it once it was alive.
fn facts(version: &Version) -> String {
    let facts = version.facts();
    let limits = version.manifest().limits;
    let compiled = if facts.from_cache {
        "its code was there".to_owned()
    } else {
        format!("compiled in {} ms", facts.compile_time.as_millis())
    };
    let memory = limits.memory_bytes_max as u64 / MEBIBYTE;
    let batch = limits.batch_time_max.as_millis();
    let config: Vec<&str> = version
        .manifest()
        .config
        .keys()
        .map(String::as_str)
        .collect();
    let config = match config.as_slice() {
        [] => "nothing".to_owned(),
        keys => keys.join(", "),
    };
    let mut rows = vec![
        ("world", version.world_name().to_owned()),
        ("version", version.label().to_owned()),
        ("code", compiled),
        (
            "may use",
            format!("{memory} MiB of memory, {batch} ms for a batch"),
        ),
        ("is told", format!("{config} ([config])")),
    ];
    let manifest = version.manifest();
    if let Some(application) = &manifest.application {
        rows.push(("consumes", application.stream.to_string()));
    }
    let emit = manifest.grants.emit.iter().map(ToString::to_string);
    let (tables, streams) = (manifest.grants.tables.iter(), emit);
    rows.extend(tables.map(|table| ("asks for", format!("the table {table}"))));
    rows.extend(streams.map(|stream| ("asks for", format!("the stream {stream}"))));
    let (secrets, hosts) = (&manifest.grants.secrets, &manifest.grants.http);
    rows.extend(
        secrets
            .iter()
            .map(|it| ("asks for", format!("the secret {it}"))),
    );
    rows.extend(
        hosts
            .iter()
            .map(|it| ("asks for", format!("calls to {it}"))),
    );
    if version.role() == Role::Consumer && manifest.grants.is_empty() {
        let nothing = "no table and no stream ([grants]): calls for one are answered with an error";
        rows.push(("asks for", nothing.to_owned()));
    }
    let lines = rows.iter();
    let lines = lines.map(|(what, value)| format!("  {what:<8} {value}\n"));
    lines.collect()
}

/// What an operator adds to the configuration of a server, where the plugin needs that.
fn grants(version: &Version) -> Option<String> {
    let grants = &version.manifest().grants;
    if grants.is_empty() {
        return None;
    }
    let mut block = format!(
        "the configuration of its server has to grant what it asks for:\n\n\
         [[plugin_grants]]\nname = \"{}\"\n",
        version.name()
    );
    let tables: Vec<&str> = grants.tables.iter().map(String::as_str).collect();
    let emit: Vec<&str> = grants.emit.iter().map(StreamName::as_str).collect();
    for (key, names) in [("tables", tables), ("emit", emit)] {
        if !names.is_empty() {
            // Names of tables and streams have no character that TOML would need to escape.
            block.push_str(&format!("{key} = [\"{}\"]\n", names.join("\", \"")));
        }
    }
    if !grants.secrets.is_empty() {
        let secrets = grants.secrets.iter().map(|it| format!("{it} = \"FILE\""));
        let secrets: Vec<String> = secrets.collect();
        block.push_str(&format!("secrets = {{ {} }}\n", secrets.join(", ")));
    }
    if !grants.http.is_empty() {
        let hosts: Vec<String> = grants.http.iter().map(ToString::to_string).collect();
        block.push_str(&format!("http = [\"{}\"]\n", hosts.join("\", \"")));
    }
    block.push('\n');
    Some(block)
}

/// A share, rounded up: what is there is never none.
fn percent(count: u64, max: u64) -> u64 {
    count.saturating_mul(100).div_ceil(max.max(1))
}
