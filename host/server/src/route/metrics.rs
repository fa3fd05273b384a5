//! `/metrics`: what is counted, for an operator and for accounts.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use wire::{Action, Answer, Target};

use super::plain::plain;
use super::refusals::no_room;
use super::{Exchange, Router, api};
use crate::auth::MetricsReader;
use crate::budget::Payer;

const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// What the metrics of an account are called in policies.
const READING_METRICS: Action = Action {
    service: api::POLICY_SERVICE,
    operation: "ReadMetrics",
};

impl Router {
    /// What is counted, for whoever may see it.
    pub(super) async fn metrics(
        &self,
        exchange: &mut Exchange<'_>,
        body: Incoming,
    ) -> Response<Answer> {
        let now = self.clock.now();
        let reader = match self.authenticator.reader_of_metrics(exchange.parts, now) {
            Ok(reader) => reader,
            Err(error) => return self.refuse(exchange, &body, error),
        };
        let (payer, rendered) = match reader {
            MetricsReader::Operator => (Payer::Operator, self.look_at_all(now).await),
            MetricsReader::Account(proven) => {
                let account = proven.caller.account;
                let by = exchange.requester(proven, READING_METRICS, now);
                if let Err(error) = by.permit(&Target::account(account)) {
                    return self.refuse(exchange, &body, error);
                }
                let rendered = self.look_at_account(account, now).await;
                (Payer::Account(account), rendered)
            }
        };
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(error) => return self.refuse(exchange, &body, error),
        };
        if let Err(error) = exchange.held.works(payer, rendered.len(), 0) {
            return self.refuse(exchange, &body, no_room(error));
        }
        plain(
            StatusCode::OK,
            METRICS,
            Answer::whole(Bytes::from(rendered)),
        )
    }
}
