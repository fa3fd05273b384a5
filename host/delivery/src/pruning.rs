//! Deleting versions of plugins that nothing needs any more. What deliveries were begun with is
//! known here, so that the plugins are told of it.

use std::sync::Arc;

use store::{Engine, StoreError};
use tokio::task::spawn_blocking;
use wasm::{ContentHash, Plugins};

use crate::letters::notes;
use crate::redeliveries::row as redelivery;
use crate::rows;

/// Looks at the start and whenever another version comes into force. Ends with the plugins, or
/// when its task is ended: nothing is half done then.
pub async fn run(engine: Arc<dyn Engine>, plugins: Arc<Plugins>) {
    let mut changes = plugins.changes();
    loop {
        changes.borrow_and_update();
        if let Err(why) = prune(&*engine, &plugins).await {
            tracing::warn!(why, "delete old versions of plugins");
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn prune(engine: &dyn Engine, plugins: &Arc<Plugins>) -> Result<(), String> {
    let looking = Arc::clone(plugins);
    let has_surplus = spawn_blocking(move || looking.has_surplus()).await;
    if !has_surplus.map_err(|error| error.to_string())? {
        return Ok(());
    }
    let pinned = pinned(engine).await.map_err(|error| error.to_string())?;
    let pruning = Arc::clone(plugins);
    let pruned = spawn_blocking(move || pruning.prune(&pinned)).await;
    pruned.map_err(|error| error.to_string())
}

/// The versions that open cuts are finished with, those that replayed records go
/// through, and those that are named by what is delivered once more.
async fn pinned(engine: &dyn Engine) -> Result<Vec<ContentHash>, StoreError> {
    let mut pinned = notes::pinned(engine).await?;
    pinned.extend(redelivery::pinned(engine).await?);
    for (_, lane) in rows::load_lanes(engine, None).await? {
        // Of a lane that cannot be read it is not known what it needs: nothing is deleted.
        let open = lane?.open;
        pinned.extend(open.and_then(|open| Some(open.cut.plugin?.hash)));
    }
    Ok(pinned)
}
