//! The only place where HTTP meets an operation.

mod api;
mod apps;
mod deliveries;
mod delivery_logs;
mod health;
mod history;
mod letters;
mod log_query;
mod metrics;
mod observed;
mod pages;
mod plain;
mod plugin_costs;
mod plugin_logs;
mod plugin_orders;
mod plugin_profile;
mod plugins;
mod redeliveries;
mod refusals;
mod reply;
mod request;
mod shadow_page;
mod shadow_trial;
mod viewer;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use http::header::{CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use store::Engine;
use streams::turns::AccountTurns;
use types::{Clock, Timestamp};
use wasm::{GuestThreads, Plugins};
use wire::{Action, Answer, ApiError, Call, Codec, Origin, Requester, Target};

use plain::{not_allowed, preflight};
use refusals::{body_error, log, no_room, no_room_for};
use reply::{Reply, charge};

pub(crate) use observed::Looks;
pub(crate) use plugins::Deployers;
pub(crate) use request::TARGET;

use crate::answer::AnswerBody;
use crate::auth::{Authenticator, Proven};
use crate::body::{self, Expected};
use crate::budget::{Budget, Held, NoRoom, Payer};
use crate::cors::{CallingPage, Cors};
use crate::ending::Lever;
use crate::limits::Limits;
use crate::operations::{OPERATIONS, Services};
use crate::request_id::{RequestId, RequestIds};
use crate::sts;
use crate::telemetry::Telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
/// Headers of an answer, hyper's own among them.
const ANSWER_HEADERS: usize = 7;
/// Bytes of the body of a request that asks who calls. A larger one is refused with status 413.
const CALLER_BODY_BYTES_MAX: usize = 4 * 1024;

/// Everything that a request needs.
pub(crate) struct Router {
    pub(crate) services: Services,
    pub(crate) plugins: Arc<Plugins>,
    /// What they run on.
    pub(crate) threads: Arc<GuestThreads>,
    /// Who may deploy them, and say which versions are in force.
    pub(crate) deployers: Deployers,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authenticator: Authenticator,
    pub(crate) cors: Cors,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Turns to look at all of it.
    pub(crate) looks: Looks,
    pub(crate) log_lines_lost: Arc<AtomicU64>,
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    /// Turns to read much.
    pub(crate) reads: AccountTurns,
    pub(crate) ids: RequestIds,
}

/// Where a request comes from.
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// It came over TLS.
    pub(crate) is_encrypted: bool,
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
    ///
    /// # Errors
    /// There is no room for an answer, not even for one that says so.
    pub(crate) async fn dispatch(
        &self,
        visitor: Visitor,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, NoRoom> {
        let (parts, body) = request.into_parts();
        let mut exchange = Exchange::begin(self, visitor, &parts);
        let (page, mut response) = match self.admit(&parts) {
            Ok(page) => match page.preflight(&parts) {
                Some(headers) => (page, preflight(headers)),
                None => (page, self.answer(&mut exchange, body).await?),
            },
            Err(error) => (CallingPage::Own, self.refuse(&mut exchange, &body, error)),
        };
        self.cors.tell(&page, response.headers_mut());
        exchange.answer(response)
    }

    /// Refuses a request for which nothing at all is done. Returns the page that the others come
    /// from.
    fn admit(&self, parts: &Parts) -> Result<CallingPage, ApiError> {
        request::check_header_count(parts)?;
        request::check_host(parts)?;
        if self.authenticator.takes_anybody() {
            request::check_host_is_local(parts)?;
        }
        self.cors.admit(parts)
    }

    async fn answer(
        &self,
        exchange: &mut Exchange<'_>,
        body: Incoming,
    ) -> Result<Response<Answer>, NoRoom> {
        let parts = exchange.parts;
        match (&parts.method, parts.uri.path()) {
            (_, "/") if sts::is_asked(parts) => self.identify(exchange, body).await,
            (&Method::GET | &Method::HEAD, "/healthz") => Ok(self.health().await),
            (&Method::GET | &Method::HEAD, "/metrics") => Ok(self.metrics(exchange, body).await),
            (_, path) if path.starts_with(api::ROOT) => self.api(exchange, body).await,
            (_, "/healthz" | "/metrics") => Ok(not_allowed("GET, HEAD")),
            // As AWS: the operation is named by a header, whatever the path.
            (&Method::POST, _) => self.call(exchange, body).await,
            _ => Ok(self.refuse(exchange, &body, ApiError::no_operation_named())),
        }
    }

    /// Answers a request that is an operation's.
    async fn call(
        &self,
        exchange: &mut Exchange<'_>,
        mut body: Incoming,
    ) -> Result<Response<Answer>, NoRoom> {
        let answer = self.handle(exchange, &mut body).await;
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
        let wanted = Wanted {
            service: operation.service,
            action: operation.action(),
            bytes_max: self.limits.request_bytes_max.min(operation.body_bytes_max),
        };
        let mut call = self.receive(exchange, body, &wanted).await?;
        if request::is_compressed(exchange.parts) {
            call.body = body::decompressed(&call.body)?;
        }
        if operation.is_of_account {
            call.caller.permit(&Target::account(call.caller.account))?;
        }
        let (account, bytes) = (call.caller.account, call.body.len());
        let answer_bytes = operation.answer_bytes_max(bytes);
        exchange
            .held
            .works(Payer::Account(account), bytes, answer_bytes)
            .map_err(no_room)?;
        if operation.streams() {
            let may = exchange.held.may_stream();
            may.map_err(no_room_for(operation))?;
        }
        let _turn = if operation.reads_much {
            let turn = self.reads.take(account).await;
            Some(turn.map_err(|_| ApiError::internal("the server reads no more"))?)
        } else {
            None
        };
        let answer = operation.handle(&self.services, call).await?;
        // Before the next one's turn, so that what was read is charged by then.
        let held = charge(&mut exchange.held, &answer, operation.makes_durable());
        held.map_err(no_room_for(operation))?;
        Ok(answer)
    }

    /// Answers who calls.
    async fn identify(
        &self,
        exchange: &mut Exchange<'_>,
        mut body: Incoming,
    ) -> Result<Response<Answer>, NoRoom> {
        let wanted = Wanted {
            service: sts::SERVICE,
            action: sts::ACTION_OF_POLICIES,
            bytes_max: CALLER_BODY_BYTES_MAX,
        };
        let received = self.receive(exchange, &mut body, &wanted);
        let answer = received.await.and_then(|call| {
            sts::check(exchange.parts, &call.body)?;
            let works = exchange
                .held
                .works(Payer::Account(call.caller.account), 0, 0);
            works.map_err(no_room)?;
            Ok(sts::caller_identity(&call.caller, &exchange.id))
        });
        self.finish(exchange, &mut body, sts::OPERATION, answer)
            .await
    }

    /// Who calls, and the whole body. What the headers can tell is checked before a byte of the
    /// body is taken. Until its signature is checked, the body is charged to whoever the headers
    /// name.
    async fn receive(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
        wanted: &Wanted,
    ) -> Result<Call, ApiError> {
        let (parts, now) = (exchange.parts, self.clock.now());
        let claim = self.authenticator.claim(parts, wanted.service, now)?;
        exchange.is_body_wanted = true;
        let expected = Expected {
            started: exchange.started,
            bytes_max: wanted.bytes_max,
            key_id: claim.key_id(),
        };
        let body = body::receive(body, &expected, &self.limits, &mut exchange.held)
            .await
            .map_err(|error| body_error(&error))?;
        exchange.is_read = true;
        let proven = claim.prove(&body)?;
        Ok(Call {
            caller: exchange.requester(proven, wanted.action, now),
            codec: exchange.codec,
            body,
        })
    }

    /// Says what became of a request.
    async fn finish(
        &self,
        exchange: &mut Exchange<'_>,
        body: &mut Incoming,
        operation: &str,
        answer: Result<Answer, ApiError>,
    ) -> Result<Response<Answer>, NoRoom> {
        self.note(&exchange.id, operation, answer.as_ref().err());
        let reply = exchange.reply(answer);
        // The answer is charged before the rest of the body is waited for.
        charge(&mut exchange.held, &reply.answer, true)?;
        if !exchange.is_body_wanted {
            exchange.is_read = body::drain(exchange.parts, body).await;
        }
        Ok(self.respond(exchange, reply))
    }

    /// Refuses a request that no operation has to hear of.
    fn refuse(
        &self,
        exchange: &mut Exchange<'_>,
        body: &Incoming,
        error: ApiError,
    ) -> Response<Answer> {
        self.note(&exchange.id, "none", Some(&error));
        exchange.is_read = body.is_end_stream();
        self.respond(exchange, exchange.reply(Err(error)))
    }

    /// Logs what became of a request, and counts what was denied.
    fn note(&self, id: &RequestId, operation: &str, error: Option<&ApiError>) {
        if let Some(denial) = error.and_then(ApiError::denial) {
            self.telemetry.denied(denial.reason);
        }
        log(id, operation, error);
    }

    fn respond(&self, exchange: &Exchange<'_>, reply: Reply) -> Response<Answer> {
        let mut headers = HeaderMap::with_capacity(ANSWER_HEADERS);
        headers.insert(REQUEST_ID, exchange.id.header());
        headers.insert(HOST_ID, self.ids.host());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.kind));
        if exchange.codec == Codec::RpcV2Cbor {
            headers.insert(SMITHY_PROTOCOL, HeaderValue::from_static("rpc-v2-cbor"));
        }
        // What is left of a request cannot be told from the next one.
        if !exchange.is_read && exchange.parts.version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut response = Response::new(reply.answer);
        *response.status_mut() = reply.status;
        *response.headers_mut() = headers;
        response
    }
}

