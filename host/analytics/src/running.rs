//! Applications at work: the handle that the catalog starts, changes and stops them with.
//!
//! `session` is one application from when it begins until it is stopped or changed; `input` reads
//! its stream's shards, `merge` puts their records in order, `machine` is its program, `outputs`
//! are where rows go, and `commit` makes records, `state` and `place` durable in one transaction.

mod commit;
mod ground;
mod input;
mod limits;
mod machine;
mod merge;
mod outputs;
mod place;
mod reference;
mod session;
mod shown;
mod state;
mod wiring;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{CommitError, Purpose, StoreError, Transaction};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub use self::ground::WorkLimits;
pub use self::place::Counts;
pub use self::shown::Status;

use self::commit::Pauses;
use self::ground::Ground;
use self::place::removal_of;
use self::session::{Opening, Session, Trouble};
use self::shown::Shown;
use crate::analytics::Foundations;
use crate::application::{Application, ApplicationId};
use crate::arn::ApplicationArn;
use crate::tables::{JOURNALS, PLACES, journal_key, work_key};

/// Rows of a journal that are removed in one commit.
const REMOVALS_PER_COMMIT: usize = 64;

/// What an application does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtWork {
    /// Nothing.
    #[default]
    Stopped,
    /// It is being started.
    Starting,
    /// It works.
    Running,
    /// It is being changed to another version.
    Updating,
    /// It is being stopped.
    Stopping,
}

/// What the task of an application is to do.
#[derive(Clone, Debug)]
pub enum Order {
    /// Nothing, until there is another order.
    Rest,
    /// Work as this says.
    Work(Arc<Application>),
    /// End.
    End,
}

/// All applications that work.
pub struct Applications {
    ground: Arc<Ground>,
    at_work: Mutex<HashMap<ApplicationId, Worker>>,
}

/// The task of an application.
struct Worker {
    arn: ApplicationArn,
    orders: watch::Sender<Order>,
    shown: Arc<Shown>,
    task: JoinHandle<()>,
}

impl Applications {
    /// None works.
    pub fn new(foundations: Foundations, limits: WorkLimits) -> Self {
        Self {
            ground: Arc::new(Ground::new(foundations, limits)),
            at_work: Mutex::default(),
        }
    }

    /// Lets an application work as it is configured, from where its start says. The answer does not
    /// wait for it.
    pub fn start(&self, application: Arc<Application>) {
        self.order(application, AtWork::Starting);
    }

    /// Lets an application that works go on as it is configured now. The answer does not wait for
    /// it.
    pub fn update(&self, application: Arc<Application>) {
        self.order(application, AtWork::Updating);
    }

    /// Stops an application after what it has begun. The answer does not wait for it. One that does
    /// not work stays so.
    pub fn stop(&self, id: ApplicationId) {
        if let Some(worker) = self.lock().get(&id) {
            worker
                .shown
                .show(|status| status.at_work = AtWork::Stopping);
            worker.orders.send_replace(Order::Rest);
        }
    }

    /// What an application does at the moment.
    pub fn at_work(&self, id: ApplicationId) -> AtWork {
        self.status(id).at_work
    }

    /// What an application shows of its work.
    pub fn status(&self, id: ApplicationId) -> Status {
        let worker = self.lock().get(&id).map(|worker| Arc::clone(&worker.shown));
        worker.map(|shown| shown.status()).unwrap_or_default()
    }

    /// What all applications show that were started since the server was.
    pub fn statuses(&self) -> Vec<(ApplicationArn, Status)> {
        let workers = self.lock();
        let shown = workers
            .values()
            .map(|worker| (worker.arn.clone(), Arc::clone(&worker.shown)));
        let shown: Vec<_> = shown.collect();
        drop(workers);
        shown
            .into_iter()
            .map(|(arn, shown)| (arn, shown.status()))
            .collect()
    }

    /// Bytes of state of all applications.
    pub fn states_bytes(&self) -> usize {
        self.ground.states_bytes()
    }

