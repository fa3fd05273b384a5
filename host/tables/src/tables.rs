//! The service: tables on the store, for operations and for applications.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use store::{Engine, StoreError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use types::Clock;

use crate::catalog::{CatalogHandle, CatalogTask, Ground};
use crate::directory::Directory;
use crate::row_turns::RowTurns;
use crate::{rows, upkeep};

/// All tables of a server.
pub struct Tables {
    pub(crate) ground: Ground,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) catalog: CatalogHandle,
    pub(crate) row_turns: Arc<RowTurns>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

impl Tables {
    /// Opens the tables that `engine` keeps, and goes on with what was begun on them.
    ///
    /// # Errors
    /// The store cannot be read, or another build wrote it.
    pub async fn open(
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, StoreError> {
        let loaded = rows::load(&*engine).await?;
        let directory = Arc::new(Directory::default());
        let ground = Ground {
            engine: Arc::clone(&engine),
            clock,
            directory: Arc::clone(&directory),
            work: Arc::new(Notify::new()),
        };
        let (catalog, task) = CatalogTask::new(ground.clone(), loaded);
        let (stop, stopped) = watch::channel(false);
        let tables = Arc::new(Self {
            ground,
            engine,
            directory,
            catalog,
            row_turns: Arc::default(),
            stop,
            tasks: Mutex::new(Vec::new()),
        });
        // The task holds the service weakly, so that dropping the service ends the task.
        let upkeep = upkeep::run(Arc::downgrade(&tables), stopped);
        let tasks = vec![tokio::spawn(task.run()), tokio::spawn(upkeep)];
        *tables.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(tables)
    }

    /// Ends the background tasks after what they have begun. Changes of tables that come later are
    /// refused.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        self.catalog.stop().await;
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task of the tables ended badly");
            }
        }
    }
}
