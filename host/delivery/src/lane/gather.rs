//! Waiting until there is something to cut, and deciding the cut.

use std::sync::Arc;
use std::time::Duration;

use store::{Position, StoreError};
use streams::pump::StepError;
use wasm::Version;

use super::work::Looked;
use super::{LaneStep, failed};
use crate::cut::{Cut, Gathering, Hints};
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::tables::LaneKey;

/// How long a waiting lane sleeps at most, so that it notices a clock that was set.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What ends a wait.
enum Woken {
    /// There may be more to gather, or time has passed.
    Look,
    /// What was gathered goes, by the configuration and with the plugin of until now.
    Close,
    /// The lane ends.
    Stop,
}

/// A configuration with the version of its plugin, if it has one.
type Ready = Option<(Arc<DeliveryStream>, Option<Arc<Version>>)>;

pub(super) fn hints(stream: &DeliveryStream) -> Hints {
    Hints {
        size_bytes: stream.plan.size_bytes,
        interval: stream.plan.interval,
    }
}

impl LaneStep {
    /// Gathers records from `from` on until they go together: there are enough, the oldest has
    /// waited long enough, or something changed around them. `None` when the lane shall end.
    pub(super) async fn gather(
        &mut self,
        from: Position,
    ) -> Result<Option<(Cut, Destination)>, StepError> {
        if let Some(open) = self.decided_ahead(from).await {
            return Ok(Some(open));
        }
        let Some((stream, plugin)) = self.ready(Some(from)).await? else {
            return Ok(None);
        };
        let hints = hints(&stream);
        let mut gathering = Gathering::new(from);
        loop {
            let looked = self.work.look(&mut gathering, hints, |_| {}).await?;
            self.state.waits(&gathering);
            if looked == Looked::UpToEnd && gathering.oldest.is_none() {
                // Retention has taken the rest of a log that has ended.
                return Ok(None);
            }
            let now = self.work.tools.clock.now();
            let left = gathering.left(hints, now);
            let is_flushed = gathering.is_before(*self.ears.flush.borrow());
            let is_due = is_flushed || looked != Looked::UpToTip || left == Some(Duration::ZERO);
            let woken = match is_due && gathering.oldest.is_some() {
                true => Woken::Close,
                false => self.wait(&gathering, left, (&stream, &plugin)).await?,
            };
            match (woken, gathering.oldest) {
                (Woken::Stop, _) => return Ok(None),
                (Woken::Close, Some(oldest)) => {
                    let cut = Cut {
                        number: self.lane.next_cut,
                        from: gathering.from,
                        to: gathering.to,
                        oldest,
                        decided_at: now,
                        records: gathering.records,
                        bytes: gathering.bytes,
                        version_id: stream.version_id,
                        plugin: plugin.map(|version| version.hash()),
                    };
                    return Ok(Some((cut, stream.destination.clone())));
                }
                (Woken::Look | Woken::Close, _) => {}
            }
        }
    }

    /// The configuration, and the version of its plugin. Waits for a plugin that is not there, and
    /// shows meanwhile what waits from a position on; `None` when the lane shall end.
    pub(super) async fn ready(&mut self, from: Option<Position>) -> Result<Ready, StepError> {
        let mut gathering = from.map(Gathering::new);
        let mut has_waited = false;
        while !*self.ears.stop.borrow() {
            let stream = Arc::clone(&self.ears.stream.borrow_and_update());
            self.ears.plugins.borrow_and_update();
            match self.plugin(&stream) {
                Ok(plugin) => {
                    if has_waited {
                        self.state.has_trouble(None);
                    }
                    return Ok(Some((stream, plugin)));
                }
                Err(why) => {
                    self.state.has_trouble(Some(why));
                    has_waited = true;
                    self.wait_for_plugin(&mut gathering, hints(&stream)).await?;
                }
            }
        }
        Ok(None)
    }

    /// The version in force of the plugin that records go through, if they go through one.
    pub(super) fn plugin(&self, stream: &DeliveryStream) -> Result<Option<Arc<Version>>, String> {
        let Some(transform) = &stream.destination.transform else {
            return Ok(None);
        };
        let name = transform.plugin().ok();
        let version = name.and_then(|name| self.work.tools.plugins.current(&name));
        match version {
            Some(version) => Ok(Some(version)),
            None => Err(format!("the plugin {} is not there", transform.plugin)),
        }
    }

    /// Returns when something changed around the lane.
    async fn wait_for_plugin(
        &mut self,
        gathering: &mut Option<Gathering>,
        hints: Hints,
    ) -> Result<(), StepError> {
        let mut beyond = None;
        if let Some(gathering) = gathering {
            if self.work.look(gathering, hints, |_| {}).await? == Looked::UpToTip {
                beyond = Some(gathering.to);
            }
            self.state.waits(gathering);
        }
        let (engine, log) = (Arc::clone(&self.work.tools.engine), self.work.log);
        let more = async {
            match beyond {
                Some(to) => engine.wait_beyond(log, to).await,
                None => std::future::pending().await,
            }
        };
        let ears = &mut self.ears;
        let waited = tokio::select! {
            waited = more => waited,
            // Nobody left to change anything: neither ends before the lanes do.
            _ = ears.plugins.changed() => Ok(()),
            _ = ears.stream.changed() => Ok(()),
            _ = ears.stop.wait_for(|stop| *stop) => Ok(()),
            // The log may be gone.
            () = tokio::time::sleep(SLEEP_MAX) => self.work.tip().map(|_| ()),
        };
        waited.map_err(|error| failed(&error))
    }

    async fn wait(
        &mut self,
        gathering: &Gathering,
        left: Option<Duration>,
        (stream, plugin): (&Arc<DeliveryStream>, &Option<Arc<Version>>),
    ) -> Result<Woken, StepError> {
        let sleep = left.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
        let engine = Arc::clone(&self.work.tools.engine);
        let ears = &mut self.ears;
        let waited = tokio::select! {
            waited = engine.wait_beyond(self.work.log, gathering.to) => waited,
            () = tokio::time::sleep(sleep) => Ok(()),
            _ = ears.stop.wait_for(|stop| *stop) => return Ok(Woken::Stop),
            _ = ears.flush.wait_for(|to| gathering.is_before(*to)) => Ok(()),
            _ = ears.stream.wait_for(|now| now.version_id != stream.version_id) => {
                return Ok(Woken::Close);
            }
            _ = ears.plugins.changed() => Ok(()),
        };
        waited.map_err(|error| failed(&error))?;
        match self.has_another(stream, plugin) {
            true => Ok(Woken::Close),
            false => Ok(Woken::Look),
        }
    }

    /// Whether another version of the plugin is in force, or none any more.
    pub(super) fn has_another(
        &self,
        stream: &DeliveryStream,
        plugin: &Option<Arc<Version>>,
    ) -> bool {
        let hash = |version: &Arc<Version>| version.hash();
        let now = self.plugin(stream).unwrap_or_default();
        now.as_ref().map(hash) != plugin.as_ref().map(hash)
    }

    /// Gives back the space of what is delivered, where the log is the delivery stream's own. Done
    /// before the next cut, since only then the pump has made its position durable.
    pub(super) async fn trim_before(&self, position: Position) {
        if self.work.key.stream != LaneKey::NO_STREAM {
            return;
        }
        let trimmed = async {
            if self.work.tools.engine.horizon(self.work.log)? < position {
                self.work.tools.engine.trim(self.work.log, position).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = trimmed.await {
            tracing::debug!(%error, "trim what is delivered");
        }
    }
}
