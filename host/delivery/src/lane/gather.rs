//! Waiting until there is something to cut, and deciding the cut.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Position, StoreError};
use streams::pump::StepError;
use wasm::{Absence, Choice, Version};

use super::work::Looked;
use super::{LaneStep, Tools, failed};
use crate::cut::{Cut, Gathering, Hints};
use crate::delivery_stream::{DeliveryStream, Destination, NotChosen};
use crate::error_log::Wrong;
use crate::need;
use crate::open_cut::OpenCut;
use crate::pins::Pins;

/// How long a waiting lane sleeps at most, so that it notices a clock that was set.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long a version that could not be loaded is left alone, unless something changes: an attempt
/// may cost as much as compiling.
const LOAD_PAUSE: Duration = Duration::from_secs(10);

/// What ends a wait.
enum Woken {
    /// There may be more to gather, or time has passed.
    Look,
    /// Another version of the plugin is in force: what was gathered goes by that of until now.
    Close,
    /// Another configuration is in force.
    Reconfigured,
    /// The lane ends, or has an order to obey before.
    Stop,
}

/// What came of gathering by one configuration.
enum Gathered {
    /// Records that go together.
    Cut(Box<Cut>),
    /// Another configuration is in force, by which they are gathered anew.
    Reconfigured,
    /// There is nothing to gather any more, or the lane ends.
    Nothing,
}

/// Why there is no version of the plugin to go through at the moment, as a sentence.
pub(super) enum NoPlugin {
    /// An operator has the plugin paused, whichever version.
    Paused(String),
    /// It, or the version that is meant, is not there.
    Lacks(String),
}

/// A configuration with the version of its plugin, if it has one.
type Ready = Option<(Arc<DeliveryStream>, Option<Arc<Version>>)>;

impl LaneStep {
    /// Gathers records from `from` on until they go together: there are enough, the oldest has
    /// waited long enough, or another version of their plugin is in force. `None` when the lane
    /// shall end. Another configuration begins anew, by its hints.
    pub(super) async fn gather(&mut self, from: Position) -> Result<Option<OpenCut>, StepError> {
        if let Some(open) = self.decided_ahead(from).await {
            return Ok(Some(self.with_what_was_moved(open)));
        }
        self.work.named = self.work.named_at(from, &self.lane.let_go).await?;
        while let Some((stream, plugin)) = self.ready(Some(from)).await? {
            let plugin = plugin.as_ref();
            match self.gather_by(from, (&stream, plugin)).await? {
                Gathered::Cut(cut) => {
                    // What waits for its table is gathered anew.
                    let tools = Arc::clone(&self.work.tools);
                    let destination = stream.destination.clone();
                    let Ok(destination) = with_table(tools, destination).await else {
                        continue;
                    };
                    let open = OpenCut::decided(*cut, destination, &stream.plan.zone);
                    return Ok(Some(self.with_what_was_moved(open)));
                }
                Gathered::Nothing => return Ok(None),
                Gathered::Reconfigured => {}
            }
        }
        Ok(None)
    }

    fn with_what_was_moved(&self, open: OpenCut) -> OpenCut {
        match &self.lane.moved {
            Some(moved) => OpenCut {
                before: moved.of_cut(open.cut.to),
                ..open
            },
            None => open,
        }
    }

    /// The same by one configuration and with one version of its plugin.
    async fn gather_by(
        &mut self,
        from: Position,
        (stream, plugin): (&DeliveryStream, Option<&Arc<Version>>),
    ) -> Result<Gathered, StepError> {
        let hints = Hints::of(&stream.plan);
        let mut gathering = Gathering::new(from);
        loop {
            let looked = self.work.look(&mut gathering, stream, |_| {}).await?;
            self.state.waits(&gathering);
            let is_over = matches!(looked, Looked::UpToEnd | Looked::UpToDamage);
            if is_over && gathering.oldest.is_none() {
                // Retention has taken the rest of a log that has ended, or the pump must see that
                // what comes next cannot be read.
                return Ok(Gathered::Nothing);
            }
            let now = self.work.tools.clock.now();
            let left = gathering.left(hints, now);
            let is_flushed = gathering.is_before(*self.signals.flush.borrow());
            let is_due = is_flushed || looked != Looked::UpToTip || left == Some(Duration::ZERO);
            let woken = if is_due && gathering.oldest.is_some() {
                Woken::Close
            } else {
                self.gets_on();
                self.wait(&gathering, left, (stream, plugin)).await?
            };
            match (woken, gathering.oldest) {
                (Woken::Stop, _) => return Ok(Gathered::Nothing),
                (Woken::Reconfigured, _) => return Ok(Gathered::Reconfigured),
                (Woken::Close, Some(oldest)) => {
                    let plugin = plugin.map(|version| Pins::of(version, &stream.destination));
                    return Ok(Gathered::Cut(Box::new(Cut {
                        number: self.lane.next_cut,
                        from: gathering.from,
                        to: gathering.to,
                        oldest,
                        decided_at: now,
                        records: gathering.records,
                        unpacked: gathering.unpacked(self.work.unpacks()),
                        divided: gathering.extra.divided,
                        bytes: gathering.bytes,
                        object_bytes_max: need::object_bytes_max(
                            (gathering.bytes, plugin.as_ref()),
                            &stream.destination,
                        ),
                        version_id: stream.version_id,
                        plugin,
                    })));
                }
                // Nothing waits that could go by the version before.
                (Woken::Close, None) => return Ok(Gathered::Reconfigured),
                (Woken::Look, _) => {}
            }
        }
    }

