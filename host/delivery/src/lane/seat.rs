//! The memory and the place that a cut is worked on with: how much it asks for, and as whom.

use std::sync::Arc;

use streams::pump::StepError;
use types::Invalid;
use wasm::{GuestThreads, Party};

use super::work::Work;
use crate::cut::Cut;
use crate::delivery_stream::Destination;
use crate::ledger::Asker;
use crate::need::Need;
use crate::shares::Room;

impl Work {
    /// Waits for room for a cut: so many bytes, or those that it is likely to need. One that the
    /// lane did not get rid of the last time waits with those that are slow. Nothing may be held
    /// meanwhile.
    pub(super) async fn room(
        &self,
        (cut, destination): (&Cut, &Destination),
        bytes: Option<u64>,
        is_stuck: bool,
    ) -> Result<Arc<Room>, StepError> {
        let mut asker = self.asker(destination)?;
        asker.is_slow |= is_stuck;
        if cut.plugin.is_none() {
            // It is skipped, and needs no instance.
            asker.party.plugin = None;
        }
        let bytes = bytes.unwrap_or_else(|| Need::of(cut, destination).likely);
        let room = self.tools.shares.room(asker, bytes).await;
        let room = room.ok_or_else(|| StepError::Failed("no cut is worked on any more".to_owned()));
        room.map(Arc::new)
    }

    /// Room for a cut whose frames will be in memory, if nobody waits for it.
    pub(super) fn spare_room(&self, cut: &Cut, destination: &Destination) -> Option<Arc<Room>> {
        let asker = self.asker(destination).ok()?;
        let bytes = Need::of_held(cut, destination).likely;
        self.tools.shares.spare_room(asker, bytes).map(Arc::new)
    }

    /// Requests count as slow from their beginning, so that none on its way is given up for others.
    fn asker(&self, destination: &Destination) -> Result<Asker, StepError> {
        let party = self.party(destination)?;
        Ok(Asker {
            account: self.account,
            is_slow: holds_less(&self.tools.threads, &party)
                || self.calls_servers(&party)
                || destination.kind.sends_requests(),
            party,
        })
    }

    /// Whether the plugin may wait for servers, while it holds what others could use.
    fn calls_servers(&self, party: &Party) -> bool {
        let version = party.plugin.as_ref();
        let version = version.and_then(|plugin| self.tools.plugins.current(plugin));
        version.is_some_and(|version| !version.manifest().grants.http.is_empty())
    }

    /// For whom the threads work here.
    pub(super) fn party(&self, destination: &Destination) -> Result<Party, StepError> {
        let plugin = destination.transform.as_ref().map(|it| it.plugin());
        let plugin = plugin.transpose();
        Ok(Party {
            account: self.account,
            delivery_stream: self.key.delivery_stream.0,
            plugin: plugin.map_err(|Invalid(why)| StepError::Failed(why))?,
        })
    }
}

/// Whether a party may hold half of everything at most: it is slow, or waits for its share of the
/// processors while it holds what others could use.
pub(super) fn holds_less(threads: &GuestThreads, party: &Party) -> bool {
    threads.is_slow(party) || threads.is_held_back(party)
}
