//! Applications that plugins are by themselves: made when the plugin comes into force, if there is
//! none of that name yet.

use std::collections::BTreeMap;

use super::Supervisor;
use crate::catalog::{self, ChangeError};
use crate::directory::NotMade;
use crate::manifests;

impl Supervisor {
    /// Makes the applications that manifests declare. Why one cannot be made is shown, and it is
    /// tried again at each look.
    pub(super) async fn make_declared(&mut self) {
        let mut refused = BTreeMap::new();
        for plugin in self.ground.plugins.list() {
            let Some(version) = &plugin.version else {
                continue;
            };
            let declared = manifests::declared(&plugin.name, version.manifest());
            let Some(declared) = declared else { continue };
            let found = self.applications.values().any(|known| {
                let application = known.running.application();
                (&application.owner, &application.name) == (&declared.owner, &declared.name)
            });
            if found {
                continue;
            }
            let owner = declared.owner.clone();
            match catalog::create(&self.ground, declared).await {
                Ok(_) => self.nudge.notify_one(),
                // Another worker was first; the next look finds it.
                Err(ChangeError::Exists) => {}
                Err(error) => {
                    let why = error.to_string();
                    refused.insert(plugin.name.clone(), NotMade { owner, why });
                }
            }
        }
        self.directory.refuse(refused);
    }
}