    /// The configuration, and the version of its plugin. Waits for a plugin that is not there, and
    /// shows meanwhile what waits from a position on; `None` when the lane shall end.
    pub(super) async fn ready(&mut self, from: Option<Position>) -> Result<Ready, StepError> {
        let mut gathering = from.map(Gathering::new);
        let (mut told, mut load_after) = (None, Instant::now());
        // An order is obeyed between two steps.
        while !*self.signals.stop.borrow() && self.asked.is_none() {
            let stream = Arc::clone(&self.signals.stream.borrow_and_update());
            if self.signals.plugins.has_changed().unwrap_or(true) {
                load_after = Instant::now();
            }
            self.signals.plugins.borrow_and_update();
            let chosen = self.plugin(&stream);
            let is_paused = matches!(chosen, Err(NoPlugin::Paused(_)));
            let loaded = match chosen {
                Ok(None) => Ok(None),
                Ok(Some(Choice::Ready(version))) => Ok(Some(version)),
                Ok(Some(Choice::Cold(hash))) if load_after <= Instant::now() => {
                    load_after = Instant::now() + LOAD_PAUSE;
                    self.work.load(&stream.destination, hash).await.map(Some)
                }
                Ok(Some(Choice::Cold(_))) => Err(None),
                Err(NoPlugin::Paused(why) | NoPlugin::Lacks(why)) => Err(Some(why)),
            };
            // Another version would be paused, too.
            let lacks_plugin = loaded.is_err();
            let loaded = match loaded {
                Ok(plugin) => {
                    let tools = Arc::clone(&self.work.tools);
                    let found = with_table(tools, stream.destination.clone()).await;
                    found.map(|_| plugin).map_err(Some)
                }
                Err(why) => Err(why),
            };
            self.lacks = self.work.waits_for().filter(|_| lacks_plugin && !is_paused);
            match loaded {
                Ok(plugin) => {
                    if told.is_some() {
                        self.state.has_trouble(None);
                    }
                    return Ok(Some((stream, plugin)));
                }
                Err(why) => {
                    let why = why.map(|why| self.with_way_out(&stream, why));
                    // One that is left alone for now is in the same trouble as before.
                    if let Some(new) = why.as_deref().filter(|_| told != why) {
                        let (stream, shard) = (stream.arn.to_string(), self.work.key.shard);
                        let what = if lacks_plugin { "plugin" } else { "table" };
                        tracing::warn!(stream, shard, why, "a delivery waits for its {what}");
                        self.note(Wrong::Trouble, None, new);
                        self.state.has_trouble(why.clone());
                        told = why;
                    }
                    self.wait_for_plugin(&mut gathering, &stream).await?;
                }
            }
        }
        Ok(None)
    }

    /// What stands in the way of records that name a version, and the command that lets go of it.
    fn with_way_out(&self, stream: &DeliveryStream, why: String) -> String {
        // What was ordered is cancelled and not moved.
        if self.lacks.is_none() || self.work.ordered.is_some() {
            return why;
        }
        let (name, lane) = (&stream.arn.name, self.work.key.lane_name());
        format!(
            "{why}; `millrace delivery move {name} --lane {lane}` delivers them by the \
             configuration in force"
        )
    }

