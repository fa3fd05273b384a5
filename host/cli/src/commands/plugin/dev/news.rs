//! What happens in the server while a plugin is developed: lines of its log, its counters, and what
//! became of records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::feed::Feed;
use super::found;
use super::stage::Stage;
use crate::client::{Client, Method};
use crate::commands::delivery::DeliveryStream;
use crate::commands::log_reader::Reader;
use crate::commands::plugin::Plugin;
use crate::commands::plugin::logs;
use crate::failure::Failure;
use crate::output;

/// Between two times that counts are told, while records flow: they change all the time.
const COUNTS_EVERY: Duration = Duration::from_secs(5);

/// What was told last.
pub(super) struct News {
    client: Client,
    log: Reader<logs::Line>,
    counters: BTreeMap<String, u64>,
    delivered: Option<String>,
    trouble: Option<String>,
    /// When counts were told last.
    counts_at: Option<Instant>,
}

impl News {
    pub(super) fn new(stage: &Stage) -> Self {
        Self {
            client: stage.client(),
            log: Reader::new(logs::page(stage.plugin().as_str())),
            counters: BTreeMap::new(),
            delivered: None,
            trouble: None,
            counts_at: None,
        }
    }

    /// Prints what is new.
    pub(super) async fn tell(&mut self, stage: &Stage, feed: &Feed) -> Result<(), Failure> {
        if let Some(news) = found(self.log.next(&mut self.client).await)? {
            for line in news.lines {
                output::lines(&format!("  log {line}"))?;
            }
        }
        let is_due = |at: Instant| at.elapsed() >= COUNTS_EVERY;
        if self.counts_at.is_none_or(is_due) {
            let told_counters = self.tell_counters(stage).await?;
            if self.tell_delivered(stage, feed).await? || told_counters {
                self.counts_at = Some(Instant::now());
            }
        }
        let (_, trouble) = feed.progress();
        if trouble != self.trouble {
            if let Some(trouble) = &trouble {
                output::lines(&format!("  no records go in: {trouble}"))?;
            }
            self.trouble = trouble;
        }
        Ok(())
    }

    /// Tells the plugin's counters if one has changed; whether one has.
    async fn tell_counters(&mut self, stage: &Stage) -> Result<bool, Failure> {
        let page = format!("plugins/{}", stage.plugin());
        let plugin: Option<Plugin> = found(self.client.page(Method::GET, &page).await)?;
        let counters = plugin
            .and_then(|plugin| plugin.counters)
            .unwrap_or_default();
        let changed = counters.iter().filter(|(name, count)| {
            let before = self.counters.get(*name);
            before != Some(*count)
        });
        let changed = changed.map(|(name, count)| format!("{name} {}", output::count(*count)));
        let changed: Vec<String> = changed.collect();
        let is_new = !changed.is_empty();
        if is_new {
            output::lines(&format!("  counters {}", changed.join(", ")))?;
        }
        self.counters = counters;
        Ok(is_new)
    }

    /// Tells what became of records if that has changed; whether it has.
    async fn tell_delivered(&mut self, stage: &Stage, feed: &Feed) -> Result<bool, Failure> {
        let page = format!("delivery-streams/{}", stage.plugin());
        let status: Option<DeliveryStream> = found(self.client.page(Method::GET, &page).await)?;
        let Some(status) = status else {
            return Ok(false);
        };
        let (put, _) = feed.progress();
        let text = format!(
            "  {} records put: {} delivered, {} dropped, {} failed, {} waiting; objects in {}",
            output::count(put),
            output::count(status.delivered),
            output::count(status.dropped),
            output::count(status.failed),
            output::count(status.waiting_records),
            stage.bucket().display()
        );
        // While they wait there is nothing to be told.
        let is_new = self.delivered.as_ref() != Some(&text);
        let is_told = is_new && status.waiting_records == 0 && put > 0;
        if is_told {
            output::lines(&text)?;
            self.delivered = Some(text);
        }
        Ok(is_told)
    }
}
