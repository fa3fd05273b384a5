//! What everything in this crate works with.

use std::sync::Arc;

use store::Engine;
use streams::Streams;
use tables::Tables;
use tokio::runtime::Handle;
use types::{Clock, Timestamp};
use wasm::{GuestThreads, Manifest, Party, PluginName, Plugins};

use crate::application::Application;
use crate::budget::Budget;
use crate::effects::{Grants, Sources};
use crate::granted::Granted;
use crate::instances::Instances;
use crate::manifests;

/// Where the numbers of applications begin among the parties that share the threads of guests:
/// those below are delivery streams.
const PARTIES_FIRST: u64 = 1 << 63;

/// The parts of the server that applications use, and what they share.
pub struct Ground {
    /// Logs and tables.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams.
    pub streams: Arc<Streams>,
    /// Tables.
    pub tables: Arc<Tables>,
    /// Plugins.
    pub plugins: Arc<Plugins>,
    /// The threads that guests run on.
    pub threads: Arc<GuestThreads>,
    /// Memory for batches.
    pub budget: Arc<Budget>,
    /// Instances that live on.
    pub instances: Arc<Instances>,
    /// What the operator lets plugins do.
    pub grants: Arc<Granted>,
    /// What the operations of tables run on, for calls from the threads of guests.
    pub runtime: Handle,
}

impl Ground {
    /// What the clock says.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What a plugin may do.
    pub fn grants_of(&self, plugin: &PluginName) -> Arc<Grants> {
        self.grants.of(plugin)
    }

    /// Who an application is among those that share the threads.
    pub fn party(application: &Application, plugin: &PluginName) -> Party {
        Party {
            account: application.owner.account,
            delivery_stream: PARTIES_FIRST | application.id.0,
            plugin: Some(plugin.clone()),
        }
    }

    /// Where the reads of an application's batches come from.
    pub fn sources(&self, application: &Application) -> Sources {
        Sources {
            tables: Arc::clone(&self.tables),
            runtime: self.runtime.clone(),
            owner: application.owner.clone(),
            plugin: application.plugin.clone(),
            grants: Arc::clone(&self.grants),
        }
    }

    /// Why a plugin whose manifest asks for so much may not work, if it may not.
    pub fn lacking(&self, plugin: &PluginName, manifest: &Manifest) -> Option<String> {
        let asked = manifests::asked(manifest);
        let lines = self.grants_of(plugin).lacking(plugin, &asked);
        let others = self.plugins.lacking(manifest);
        let lines: Vec<String> = lines.into_iter().chain(others).collect();
        (!lines.is_empty()).then(|| {
            let lines = lines.join(" and ");
            format!(
                "its manifest asks for more than is granted to it; the operator would write {lines}"
            )
        })
    }
}
