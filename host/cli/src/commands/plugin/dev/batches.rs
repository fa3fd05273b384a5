//! What a consumer's batches did in the server that it is developed in: how far it came, what its
//! tables hold otherwise than before, which records it put into other streams, and what failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wasm::Grants;

use super::found;
use crate::client::{Client, Method, Target};
use crate::commands::app::{Description, Letters, Shard};
use crate::commands::stream::{Begin, Reading};
use crate::commands::table;
use crate::failure::Failure;
use crate::output;

/// Changes, and records, that are shown of one look; of more only the number is.
const SHOWN_MAX: usize = 10;
/// Entries of a table that are looked through for changes; those beyond are not shown.
const ENTRIES_MAX: usize = 10_000;
/// Characters of a key, a value or a record that are shown.
const CHARS_MAX: usize = 60;

/// Entries by their keys: versions and values.
type Entries = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// What was told last.
pub(super) struct Batches {
    client: Client,
    page: String,
    /// Batches, and those that were done again, of each shard.
    shards: BTreeMap<String, Told>,
    /// Entries of each table.
    tables: BTreeMap<String, Entries>,
    emitted: Vec<(String, Reading)>,
    letters: BTreeSet<String>,
}

/// What was told of a shard.
#[derive(Clone, Default, PartialEq, Eq)]
struct Told {
    batches: u64,
    records: u64,
    rows: u64,
    emitted: u64,
    swap_refused: Option<String>,
    stuck: Option<String>,
}

impl Batches {
    /// Those of the application of this name, which writes to what is granted to it.
    pub(super) async fn of(
        target: &Arc<Target>,
        application: &str,
        grants: &Grants,
    ) -> Result<Self, Failure> {
        let mut batches = Self {
            client: Client::new(target),
            page: format!("apps/{application}"),
            shards: BTreeMap::new(),
            tables: BTreeMap::new(),
            emitted: Vec::new(),
            letters: BTreeSet::new(),
        };
        for table in &grants.tables {
            batches.tables.insert(table.clone(), BTreeMap::new());
        }
        // What lies there from before is none of what its batches did.
        batches.table_changes().await?;
        for stream in &grants.emit {
            let stream = stream.as_str();
            let reading = Reading::begin(target, stream, Begin::Latest).await?;
            batches.emitted.push((stream.to_owned(), reading));
        }
        Ok(batches)
    }

    /// Prints what happened since the last time.
    pub(super) async fn tell(&mut self) -> Result<(), Failure> {
        let described: Option<Description> =
            found(self.client.page(Method::GET, &self.page).await)?;
        let Some(described) = described else {
            return Ok(());
        };
        let mut is_new = false;
        for shard in &described.shards {
            let told = Told::of(shard);
            let before = self.shards.insert(shard.shard.clone(), told.clone());
            let before = before.unwrap_or_default();
            if told != before {
                output::raw(told.text(&before, shard).as_bytes())?;
                is_new = true;
            }
        }
        if is_new {
            let mut lines = self.table_changes().await?;
            lines.extend(self.records().await?);
            show(&lines)?;
        }
        if described.letters > 0 {
            self.tell_letters().await?;
        }
        Ok(output::flush()?)
    }

    /// Where tables hold something else than the last time.
    async fn table_changes(&mut self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for (table, known) in &mut self.tables {
            let entries = table::entries(&mut self.client, table, ENTRIES_MAX).await?;
            let read = entries.unwrap_or_default();
            let is_whole = read.is_whole;
            let now: BTreeMap<_, _> = read
                .entries
                .into_iter()
                .map(|entry| (entry.key, (entry.version, entry.value)))
                .collect();
            for (key, (version, value)) in &now {
                let (key_shown, shown) = (shown(key), shown(value));
                match known.get(key) {
                    Some((before, _)) if before == version => {}
                    Some((_, before)) => lines.push(format!(
                        "wrote {table}: {key_shown} = {shown} (was {})",
                        self::shown(before)
                    )),
                    None => lines.push(format!("wrote {table}: {key_shown} = {shown}")),
                }
            }
            // What lies beyond those that were read is not gone.
            let gone = known.keys();
            let gone = gone.filter(|key| is_whole && !now.contains_key(*key));
            lines.extend(gone.map(|key| format!("deleted {table}: {}", shown(key))));
            *known = now;
        }
        Ok(lines)
    }

    /// Records that came out.
    async fn records(&mut self) -> Result<Vec<String>, Failure> {
        let mut lines = Vec::new();
        for (stream, reading) in &mut self.emitted {
            for record in reading.next().await? {
                let (key, data) = (shown(record.partition_key.as_bytes()), shown(&record.data));
                lines.push(format!("emitted to {stream}: {data} (partition key {key})"));
            }
        }
        Ok(lines)
    }

    /// Says which records became dead letters, each once.
    async fn tell_letters(&mut self) -> Result<(), Failure> {
        let page = format!("{}/dead-letters", self.page);
        let page: Letters = self.client.page(Method::GET, &page).await?;
        let mut lines = Vec::new();
        for letter in page.dead_letters {
            if self.letters.insert(letter.id.clone()) {
                let reason = &letter.reason;
                lines.push(format!(
                    "failed for good: dead letter {}: {reason}",
                    letter.id
                ));
            }
        }
        show(&lines)
    }
}

impl Told {
    fn of(shard: &Shard) -> Self {
        Self {
            batches: shard.batches,
            records: shard.counts.processed,
            rows: shard.counts.rows,
            emitted: shard.counts.emitted,
            swap_refused: shard.swap_refused.clone(),
            stuck: shard.stuck.clone(),
        }
    }

    /// What is new.
    fn text(&self, before: &Self, shard: &Shard) -> String {
        let number = output::count;
        let mut text = String::new();
        let more = self.batches.saturating_sub(before.batches);
        if more > 0 {
            let which = match more {
                1 => format!("batch {}", number(self.batches)),
                _ => format!(
                    "batches {} to {}",
                    number(before.batches + 1),
                    number(self.batches)
                ),
            };
            text.push_str(&format!(
                "  {which} of {}: {} records, {} entries written, {} records emitted; checkpoint \
                 after record {}, {} waiting\n",
                shard.shard,
                number(self.records.saturating_sub(before.records)),
                number(self.rows.saturating_sub(before.rows)),
                number(self.emitted.saturating_sub(before.emitted)),
                number(self.records),
                number(shard.waiting)
            ));
        }
        for (what, now, before) in [
            ("not swapped in", &self.swap_refused, &before.swap_refused),
            ("does not get on", &self.stuck, &before.stuck),
        ] {
            if let Some(why) = now.as_ref().filter(|_| now != before) {
                text.push_str(&format!("  {} {what}: {why}\n", shard.shard));
            }
        }
        text
    }
}

fn show(lines: &[String]) -> Result<(), Failure> {
    for line in lines.iter().take(SHOWN_MAX) {
        output::lines(&format!("    {line}"))?;
    }
    if lines.len() > SHOWN_MAX {
        output::lines(&format!("    and {} more", lines.len() - SHOWN_MAX))?;
    }
    Ok(())
}

/// Bytes as a text in quotes, cut where it is long.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