    /// The version of the plugin that records go through at the moment, if they go through one.
    pub(super) fn plugin(&self, stream: &DeliveryStream) -> Result<Option<Choice>, NoPlugin> {
        let pinned = self.work.waits_for();
        let Some(transform) = &stream.destination.transform else {
            return match pinned {
                None => Ok(None),
                Some(version) => Err(NoPlugin::Lacks(format!(
                    "these records are replayed through version {version}, and the configuration \
                     in force has no plugin"
                ))),
            };
        };
        let chosen = transform.choose(&self.work.tools.plugins, self.work.key);
        match (pinned, chosen) {
            // A plugin that is paused works for nobody.
            (_, Err(why @ NotChosen::Absent(_, Absence::Paused(_)))) => {
                Err(NoPlugin::Paused(why.to_string()))
            }
            // One that came meanwhile rings the bell that the lane waits for.
            (None, Err(why)) => Err(NoPlugin::Lacks(why.to_string())),
            (None, Ok(choice)) => Ok(Some(choice)),
            (Some(version), Ok(choice)) if choice.hash() == version => Ok(Some(choice)),
            (Some(version), _) => Ok(Some(Choice::Cold(version))),
        }
    }

    /// Returns when something changed around the lane.
    async fn wait_for_plugin(
        &mut self,
        gathering: &mut Option<Gathering>,
        stream: &DeliveryStream,
    ) -> Result<(), StepError> {
        let mut beyond = None;
        if let Some(gathering) = gathering {
            if self.work.look(gathering, stream, |_| {}).await? == Looked::UpToTip {
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
        let signals = &mut self.signals;
        let waited = tokio::select! {
            waited = more => waited,
            Some(asked) = signals.orders.recv() => {
                self.asked = Some(asked);
                Ok(())
            }
            // These channels do not close before the lanes end.
            _ = signals.plugins.changed() => Ok(()),
            _ = signals.stream.changed() => Ok(()),
            _ = signals.stop.wait_for(|stop| *stop) => Ok(()),
            // The log may be gone.
            () = tokio::time::sleep(SLEEP_MAX) => self.work.tip().map(|_| ()),
        };
        waited.map_err(|error| failed(&error))
    }

    async fn wait(
        &mut self,
        gathering: &Gathering,
        left: Option<Duration>,
        (stream, plugin): (&DeliveryStream, Option<&Arc<Version>>),
    ) -> Result<Woken, StepError> {
        let sleep = left.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
        let engine = Arc::clone(&self.work.tools.engine);
        let signals = &mut self.signals;
        let waited = tokio::select! {
            waited = engine.wait_beyond(self.work.log, gathering.to) => waited,
            () = tokio::time::sleep(sleep) => Ok(()),
            _ = signals.stop.wait_for(|stop| *stop) => return Ok(Woken::Stop),
            Some(asked) = signals.orders.recv() => {
                self.asked = Some(asked);
                return Ok(Woken::Stop);
            }
            _ = signals.flush.wait_for(|to| gathering.is_before(*to)) => Ok(()),
            _ = signals.stream.wait_for(|now| now.version_id != stream.version_id) => {
                return Ok(Woken::Reconfigured);
            }
            _ = signals.plugins.changed() => Ok(()),
        };
        waited.map_err(|error| failed(&error))?;
        Ok(if self.has_another(stream, plugin) {
            Woken::Close
        } else {
            Woken::Look
        })
    }

    /// Whether another version of the plugin is in force, or none any more.
    pub(super) fn has_another(
        &self,
        stream: &DeliveryStream,
        plugin: Option<&Arc<Version>>,
    ) -> bool {
        let hash = plugin.map(|version| version.hash());
        match self.plugin(stream) {
            Ok(now) => now.map(|choice| choice.hash()) != hash,
            Err(_) => hash.is_some(),
        }
    }

    /// Gives back the space of what is delivered, where the log is the delivery stream's own. Done
    /// before the next cut, since only then the pump has made its position durable.
    pub(super) async fn trim_before(&self, position: Position) {
        if !self.work.key.owns_log() {
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

/// A destination with the columns of its table as they are now, if records become rows of one:
/// what a cut goes by is decided with it.
///
/// # Errors
/// Why the table cannot be had, as a sentence.
async fn with_table(tools: Arc<Tools>, destination: Destination) -> Result<Destination, String> {
    let mut destination = destination;
    if destination.converts().is_some()
        && let Some(conversion) = &mut destination.conversion
    {
        let columns = tools.tables.columns(&conversion.schema).await?;
        conversion.columns = Some(columns);
    }
    Ok(destination)
}
