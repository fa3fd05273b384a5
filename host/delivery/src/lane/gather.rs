//! Waiting until there is something to cut, and deciding the cut.

use std::sync::Arc;
use std::time::Duration;

use store::{Position, StoreError};
use streams::pump::StepError;
use wasm::Version;

use super::LaneStep;
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

/// How far the log was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// There is as much as goes together.
    UntilFull,
    /// There is no more at the moment.
    UpToTip,
    /// There is no more and never will be.
    UpToEnd,
}

/// A configuration with the version of its plugin, if it has one.
type Ready = Option<(Arc<DeliveryStream>, Option<Arc<Version>>)>;

fn hints(stream: &DeliveryStream) -> Hints {
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
        let Some((stream, plugin)) = self.ready(Some(from)).await? else {
            return Ok(None);
        };
        let hints = hints(&stream);
        let mut gathering = Gathering::new(from);
        loop {
            let looked = self.look(&mut gathering, hints).await?;
            self.state.waits(&gathering);
            let now = self.tools.clock.now();
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
            let transform = stream.destination.transform.as_ref();
            let name = transform.and_then(|transform| transform.plugin().ok());
            let version = name.and_then(|name| self.tools.plugins.current(&name));
            if let (Some(transform), None) = (transform, &version) {
                let why = format!("the plugin {} is not there", transform.plugin);
                self.state.has_trouble(Some(why));
                has_waited = true;
                self.wait_for_plugin(&mut gathering, hints(&stream)).await?;
                continue;
            }
            if has_waited {
                self.state.has_trouble(None);
            }
            return Ok(Some((stream, version)));
        }
        Ok(None)
    }

    /// Returns when something changed around the lane.
    async fn wait_for_plugin(
        &mut self,
        gathering: &mut Option<Gathering>,
        hints: Hints,
    ) -> Result<(), StepError> {
        let mut beyond = None;
        if let Some(gathering) = gathering {
            if self.look(gathering, hints).await? == Looked::UpToTip {
                beyond = Some(gathering.to);
            }
            self.state.waits(gathering);
        }
        let (engine, log) = (Arc::clone(&self.tools.engine), self.log);
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
        };
        waited.map_err(|error| self.store(&error))
    }

    /// Takes in frames until there are enough or no more.
    async fn look(&mut self, gathering: &mut Gathering, hints: Hints) -> Result<Looked, StepError> {
        loop {
            let read = self.read(gathering.to).await?;
            let (next, tip, sealed) = (read.next, read.tip, read.sealed);
            for frame in &read.frames {
                gathering.add(frame);
                if gathering.is_full(hints) {
                    return Ok(Looked::UntilFull);
                }
            }
            gathering.reaches(next);
            match tip <= next {
                true if sealed => return Ok(Looked::UpToEnd),
                true => return Ok(Looked::UpToTip),
                false => {}
            }
        }
    }

    async fn wait(
        &mut self,
        gathering: &Gathering,
        left: Option<Duration>,
        (stream, plugin): (&Arc<DeliveryStream>, &Option<Arc<Version>>),
    ) -> Result<Woken, StepError> {
        let sleep = left.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
        let engine = Arc::clone(&self.tools.engine);
        let ears = &mut self.ears;
        let waited = tokio::select! {
            waited = engine.wait_beyond(self.log, gathering.to) => waited,
            () = tokio::time::sleep(sleep) => Ok(()),
            _ = ears.stop.wait_for(|stop| *stop) => return Ok(Woken::Stop),
            _ = ears.flush.wait_for(|to| gathering.is_before(*to)) => Ok(()),
            _ = ears.stream.wait_for(|now| now.version_id != stream.version_id) => {
                return Ok(Woken::Close);
            }
            _ = ears.plugins.changed() => Ok(()),
        };
        waited.map_err(|error| self.store(&error))?;
        match self.has_another(stream, plugin) {
            true => Ok(Woken::Close),
            false => Ok(Woken::Look),
        }
    }

    /// Whether another version of the plugin is in force, or none any more.
    fn has_another(&self, stream: &DeliveryStream, plugin: &Option<Arc<Version>>) -> bool {
        let transform = stream.destination.transform.as_ref();
        let name = transform.and_then(|transform| transform.plugin().ok());
        let now = name.and_then(|name| self.tools.plugins.current(&name));
        now.map(|version| version.hash()) != plugin.as_ref().map(|version| version.hash())
    }

    /// Gives back the space of what is delivered, where the log is the delivery stream's own. Done
    /// before the next cut, since only then the pump has made its position durable.
    pub(super) async fn trim_before(&self, position: Position) {
        if self.key.stream != LaneKey::NO_STREAM {
            return;
        }
        let trimmed = async {
            if self.tools.engine.horizon(self.log)? < position {
                self.tools.engine.trim(self.log, position).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = trimmed.await {
            tracing::debug!(%error, "trim what is delivered");
        }
    }
}