/// What a request is taken for.
struct Wanted {
    /// The service that it is signed for.
    service: &'static str,
    /// What it asks for, in the words of policies.
    action: Action,
    /// Bytes of its body at most.
    bytes_max: usize,
}

/// One request and how far it has come, whatever became of it.
struct Exchange<'a> {
    id: RequestId,
    address: IpAddr,
    is_encrypted: bool,
    parts: &'a Parts,
    started: Instant,
    held: Held,
    /// How its body is written, and what is said to it. To one that does not say so it is JSON.
    codec: Codec,
    /// Its headers were found to be good, and its body was asked for.
    is_body_wanted: bool,
    /// Its body was read to its end.
    is_read: bool,
    /// The place of its operation in the table.
    operation: Option<usize>,
}

impl<'a> Exchange<'a> {
    fn begin(router: &Router, visitor: Visitor, parts: &'a Parts) -> Self {
        let Visitor {
            address,
            is_encrypted,
            lever,
        } = visitor;
        let head_bytes = request::head_bytes(parts);
        Self {
            id: router.ids.next(),
            address,
            is_encrypted,
            parts,
            started: Instant::now(),
            held: router.budget.begin(address, head_bytes, lever),
            codec: request::codec(parts).unwrap_or(Codec::Json),
            is_body_wanted: false,
            is_read: false,
            operation: None,
        }
    }

    /// What is said to it.
    fn reply(&self, answer: Result<Answer, ApiError>) -> Reply {
        if sts::is_asked(self.parts) {
            Reply::of_sts(answer, &self.id)
        } else {
            Reply::of(answer, self.codec, request::home_of_errors(self.parts))
        }
    }

    /// Who makes it, and for what.
    fn requester(&self, proven: Proven, action: Action, now: Timestamp) -> Requester {
        let origin = Origin {
            address: self.address,
            is_encrypted: self.is_encrypted,
            now,
        };
        Requester::new(proven.caller, proven.identity, origin, action).until(proven.until)
    }

    /// Its answer on its way out. One that is charged already is not charged again.
    fn answer(mut self, response: Response<Answer>) -> Result<Response<AnswerBody>, NoRoom> {
        charge(&mut self.held, response.body(), true)?;
        let (head, answer) = response.into_parts();
        Ok(Response::from_parts(
            head,
            AnswerBody::new(answer, self.held)?,
        ))
    }
}
