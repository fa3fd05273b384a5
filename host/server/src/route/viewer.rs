//! What of plugins an account is shown: they are of all accounts, and what is said of one may hold
//! what another account wrote.

use std::collections::BTreeSet;

use wasm::{PluginName, REASON_HIDDEN};

/// Who looks at the pages of plugins.
pub(super) struct Viewer {
    /// They deploy plugins, and may see records of all accounts.
    pub(super) deploys: bool,
    /// The plugins that their account works with.
    pub(super) served_by: BTreeSet<PluginName>,
}

impl Viewer {
    /// Whether they may see why something of a plugin was refused.
    pub(super) fn sees_reasons_of(&self, plugin: &PluginName) -> bool {
        self.deploys || self.served_by.contains(plugin)
    }

    /// Why something of a plugin was refused, or that there is a reason.
    pub(super) fn reason(&self, plugin: &PluginName, why: &str) -> String {
        if self.sees_reasons_of(plugin) {
            why.to_owned()
        } else {
            REASON_HIDDEN.to_owned()
        }
    }
}
