//! `millrace table watch`: reads the table through again and again, and prints what is another than
//! the time before. What changes twice in between is seen once.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::print::{Format, line};
use super::scan::Pages;
use super::shapes::{Item, ItemPage};
use crate::client::{Client, TargetArgs};
use crate::failure::Failure;
use crate::output;

/// Items that are watched at most: what is remembered of each is its key and its version.
const WATCHED_MAX: usize = 100_000;

#[derive(Args)]
pub(crate) struct WatchArgs {
    /// The table's name
    table: String,
    /// Only items whose hash key begins so: text, or bytes as base64:…
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    prefix: Option<String>,
    /// Milliseconds between two looks through the table
    #[arg(long, value_name = "MS", default_value_t = 500)]
    every_ms: u64,
    /// End after so many changes
    #[arg(short = 'n', value_name = "COUNT")]
    count: Option<usize>,
    /// What a change is printed as
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    target: TargetArgs,
}

/// What is known of an item: its version, and its line for when it is gone.
struct Known {
    version: u64,
    line: String,
}

pub(crate) async fn run(args: &WatchArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    tokio::select! {
        watched = watch(args, &mut client) => watched,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn watch(args: &WatchArgs, client: &mut Client) -> Result<(), Failure> {
    let mut before = look(args, client, &mut |_, _| {}).await?;
    let mut left = args.count;
    while left != Some(0) {
        tokio::time::sleep(Duration::from_millis(args.every_ms)).await;
        output::check_reader()?;
        let known = mem::take(&mut before);
        let mut told = Vec::new();
        let mut show = |page: &ItemPage, item: &Item| match known.get(&item.id) {
            Some(there) if there.version == item.version => {}
            Some(_) => told.push(("changed", line(page, item, args.format))),
            None => told.push(("new", line(page, item, args.format))),
        };
        before = look(args, client, &mut show).await?;
        let gone = known.iter().filter(|(id, _)| !before.contains_key(*id));
        told.extend(gone.map(|(_, there)| ("gone", there.line.clone())));
        for (what, line) in told.into_iter().take(left.unwrap_or(usize::MAX)) {
            output::lines(&change(what, &line, args.format))?;
            left = left.map(|left| left - 1);
        }
    }
    Ok(())
}

fn change(what: &str, line: &str, format: Format) -> String {
    match (format, serde_json::from_str::<serde_json::Value>(line)) {
        (Format::Json, Ok(mut item)) => {
            item["change"] = json!(what);
            item.to_string()
        }
        _ => format!("{what:<8}{line}"),
    }
}

/// Looks the table through once. Each item is shown, and what to know of it is given back.
async fn look(
    args: &WatchArgs,
    client: &mut Client,
    show: &mut (dyn FnMut(&ItemPage, &Item) + Send),
) -> Result<BTreeMap<String, Known>, Failure> {
    const PAGE_ITEMS: usize = 1_000;
    let mut pages = Pages::new(&args.table, args.prefix.as_deref())?;
    let mut seen = BTreeMap::new();
    while let Some(page) = pages.next(client, PAGE_ITEMS).await? {
        for item in &page.items {
            show(&page, item);
            let known = Known {
                version: item.version,
                line: line(&page, item, args.format),
            };
            seen.insert(item.id.clone(), known);
        }
        if seen.len() > WATCHED_MAX {
            return Err(Failure::Text(format!(
                "{} has more than {WATCHED_MAX} items; watch a part of them with --prefix",
                args.table
            )));
        }
    }
    Ok(seen)
}
