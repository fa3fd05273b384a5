//! The only place where HTTP meets an operation.

mod api;
mod request;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use store::Engine;
use tokio::sync::Semaphore;
use types::Clock;
use wasm::Plugins;
use wire::{Answer, ApiError, Call};

use crate::answer::AnswerBody;
use crate::auth::{Authenticator, MetricsReader, OWN_SERVICE};
use crate::body::{self, BodyError};
use crate::budget::{Budget, Held, NoRoom, Payer};
use crate::cors::{Cors, Page};
use crate::ending::Lever;
use crate::limits::Limits;
use crate::operations::{OPERATIONS, Services};
use crate::request_id::{RequestId, RequestIds};
use crate::telemetry::{self, Surroundings, Telemetry};

const JSON: &str = "application/x-amz-json-1.1";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
/// Headers of an answer, hyper's own among them.
const ANSWER_HEADERS: usize = 6;

/// Everything that a request needs.
pub(crate) struct Router {
    pub(crate) services: Services,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authenticator: Authenticator,
    pub(crate) cors: Cors,
    pub(crate) telemetry: Telemetry,
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    /// Turns to read much.
    pub(crate) reads: Semaphore,
    pub(crate) ids: RequestIds,
}

/// Where a request comes from.
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// Ends its answer.
    pub(crate) lever: Lever,
}

