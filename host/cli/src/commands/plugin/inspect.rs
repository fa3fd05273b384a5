//! `millrace plugin inspect`.

use clap::Args;

use super::project::plugin_name;
use super::{Plugin, costs};
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The plugin's name
    #[arg(value_parser = plugin_name)]
    name: String,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &InspectArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("plugins/{}", args.name);
    let plugin: Plugin = client.page(Method::GET, &page).await?;
    let mut rows = vec![
        ("plugin", plugin.name.clone()),
        ("state", plugin.state.clone()),
        ("number", output::count_or_none(plugin.number)),
    ];
    if let Some(hash) = &plugin.hash {
        let number = output::count_or_none;
        let from = match plugin.from_cache {
            Some(true) => "loaded from the cache",
            _ => "compiled",
        };
        rows.extend([
            ("version", output::or_none(plugin.version.clone())),
            ("hash", hash.clone()),
            ("world", output::or_none(plugin.world.clone())),
            (
                "loaded at",
                output::or_none(plugin.loaded_at_ms.map(output::time)),
            ),
            (
                "component",
                format!("{} bytes", number(plugin.component_bytes)),
            ),
            (
                "code",
                format!("{from} in {} us", number(plugin.compile_us)),
            ),
            (
                "memory at most",
                format!("{} bytes", number(plugin.memory_bytes_max)),
            ),
            (
                "batch at most",
                format!("{} ms", number(plugin.batch_ms_max)),
            ),
            ("log lines left out", number(plugin.log_lines_left_out)),
        ]);
    }
    rows.extend(costs::rows(&plugin));
    let share = output::share(plugin.cpu_ms_per_second, plugin.held_back_us);
    rows.push(("processor time", share));
    if let Some(took) = plugin.cpu_us {
        rows.push(("time of turns", format!("{} us", output::count(took))));
    }
    rows.extend(granted(&plugin));
    rows.push(("swaps", output::count(plugin.swaps)));
    rows.extend(standing(&plugin));
    if let Some(why) = &plugin.refused {
        rows.push(("refused", why.clone()));
        let at = output::or_none(plugin.refused_at_ms.map(output::time));
        rows.push(("refused at", at));
    }
    for (name, value) in plugin.counters.iter().flatten() {
        output::lines(&format!("  counter {name:<14} {}", output::count(*value)))?;
    }
    for (name, value) in rows {
        output::lines(&format!("  {name:<20} {value}"))?;
    }
    match plugin.refusal() {
        Some(refusal) => Err(Failure::Text(refusal)),
        None => Ok(()),
    }
}

/// What its manifest asks the operator for.
fn granted(plugin: &Plugin) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if !plugin.secrets.is_empty() {
        rows.push(("secrets", plugin.secrets.join(", ")));
    }
    if !plugin.http.is_empty() {
        rows.push(("calls", plugin.http.join(", ")));
        let [calls, refused, failed] =
            [plugin.http_calls, plugin.http_refused, plugin.http_failed].map(output::count_or_none);
        let text = format!("{calls}, of which {refused} were refused and {failed} failed");
        rows.push(("made", text));
    }
    if let Some(lines) = &plugin.lacks {
        rows.push(("not granted", format!("write {lines}")));
    }
    rows
}

/// What is said of its versions.
fn standing(plugin: &Plugin) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("rollbacks", output::count_or_none(plugin.rollbacks)),
        (
            "automatic rollbacks",
            output::count_or_none(plugin.automatic_rollbacks),
        ),
    ];
    for version in &plugin.versions {
        let hash = version.hash.get(..12).unwrap_or(&version.hash);
        let [calls, ended, failed] =
            [version.calls, version.ended, version.failed].map(output::count_or_none);
        let number = output::count_or_none(version.number);
        let signed = version.signed.as_deref();
        let signed = signed.map_or_else(String::new, |by| format!(", signed {by}"));
        rows.push((
            "in use",
            format!("{number} ({hash}): {calls} batches, {ended} records, {failed} failed{signed}"),
        ));
    }
    for event in plugin.recent.iter().rev() {
        let (at, how) = (output::time(event.at_ms), &event.how);
        rows.push(("in force", format!("{} at {at} by {how}", event.number)));
    }
    for (alias, number) in &plugin.aliases {
        rows.push(("alias", format!("{alias} = {number}")));
    }
    if let Some(canary) = &plugin.canary {
        let text = format!("{} with {} %", canary.number, canary.percent);
        rows.push(("canary", text));
    }
    if let Some(aside) = &plugin.set_aside {
        rows.push(("set aside", aside.text()));
    }
    if let Some(failing) = &plugin.failing {
        rows.push(("failing", failing.clone()));
    }
    if let Some(shadow) = &plugin.shadow {
        rows.extend(shadow.rows());
    }
    rows
}
