//! What plugins are granted besides tables and streams: secrets, whose files are looked at as long
//! as the server lives, and calls over HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use wasm::GrantBook;

use crate::config::Config;
use crate::egress::Egress;

/// Reads the files of plugins' secrets, and prepares to make their calls.
///
/// # Errors
/// When the certificates that the machine trusts cannot be read, and a plugin may call somebody.
pub(crate) async fn open_grants(config: &Config) -> io::Result<Arc<GrantBook>> {
    let (settings, runtime) = (config.plugin_access.clone(), Handle::current());
    let opened = spawn_blocking(move || {
        let grants = GrantBook::open(settings);
        if !grants.grants_calls() {
            return Ok(Arc::new(grants));
        }
        let egress = Egress::open(runtime)?;
        Ok(Arc::new(grants.calling(Arc::new(egress))))
    });
    opened.await.map_err(io::Error::other)?
}

/// Looks at the files of plugins' secrets again and again, for ever.
pub(crate) async fn look_at_secrets(grants: Arc<GrantBook>, period: Duration) {
    // An interval of zero panics.
    let mut looks = interval(period.max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let grants = Arc::clone(&grants);
        if let Err(error) = spawn_blocking(move || grants.look()).await {
            tracing::error!(%error, "look at the secrets of plugins");
        }
    }
}
