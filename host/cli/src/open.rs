//! Opening the store in a directory.

use std::path::Path;
use std::sync::Arc;

use store::disk::real::RealDisk;
use store::embedded::{Embedded, Options};

/// Opens the embedded engine on `dir`, which is made if it is not there. Fails by name if another
/// server has it open.
pub(crate) async fn engine(dir: &Path) -> Result<Arc<Embedded>, String> {
    let owned = dir.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let in_dir = |what: String| format!("open the data directory {}: {what}", owned.display());
        std::fs::create_dir_all(&owned).map_err(|error| in_dir(error.to_string()))?;
        let disk = RealDisk::new(owned.clone()).map_err(|error| in_dir(error.to_string()))?;
        Embedded::open(Arc::new(disk), Options::default())
            .map_err(|error| in_dir(error.to_string()))
    });
    opened
        .await
        .map_err(|error| format!("open the data directory {}: {error}", dir.display()))?
}
