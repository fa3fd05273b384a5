//! The only place where HTTP meets an operation.

mod api;
mod request;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use hyper::body::Incoming;
use hyper::{Request, Response};
use store::Engine;
use types::Clock;
use wasm::Plugins;
use wire::{Answer, ApiError, Call};

use crate::answer::AnswerBody;
use crate::auth::Authenticator;
use crate::body::{self, BodyError, InFlight};
use crate::limits::Limits;
use crate::operations::{OPERATIONS, Services};
use crate::request_id::{RequestId, RequestIds};
use crate::telemetry::{Surroundings, Telemetry};

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
    pub(crate) telemetry: Telemetry,
    pub(crate) limits: Limits,
    pub(crate) in_flight: InFlight,
    pub(crate) ids: RequestIds,
}

impl Router {
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn dispatch(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let (parts, body) = request.into_parts();
        let mut checked = request::check_host(&parts);
        if checked.is_ok() && self.authenticator.takes_anybody() {
            checked = request::check_host_is_local(&parts);
        }
        if let Err(error) = checked {
            return self.refuse(&parts, &error);
        }
        match (parts.method.clone(), parts.uri.path()) {
            (Method::GET | Method::HEAD, "/healthz") => self.health(),
            (Method::GET | Method::HEAD, "/metrics") => {
                text(StatusCode::OK, METRICS, self.metrics())
            }
            (_, path) if path.starts_with(api::ROOT) => self.api(&parts, body).await,
            (_, "/healthz" | "/metrics") => not_allowed("GET, HEAD"),
            // As AWS: the operation is named by a header, whatever the path.
            (Method::POST, _) => self.call(&parts, body).await,
            _ => self.refuse(&parts, &ApiError::no_operation_named()),
        }
    }

    /// Answers a request that is an operation's.
    async fn call(&self, parts: &Parts, body: Incoming) -> Response<AnswerBody> {
        let started = Instant::now();
        let id = self.ids.next();
        let mut progress = Progress::default();
        let answer = self.handle(parts, body, started, &mut progress).await;
        let took = started.elapsed();
        let code = answer.as_ref().err().map(ApiError::code);
        self.telemetry.answered(progress.operation, code, took);
        let name = progress.operation.and_then(|place| OPERATIONS.get(place));
        let operation = name.map_or("none", |operation| operation.name());
        log(&id, operation, answer.as_ref().err());
        self.respond(parts, &id, answer, progress.is_read)
    }

    async fn handle(
        &self,
        parts: &Parts,
        body: Incoming,
        started: Instant,
        progress: &mut Progress,
    ) -> Result<Answer, ApiError> {
        let received = body::receive(body, started, &self.limits, &self.in_flight)
            .await
            .map_err(|error| body_error(&error))?;
        progress.is_read = true;
        let place = request::operation(parts)?;
        progress.operation = Some(place);
        let Some(operation) = OPERATIONS.get(place) else {
            return Err(ApiError::internal("an operation is not in the table"));
        };
        let body = received.bytes.clone();
        let caller =
            self.authenticator
                .authenticate(parts, operation.service, &body, self.clock.now())?;
        let call = Call { caller, body };
        operation.handle(&self.services, call).await
    }

    /// Answers a request for a page of the server itself.
    async fn api(&self, parts: &Parts, body: Incoming) -> Response<AnswerBody> {
        let id = self.ids.next();
        let mut progress = Progress::default();
        let answer = self.handle_api(parts, body, &mut progress).await;
        log(&id, "api", answer.as_ref().err());
        let mut response = self.respond(parts, &id, answer, progress.is_read);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let methods = HeaderValue::from_static(api::methods(parts.uri.path()));
            response.headers_mut().insert(ALLOW, methods);
        }
        response
    }

    async fn handle_api(
        &self,
        parts: &Parts,
        body: Incoming,
        progress: &mut Progress,
    ) -> Result<Answer, ApiError> {
        let received = body::receive(body, Instant::now(), &self.limits, &self.in_flight)
            .await
            .map_err(|error| body_error(&error))?;
        progress.is_read = true;
        let now = self.clock.now();
        let caller = self
            .authenticator
            .authenticate(parts, api::SERVICE, &received.bytes, now)?;
        api::answer(self, &caller, &parts.method, parts.uri.path()).await
    }

    fn refuse(&self, parts: &Parts, error: &ApiError) -> Response<AnswerBody> {
        let id = self.ids.next();
        log(&id, "none", Some(error));
        self.respond(parts, &id, Err(error.clone()), false)
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
            Ok(()) => text(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        }
    }

    fn metrics(&self) -> String {
        self.telemetry.render(&Surroundings {
            streams: &self.services.streams.metrics().counters(),
            plugins: &self.plugins.list(),
            deliveries: &self.services.delivery.statuses(None),
            put: self.services.delivery.metrics(),
            work: self.services.delivery.work(),
            now: self.clock.now(),
            in_flight_bytes: self.in_flight.bytes(),
            healthy: self.engine.health().is_ok(),
        })
    }
}

/// How far a request has come, whatever became of it.
#[derive(Default)]
struct Progress {
    /// Its body was read to its end.
    is_read: bool,
    /// The place of its operation in the table.
    operation: Option<usize>,
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

fn text(status: StatusCode, kind: HeaderValue, what: String) -> Response<AnswerBody> {
    let answer = Answer::whole(Bytes::from(what));
    let mut response = Response::new(AnswerBody::from(answer));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
