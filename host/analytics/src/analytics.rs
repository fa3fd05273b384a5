//! The service: what all operations work on.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use delivery::Delivery;
use delivery::objects::Objects;
use store::{Engine, StoreError};
use streams::Streams;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use types::Clock;
use wasm::GuestThreads;

use crate::arn::ApplicationArn;
use crate::catalog::{Catalog, CatalogTask};
use crate::directory::Directory;
use crate::limits::COMPILATIONS_MAX;
use crate::rows;
use crate::running::{Applications, Status, WorkLimits};

/// Why the service did not start.
#[derive(Clone, Debug)]
pub struct OpenError(StoreError);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load the applications of SQL: {}", self.0)
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

/// What applications stand on.
#[derive(Clone)]
pub struct Foundations {
    /// Logs and tables.
    pub engine: Arc<dyn Engine>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Streams that are read and put to.
    pub streams: Arc<Streams>,
    /// Delivery streams that are put to.
    pub delivery: Arc<Delivery>,
    /// Where reference data lies.
    pub objects: Arc<dyn Objects>,
    /// The threads that rows are worked on with, in turns with plugins.
    pub threads: Arc<GuestThreads>,
}

/// All applications of SQL of one server.
pub struct Analytics {
    pub(crate) ground: Foundations,
    pub(crate) directory: Arc<Directory>,
    pub(crate) catalog: Catalog,
    pub(crate) running: Arc<Applications>,
    /// Turns for checking code.
    pub(crate) compilations: Semaphore,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Analytics {
    /// Loads all applications and lets those go on that were at work.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open(ground: Foundations) -> Result<Arc<Self>, OpenError> {
        let loaded = rows::load(&*ground.engine).await?;
        let directory = Arc::new(Directory::default());
        let running = Arc::new(Applications::new(ground.clone(), WorkLimits::default()));
        let (catalog, task) = CatalogTask::new(
            (Arc::clone(&ground.engine), Arc::clone(&ground.clock)),
            Arc::clone(&directory),
            Arc::clone(&running),
            loaded,
        );
        Ok(Arc::new(Self {
            ground,
            directory,
            catalog,
            running,
            compilations: Semaphore::new(COMPILATIONS_MAX),
            task: Mutex::new(Some(tokio::spawn(task.run()))),
        }))
    }

    /// What all applications show of their work that were started since the server was.
    pub fn statuses(&self) -> Vec<(ApplicationArn, Status)> {
        self.running.statuses()
    }

    /// Ends all applications after what they have begun. They go on after the next start.
    pub async fn close(&self) {
        self.catalog.stop().await;
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the catalog of applications ended badly");
        }
        self.running.close().await;
    }
}
