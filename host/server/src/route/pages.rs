//! Where a request becomes one for a page of the server itself.

use http::header::ALLOW;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use wire::{Answer, ApiError, Call};

use super::api::{self, Asked, Pages};
use super::refusals::no_room;
use super::reply::charge;
use super::{Exchange, Router, Wanted};
use crate::auth::OWN_SERVICE;
use crate::budget::{NoRoom, Payer};

impl Router {
    /// Answers a request for a page of the server itself.
    pub(super) async fn api(
        &self,
        exchange: &mut Exchange<'_>,
        mut body: Incoming,
    ) -> Result<Response<Answer>, NoRoom> {
        let methods = api::methods(exchange.parts.uri.path());
        let answer = self.page(exchange, &mut body).await;
        let mut response = self.finish(exchange, &mut body, "api", answer).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let methods = HeaderValue::from_static(methods);
            response.headers_mut().insert(ALLOW, methods);
        }
        Ok(response)
    }

    async fn page(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
    ) -> Result<Answer, ApiError> {
        let (method, path) = (&exchange.parts.method, exchange.parts.uri.path());
        let wanted = Wanted {
            service: OWN_SERVICE,
            action: api::action(method, path),
            bytes_max: api::body_bytes_max(method, path, &self.plugins.limits()),
        };
        let Call {
            caller,
            body: received,
            ..
        } = self.receive(exchange, body, &wanted).await?;
        // What is deployed is copied out of the body.
        let bytes = received.len().saturating_mul(2);
        let works = exchange
            .held
            .works(Payer::Account(caller.account), bytes, 0);
        works.map_err(no_room)?;
        let pages = Pages {
            plugins: &self.plugins,
            threads: &self.threads,
            deployers: &self.deployers,
            delivery: &self.services.delivery,
            tables: &self.services.tables,
            consumers: &self.services.consumers,
            streams: &self.services.streams,
        };
        let asked = Asked {
            method,
            uri: &exchange.parts.uri,
            body: received,
        };
        let answer = pages.answer(&caller, asked).await?;
        // An order is carried out by now, and its answer must say so.
        let is_due = [Method::POST, Method::PUT].contains(method);
        charge(&mut exchange.held, &answer, is_due).map_err(no_room)?;
        Ok(answer)
    }
}
