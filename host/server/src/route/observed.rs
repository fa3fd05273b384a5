//! What the server says of itself, read and written on a thread that may be blocked: under ten
//! thousand shards and a thousand plugins that takes longer than a task of the runtime should.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use consumers::Owner;
use consumers::status::ApplicationStatus;
use store::Engine;
use streams::turns::AccountTurns;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use types::{AccountId, Timestamp};
use wasm::{GuestThreads, Plugins};
use wire::ApiError;

use super::Router;
use crate::budget::Budget;
use crate::operations::Services;
use crate::telemetry::{self, Surroundings, Telemetry};

/// Looks of the operator that are made at once, at metrics and at health each; further ones wait.
const OPERATOR_LOOKS_MAX: usize = 1;
/// Looks of accounts at their metrics that are made at once; further ones wait, and accounts come
/// one after the other.
const ACCOUNT_LOOKS_MAX: usize = 1;

/// Whose turn it is to look: the operator's looks wait for no account's, and a balancer's for no
/// metrics. A turn lasts as long as its look, also where the client has gone.
pub(crate) struct Looks {
    metrics: Arc<Semaphore>,
    health: Arc<Semaphore>,
    accounts: AccountTurns,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            metrics: Arc::new(Semaphore::new(OPERATOR_LOOKS_MAX)),
            health: Arc::new(Semaphore::new(OPERATOR_LOOKS_MAX)),
            accounts: AccountTurns::new(ACCOUNT_LOOKS_MAX),
        }
    }
}

/// All that there is to look at.
pub(super) struct Observed {
    services: Services,
    plugins: Arc<Plugins>,
    threads: Arc<GuestThreads>,
    engine: Arc<dyn Engine>,
    telemetry: Arc<Telemetry>,
    budget: Arc<Budget>,
    log_lines_lost: Arc<AtomicU64>,
}

impl Router {
    /// The metrics of everything.
    pub(super) async fn look_at_all(&self, now: Timestamp) -> Result<String, ApiError> {
        let turn = turn(&self.looks.metrics).await?;
        self.look(turn, move |observed| observed.all(now)).await
    }

    /// The metrics of one account.
    pub(super) async fn look_at_account(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        let turn = self.looks.accounts.take(account).await;
        let turn = turn.map_err(|_| ApiError::internal("the server reads no more"))?;
        self.look(turn, move |observed| observed.of_account(account, now))
            .await
    }

    /// What is not well though the store is, in words.
    pub(super) async fn look_at_health(&self) -> Result<Vec<String>, ApiError> {
        let turn = turn(&self.looks.health).await?;
        self.look(turn, Observed::poorer).await
    }

    /// Looks in a turn, which is given back when the look is over and not when its client goes:
    /// else whoever asks again and again has all threads look that may be blocked.
    async fn look<T: Send + 'static>(
        &self,
        turn: impl Send + 'static,
        look: impl FnOnce(&Observed) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let observed = Observed {
            services: self.services.clone(),
            plugins: Arc::clone(&self.plugins),
            threads: Arc::clone(&self.threads),
            engine: Arc::clone(&self.engine),
            telemetry: Arc::clone(&self.telemetry),
            budget: Arc::clone(&self.budget),
            log_lines_lost: Arc::clone(&self.log_lines_lost),
        };
        let looked = spawn_blocking(move || {
            let looked = look(&observed);
            drop(turn);
            looked
        });
        let looked = looked.await;
        looked.map_err(|_| ApiError::internal("a look at the server ended badly"))
    }
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    let turn = Arc::clone(turns).acquire_owned().await;
    turn.map_err(|_| ApiError::internal("nobody looks at the server any more"))
}

impl Observed {
    fn all(&self, now: Timestamp) -> String {
        let services = &self.services;
        let engine = &*self.engine;
        self.telemetry.render(&Surroundings {
            streams: &services.streams.metrics().counters(),
            measured: &services.streams.measured(None),
            plugins: &self.plugins.list(),
            deliveries: &services.delivery.statuses(None),
            put: services.delivery.metrics(),
            work: services.delivery.work(),
            shares: &self.threads.shares(),
            applications: &services.consumers.statuses(Owner::Anybody),
            application_work: services.consumers.work(),
            analytics: &services.analytics.statuses(),
            now,
            in_flight_bytes: self.budget.bytes(),
            subscriptions: services.streams.subscriptions(),
            log_lines_lost: self.log_lines_lost.load(Ordering::Relaxed),
            unreadable: engine.unreadable().len(),
            keys_refused: services.streams.kms().refused(engine.keys()),
            custom: &services.cloudwatch.rendered(None),
            healthy: engine.health().is_ok(),
        })
    }

    fn of_account(&self, account: AccountId, now: Timestamp) -> String {
        let services = &self.services;
        let statuses = services.delivery.statuses_of(account);
        let measured = services.streams.measured(Some(account));
        let applications = services.consumers.statuses(Owner::Account(account));
        let mut rendered = telemetry::render_account(&measured, &statuses, &applications, now);
        rendered.push_str(&services.cloudwatch.rendered(Some(account)));
        rendered
    }

    fn poorer(&self) -> Vec<String> {
        let services = &self.services;
        let mut poorer = self.engine.unreadable();
        let mut count = |count: usize, what: &str| {
            if count > 0 {
                poorer.push(format!("{count} {what}"));
            }
        };
        count(
            services.delivery.without_plugin(),
            "delivery streams have no plugin",
        );
        count(
            services.consumers.refused().len(),
            "applications of plugins are refused",
        );
        let applications = services.consumers.statuses(Owner::Anybody);
        let is_stuck = |it: &&ApplicationStatus| it.told_trouble().is_some();
        count(
            applications.iter().filter(is_stuck).count(),
            "applications do not get on",
        );
        count(
            self.plugins.rolled_back_by_itself(),
            "plugins were rolled back for the records that they failed on",
        );
        let keys = services.streams.kms().refused(self.engine.keys());
        count(
            keys.iter().map(|(_, count)| count).sum(),
            "data keys of encrypted streams are not to be had, as their master keys are not",
        );
        poorer
    }
}