impl Router {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn dispatch(
        &self,
        visitor: Visitor,
        request: Request<Incoming>,
    ) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let page = match self.admit(&parts) {
            Ok(page) => page,
            Err(error) => {
                let mut response = self.refuse(&parts, &error, body.is_end_stream());
                self.cors.tell(&Page::Own, response.headers_mut());
                return response;
            }
        };
        let mut response = match page.preflight(&parts) {
            Some(headers) => preflight(headers),
            None => self.answer(visitor, &parts, body).await,
        };
        self.cors.tell(&page, response.headers_mut());
        response
    }

    /// Whether anything is done for a request at all; the page that it comes from.
    fn admit(&self, parts: &Parts) -> Result<Page, ApiError> {
        request::check_host(parts)?;
        if self.authenticator.takes_anybody() {
            request::check_host_is_local(parts)?;
        }
        self.cors.admit(parts)
    }

    async fn answer(
        &self,
        visitor: Visitor,
        parts: &Parts,
        body: Incoming,
    ) -> Response<AnswerBody> {
        match (parts.method.clone(), parts.uri.path()) {
            (Method::GET | Method::HEAD, "/healthz") => self.health(),
            (Method::GET | Method::HEAD, "/metrics") => self.metrics(visitor, parts),
            (_, path) if path.starts_with(api::ROOT) => self.api(visitor, parts, body).await,
            (_, "/healthz" | "/metrics") => not_allowed("GET, HEAD"),
            // As AWS: the operation is named by a header, whatever the path.
            (Method::POST, _) => self.call(visitor, parts, body).await,
            _ => {
                let error = ApiError::no_operation_named();
                self.refuse(parts, &error, body.is_end_stream())
            }
        }
    }

    /// Answers a request that is an operation's.
    async fn call(
        &self,
        visitor: Visitor,
        parts: &Parts,
        mut body: Incoming,
    ) -> Response<AnswerBody> {
        let mut exchange = Exchange::begin(self, visitor, parts);
        let answer = self.handle(&mut exchange, &mut body).await;
        let code = answer.as_ref().err().map(ApiError::code);
        let took = exchange.started.elapsed();
        self.telemetry.answered(exchange.operation, code, took);
        let operation = exchange.operation.and_then(|place| OPERATIONS.get(place));
        let operation = operation.map_or("none", |operation| operation.name());
        self.finish(exchange, &mut body, operation, answer).await
    }

    async fn handle(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
    ) -> Result<Answer, ApiError> {
        let place = request::operation(exchange.parts)?;
        exchange.operation = Some(place);
        let Some(operation) = OPERATIONS.get(place) else {
            return Err(ApiError::internal("an operation is not in the table"));
        };
        let call = self.receive(exchange, body, operation.service).await?;
        let _turn = if operation.reads_much {
            let turn = self.reads.acquire().await;
            Some(turn.map_err(|_| ApiError::internal("the server reads no more"))?)
        } else {
            None
        };
        let answer = operation.handle(&self.services, call).await?;
        // Before the next one's turn, so that what was read is charged by then.
        exchange.hold(&answer)?;
        Ok(answer)
    }

    /// Answers a request for a page of the server itself.
    async fn api(
        &self,
        visitor: Visitor,
        parts: &Parts,
        mut body: Incoming,
    ) -> Response<AnswerBody> {
        let mut exchange = Exchange::begin(self, visitor, parts);
        let answer = self.page(&mut exchange, &mut body).await;
        let mut response = self.finish(exchange, &mut body, "api", answer).await;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let methods = HeaderValue::from_static(api::methods(parts.uri.path()));
            response.headers_mut().insert(ALLOW, methods);
        }
        response
    }

    async fn page(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
    ) -> Result<Answer, ApiError> {
        let call = self.receive(exchange, body, OWN_SERVICE).await?;
        let (method, path) = (&exchange.parts.method, exchange.parts.uri.path());
        let answer = api::answer(self, &call.caller, method, path).await?;
        exchange.hold(&answer)?;
        Ok(answer)
    }

    /// Who calls, and the whole body. What the headers can tell is checked before a byte of it is
    /// taken; until its signature is checked, it is charged to whoever the headers name.
    async fn receive(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
        service: &'static str,
    ) -> Result<Call, ApiError> {
        let claim = self
            .authenticator
            .claim(exchange.parts, service, self.clock.now())?;
        let payer = self.budget.claimed(exchange.address, claim.key_id());
        exchange.is_body_wanted = true;
        let held = exchange.held.as_ref().map_err(no_room)?;
        let bytes = body::receive(body, exchange.started, &self.limits, held, payer)
            .await
            .map_err(|error| body_error(&error))?;
        exchange.is_read = true;
        let caller = claim.prove(&bytes)?;
        held.is_received(Payer::Account(caller.account));
        Ok(Call {
            caller,
            body: bytes,
        })
    }

    /// Sends what became of a request.
    async fn finish(
        &self,
        mut exchange: Exchange<'_>,
        body: &mut Incoming,
        operation: &str,
        answer: Result<Answer, ApiError>,
    ) -> Response<AnswerBody> {
        if !exchange.is_body_wanted {
            exchange.is_read = body::drain(exchange.parts, body).await;
        }
        if answer.is_err()
            && let Ok(held) = &exchange.held
        {
            held.refuses();
        }
        log(&exchange.id, operation, answer.as_ref().err());
        let response = self.respond(exchange.parts, &exchange.id, answer, exchange.is_read);
        match exchange.held {
            Ok(held) => response.map(|body| body.held_by(held)),
            Err(NoRoom) => response,
        }
    }

    fn refuse(&self, parts: &Parts, error: &ApiError, is_read: bool) -> Response<AnswerBody> {
        let id = self.ids.next();
        log(&id, "none", Some(error));
        self.respond(parts, &id, Err(error.clone()), is_read)
    }

    fn respond(
        &self,
        parts: &Parts,
        id: &RequestId,
        answer: Result<Answer, ApiError>,
        is_read: bool,
    ) -> Response<AnswerBody> {
        let (status, kind, answer) = match answer {
            Ok(answer) => (StatusCode::OK, JSON, answer),
            Err(error) => {
                let body = Answer::whole(error.body());
                (status(&error), error.content_type(), body)
            }
        };
        let mut headers = HeaderMap::with_capacity(ANSWER_HEADERS);
        headers.insert(REQUEST_ID, id.header());
        headers.insert(HOST_ID, self.ids.host());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        // What is left of a request cannot be told from the next one.
        if !is_read && parts.version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = Response::new(AnswerBody::from(answer));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn health(&self) -> Response<AnswerBody> {
        match self.engine.health() {
            // The server is well, and no balancer should turn away from it for a plugin's sake.
            Ok(()) => match self.services.delivery.without_plugin() {
                0 => text(StatusCode::OK, TEXT, "ok\n".to_owned()),
                count => {
                    let what = format!("degraded: {count} delivery streams have no plugin\n");
                    text(StatusCode::OK, TEXT, what)
                }
            },
            Err(why) => {
                let what = format!("degraded: {why}\n");
                text(StatusCode::SERVICE_UNAVAILABLE, TEXT, what)
            }
        }
    }

    fn metrics(&self, visitor: Visitor, parts: &Parts) -> Response<AnswerBody> {
        let now = self.clock.now();
        let rendered = match self.authenticator.reader_of_metrics(parts, now) {
            Ok(MetricsReader::Operator) => self.telemetry.render(&Surroundings {
                streams: &self.services.streams.metrics().counters(),
                plugins: &self.plugins.list(),
                deliveries: &self.services.delivery.statuses(None),
                put: self.services.delivery.metrics(),
                work: self.services.delivery.work(),
                now,
                in_flight_bytes: self.budget.bytes(),
                healthy: self.engine.health().is_ok(),
            }),
            Ok(MetricsReader::Account(account)) => {
                telemetry::render_account(&self.services.delivery.statuses_of(account), now)
            }
            Err(error) => return self.refuse(parts, &error, false),
        };
        let payer = self.budget.claimed(visitor.address, None);
        let held = self.budget.begin(payer, visitor.lever);
        let answer = Answer::whole(Bytes::from(rendered));
        let held = held.and_then(|held| held.answers(answer.length()).map(|()| held));
        match held {
            Ok(held) => plain(StatusCode::OK, METRICS, answer).map(|body| body.held_by(held)),
            Err(error) => self.refuse(parts, &no_room(&error), false),
        }
    }
}

