//! `/metrics`: what is counted, for an operator and for accounts.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use consumers::Owner;
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use wire::{Action, Answer, Target};

use super::plain::plain;
use super::refusals::no_room;
use super::{Exchange, Router, api};
use crate::auth::MetricsReader;
use crate::budget::Payer;
use crate::telemetry::{self, Surroundings};

const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// What the metrics of an account are called in policies.
const READING_METRICS: Action = Action {
    service: api::POLICY_SERVICE,
    operation: "ReadMetrics",
};

impl Router {
    /// What is counted, for whoever may see it.
    pub(super) fn metrics(&self, exchange: &mut Exchange<'_>, body: &Incoming) -> Response<Answer> {
        let now = self.clock.now();
        let reader = match self.authenticator.reader_of_metrics(exchange.parts, now) {
            Ok(reader) => reader,
            Err(error) => return self.refuse(exchange, body, error),
        };
        let (payer, rendered) = match reader {
            MetricsReader::Operator => {
                let rendered = self.telemetry.render(&Surroundings {
                    streams: &self.services.streams.metrics().counters(),
                    measured: &self.services.streams.measured(None),
                    plugins: &self.plugins.list(),
                    deliveries: &self.services.delivery.statuses(None),
                    put: self.services.delivery.metrics(),
                    work: self.services.delivery.work(),
                    applications: &self.services.consumers.statuses(Owner::Anybody),
                    application_work: self.services.consumers.work(),
                    now,
                    in_flight_bytes: self.budget.bytes(),
                    subscriptions: self.services.streams.subscriptions(),
                    log_lines_lost: self.log_lines_lost.load(Ordering::Relaxed),
                    unreadable: self.engine.unreadable().len(),
                    custom: &self.services.cloudwatch.rendered(None),
                    healthy: self.engine.health().is_ok(),
                });
                (Payer::Operator, rendered)
            }
            MetricsReader::Account(proven) => {
                let account = proven.caller.account;
                let by = exchange.requester(proven, READING_METRICS, now);
                if let Err(error) = by.permit(&Target::account(account)) {
                    return self.refuse(exchange, body, error);
                }
                let statuses = self.services.delivery.statuses_of(account);
                let measured = self.services.streams.measured(Some(account));
                let applications = self.services.consumers.statuses(Owner::Account(account));
                let mut rendered =
                    telemetry::render_account(&measured, &statuses, &applications, now);
                rendered.push_str(&self.services.cloudwatch.rendered(Some(account)));
                (Payer::Account(account), rendered)
            }
        };
        if let Err(error) = exchange.held.works(payer, rendered.len(), 0) {
            return self.refuse(exchange, body, no_room(error));
        }
        plain(
            StatusCode::OK,
            METRICS,
            Answer::whole(Bytes::from(rendered)),
        )
    }
}