    /// Waits until an application that was told to stop has done so, and removes all that is kept
    /// of its work.
    ///
    /// # Errors
    /// When the store does not take it; asking again goes on.
    pub async fn forget(&self, id: ApplicationId) -> Result<(), StoreError> {
        let worker = self.lock().remove(&id);
        if let Some(worker) = worker {
            worker.end().await;
        }
        let engine = &*self.ground.engine;
        state::remove_others(engine, id, None).await?;
        let (from, to) = (journal_key(id, 0), journal_key(id, u32::MAX));
        loop {
            let rows = engine.scan(
                JOURNALS,
                from.clone(),
                Some(to.clone()),
                REMOVALS_PER_COMMIT,
            );
            let rows = rows.await?;
            if rows.is_empty() {
                break;
            }
            let removals = rows.into_iter().map(|(key, _)| removal_of(JOURNALS, key));
            self.remove(removals.collect()).await?;
        }
        self.remove(vec![removal_of(PLACES, work_key(id))]).await
    }

    /// Stops all applications after what they have begun, as the server ends. They go on after the
    /// next start.
    pub async fn close(&self) {
        let workers: Vec<Worker> = self.lock().drain().map(|(_, worker)| worker).collect();
        for worker in &workers {
            worker.orders.send_replace(Order::End);
        }
        for worker in workers {
            worker.end().await;
        }
    }

    async fn remove(&self, writes: Vec<store::TableWrite>) -> Result<(), StoreError> {
        let transaction = Transaction {
            writes,
            ..Transaction::default()
        };
        let engine = &self.ground.engine;
        let removed = engine.commit_for(Purpose::MakeRoom, transaction).await;
        removed.map_err(|error: CommitError| StoreError::Commit(Box::new(error)))?;
        Ok(())
    }

    /// Has the task of an application work, which is made if there is none.
    fn order(&self, application: Arc<Application>, at_work: AtWork) {
        let mut workers = self.lock();
        let id = application.id;
        let worker = workers.entry(id).or_insert_with(|| {
            let (orders, ordered) = watch::channel(Order::Rest);
            let shown = Arc::new(Shown::default());
            let (ground, of_task) = (Arc::clone(&self.ground), Arc::clone(&shown));
            let task = tokio::spawn(work(ground, of_task, ordered));
            Worker {
                arn: application.arn.clone(),
                orders,
                shown,
                task,
            }
        });
        worker.shown.show(|status| status.at_work = at_work);
        worker.orders.send_replace(Order::Work(application));
    }

    // Each statement under the lock leaves the map whole, so a panic elsewhere spoils nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<ApplicationId, Worker>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    async fn end(self) {
        self.orders.send_replace(Order::End);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "an application ended badly");
        }
    }
}

/// The task of an application.
async fn work(ground: Arc<Ground>, shown: Arc<Shown>, mut orders: watch::Receiver<Order>) {
    let mut pauses = Pauses::default();
    loop {
        let order = orders.borrow_and_update().clone();
        let application = match order {
            Order::End => return,
            Order::Rest => {
                shown.show(|status| {
                    (status.at_work, status.detail) = (AtWork::Stopped, None);
                });
                if orders.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Order::Work(application) => application,
        };
        let name = application.arn.name.clone();
        let opening = Opening {
            ground: Arc::clone(&ground),
            application,
            shown: Arc::clone(&shown),
            orders: orders.clone(),
        };
        let trouble = match Session::open(opening).await {
            Ok(mut session) => {
                let commits = shown.status().commits;
                let trouble = session.work().await;
                if shown.status().commits > commits {
                    pauses = Pauses::default();
                }
                trouble
            }
            Err(trouble) => trouble,
        };
        let why = match trouble {
            Trouble::Told => {
                pauses = Pauses::default();
                continue;
            }
            Trouble::Fenced => "what it wrote last is not what is kept".to_owned(),
            Trouble::Stands(why) => why,
        };
        // It shall work, and does so as soon as it can.
        shown.show(|status| status.at_work = AtWork::Running);
        if shown.is_stuck(&why) {
            tracing::warn!(application = %name, why, "an application stands still");
        }
        tokio::select! {
            () = sleep(pauses.next()) => {}
            changed = orders.changed() => match changed {
                Ok(()) => orders.mark_changed(),
                Err(_) => return,
            },
        }
    }
}