/// One request and how far it has come, whatever became of it.
struct Exchange<'a> {
    id: RequestId,
    parts: &'a Parts,
    address: IpAddr,
    started: Instant,
    held: Result<Held, NoRoom>,
    /// Its headers were found to be good, and its body was asked for.
    is_body_wanted: bool,
    /// Its body was read to its end.
    is_read: bool,
    /// The place of its operation in the table.
    operation: Option<usize>,
}

impl<'a> Exchange<'a> {
    fn begin(router: &Router, visitor: Visitor, parts: &'a Parts) -> Self {
        let payer = router.budget.claimed(visitor.address, None);
        Self {
            id: router.ids.next(),
            parts,
            address: visitor.address,
            started: Instant::now(),
            held: router.budget.begin(payer, visitor.lever),
            is_body_wanted: false,
            is_read: false,
            operation: None,
        }
    }

    /// Charges the answer in the place of the request.
    fn hold(&self, answer: &Answer) -> Result<(), ApiError> {
        let held = self.held.as_ref().map_err(no_room)?;
        held.answers(answer.length())
            .map_err(|error| no_room(&error))
    }
}

fn no_room(_: &NoRoom) -> ApiError {
    body_error(&BodyError::NoRoom)
}

/// The codes of AWS's "common error types" for what is wrong with a request as HTTP.
fn body_error(error: &BodyError) -> ApiError {
    let text = error.to_string();
    match error {
        BodyError::TooLarge => {
            ApiError::new("RequestEntityTooLargeException", text).with_status(413)
        }
        BodyError::TooSlow => ApiError::new("RequestTimeoutException", text).with_status(408),
        BodyError::NoRoom => ApiError::unavailable(text),
        BodyError::Broken => request::malformed(text),
    }
}

fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Errors of ours are for someone to look at; those of clients are their own business.
fn log(id: &RequestId, operation: &str, error: Option<&ApiError>) {
    match error {
        Some(error) if error.status() == 500 => {
            tracing::error!(request_id = %id, operation, message = error.message());
        }
        Some(error) if error.status() > 500 => {
            tracing::warn!(request_id = %id, operation, message = error.message());
        }
        Some(error) => tracing::debug!(request_id = %id, operation, code = error.code()),
        None => tracing::trace!(request_id = %id, operation),
    }
}

fn not_allowed(allowed: &'static str) -> Response<AnswerBody> {
    let what = format!("The methods here are {allowed}.\n");
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, what);
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The answer to a browser that asks what a page may send.
fn preflight(headers: HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(Answer::empty()));
    *response.headers_mut() = headers;
    response
}

fn text(status: StatusCode, kind: HeaderValue, what: String) -> Response<AnswerBody> {
    plain(status, kind, Answer::whole(Bytes::from(what)))
}

fn plain(status: StatusCode, kind: HeaderValue, answer: Answer) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(answer));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
