//! The pages of the server itself, as JSON: what AWS has no operation for. They are described in
//! the README; programs may rely on them.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_millrace/plugins` | `{"plugins": [...], "ignored": [...]}`, in order of their names |
//! | `GET /_millrace/plugins/NAME` | one of them |
//! | `PUT /_millrace/plugins/NAME` | a version of it is put in force: `plugins` |
//! | `GET /_millrace/plugins/NAME/logs?after=N` | `{"lines": [...]}`: what it logged last |
//! | `GET /_millrace/plugins/NAME/component` | the component of the version in force |
//! | `GET /_millrace/delivery-streams` | `{"deliveryStreams": [...]}`, the caller's |
//! | `GET /_millrace/delivery-streams/NAME` | one of them |
//! | `POST /_millrace/delivery-streams/NAME/flush` | `{"delivered": true}` once all is delivered |
//! | `POST /_millrace/delivery-streams/NAME/ORDER` | `{"lanes": [...]}`: what each did |
//! | `POST /_millrace/delivery-streams/NAME/ORDER/LANE` | the same of one lane |
//!
//! An order is `retry`, `skip`, `leave-out` or `move`; without a lane it is for all that do not
//! get on.
//!
//! Where credentials are configured, requests are signed for the service `kinesis`; policies know
//! the pages as actions of `millrace`.

use std::sync::Arc;

use bytes::Bytes;
use delivery::{Delivery, DeliveryStatus, FLUSH_TIME_MAX, LaneAnswer, ORDER_TIME_MAX, Order};
use http::Method;
use serde::Serialize;
use types::Caller;
use wasm::Plugins;
use wire::{Action, Answer, ApiError, Requester, Target, json};

use super::plugins::{self, Deployers};

/// Bytes of the body of a page that has no use for one.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// What all paths of the pages begin with.
pub(super) const ROOT: &str = "/_millrace/";
/// The service that policies name for them.
pub(super) const POLICY_SERVICE: &str = "millrace";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryStreamList {
    delivery_streams: Vec<DeliveryStatus>,
}

#[derive(Serialize)]
struct Obeyed {
    lanes: Vec<LaneAnswer>,
}

/// Which page a path names.
enum Page<'a> {
    Plugins,
    Plugin(&'a str),
    DeployPlugin(&'a str),
    PluginLogs(&'a str),
    PluginComponent(&'a str),
    DeliveryStreams,
    DeliveryStream(&'a str),
    Flush(&'a str),
    Order(&'a str, Order, Option<&'a str>),
}

impl<'a> Page<'a> {
    fn at(method: &Method, path: &'a str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        let parts: Vec<&str> = below.split('/').collect();
        match parts[..] {
            ["plugins"] => Some(Self::Plugins),
            ["plugins", name] if method == Method::PUT => Some(Self::DeployPlugin(name)),
            ["plugins", name] => Some(Self::Plugin(name)),
            ["plugins", name, "logs"] => Some(Self::PluginLogs(name)),
            ["plugins", name, "component"] => Some(Self::PluginComponent(name)),
            ["delivery-streams"] => Some(Self::DeliveryStreams),
            ["delivery-streams", name] => Some(Self::DeliveryStream(name)),
            ["delivery-streams", name, "flush"] => Some(Self::Flush(name)),
            ["delivery-streams", name, what] => Some(Self::Order(name, order(what)?, None)),
            ["delivery-streams", name, what, lane] => {
                Some(Self::Order(name, order(what)?, Some(lane)))
            }
            _ => None,
        }
    }

    /// What policies call what it does.
    fn operation(&self) -> &'static str {
        match self {
            Self::Plugins => "ListPlugins",
            Self::Plugin(_) => "GetPlugin",
            Self::DeployPlugin(_) => "DeployPlugin",
            Self::PluginLogs(_) => "GetPluginLogs",
            Self::PluginComponent(_) => "GetPluginComponent",
            Self::DeliveryStreams => "ListDeliveryStreams",
            Self::DeliveryStream(_) => "DescribeDeliveryStream",
            Self::Flush(_) => "FlushDeliveryStream",
            Self::Order(_, Order::Retry, _) => "RetryDelivery",
            Self::Order(_, Order::Skip, _) => "SkipDelivery",
            Self::Order(_, Order::LeaveOut, _) => "LeaveOutDelivery",
            Self::Order(_, Order::Move, _) => "MoveDelivery",
        }
    }

    /// Lets a request have the page, or refuses it.
    fn permit(&self, by: &Requester, delivery: &Delivery) -> Result<(), ApiError> {
        let Caller { account, region } = &**by;
        let partition = region.partition();
        let arn = match self {
            Self::Plugins | Self::DeliveryStreams => {
                return by.permit(&Target::account(*account));
            }
            Self::Plugin(name)
            | Self::DeployPlugin(name)
            | Self::PluginLogs(name)
            | Self::PluginComponent(name) => {
                format!("arn:{partition}:{POLICY_SERVICE}:{region}:{account}:plugin/{name}")
            }
            Self::DeliveryStream(name) | Self::Flush(name) | Self::Order(name, ..) => {
                return delivery.permit(by, name);
            }
        };
        by.permit(&Target::named(&arn, *account))
    }

    fn methods(&self) -> &'static str {
        match self {
            Self::Flush(_) | Self::Order(..) => "POST",
            Self::Plugin(_) | Self::DeployPlugin(_) => "GET, HEAD, PUT",
            _ => "GET, HEAD",
        }
    }
}

/// The order of that name.
fn order(name: &str) -> Option<Order> {
    match name {
        "retry" => Some(Order::Retry),
        "skip" => Some(Order::Skip),
        "leave-out" => Some(Order::LeaveOut),
        "move" => Some(Order::Move),
        _ => None,
    }
}

/// The methods that the page at `path` answers; none if there is no such page.
pub(super) fn methods(path: &str) -> &'static str {
    Page::at(&Method::GET, path).map_or("", |page| page.methods())
}

/// What policies call a request for the page at `path`.
pub(super) fn action(method: &Method, path: &str) -> Action {
    Action {
        service: POLICY_SERVICE,
        operation: Page::at(method, path).map_or("GetPage", |page| page.operation()),
    }
}

/// Bytes that the body of a request for the page at `path` may have.
pub(super) fn body_bytes_max(method: &Method, path: &str, limits: &wasm::Limits) -> usize {
    match Page::at(method, path) {
        Some(Page::DeployPlugin(_)) => plugins::deployment_bytes_max(limits),
        _ => BODY_BYTES_MAX,
    }
}

/// What a request for a page has besides its path.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) body: Bytes,
}

/// What the pages show.
pub(super) struct Pages<'a> {
    pub(super) plugins: &'a Arc<Plugins>,
    /// Who may deploy plugins, and see what they log.
    pub(super) deployers: &'a Deployers,
    pub(super) delivery: &'a Delivery,
}

impl Pages<'_> {
    /// Answers a request for the page at `path`.
    pub(super) async fn answer(
        &self,
        caller: &Requester,
        asked: Asked<'_>,
    ) -> Result<Answer, ApiError> {
        let Asked {
            method,
            path,
            query,
            body,
        } = asked;
        let page = Page::at(method, path).ok_or_else(|| not_found("page"))?;
        page.permit(caller, self.delivery)?;
        let mut methods = page.methods().split(", ");
        if !methods.any(|allowed| allowed == method.as_str()) {
            let what = format!("{method} {path} is nothing that can be done.");
            return Err(ApiError::new("MethodNotAllowedException", what).with_status(405));
        }
        match page {
            Page::Plugins => plugins::list(self.plugins),
            Page::Plugin(name) => plugins::one(self.plugins, name),
            Page::DeployPlugin(name) => {
                self.deployers.permit(caller)?;
                plugins::deploy(self.plugins, name, body).await
            }
            Page::PluginLogs(name) => {
                self.deployers.permit(caller)?;
                plugins::logs(self.plugins, name, query)
            }
            Page::PluginComponent(name) => {
                self.deployers.permit(caller)?;
                plugins::component(self.plugins, name).await
            }
            Page::DeliveryStreams => json::answer(&DeliveryStreamList {
                delivery_streams: self.delivery.statuses(Some(caller)),
            }),
            Page::DeliveryStream(name) => match self.delivery.describe(caller, name) {
                Some(described) => json::answer(&described),
                None => Err(no_delivery_stream(name)),
            },
            Page::Order(name, order, lane) => self.order(caller, name, order, lane).await,
            Page::Flush(name) => self.flush(caller, name).await,
        }
    }

    async fn order(
        &self,
        caller: &Caller,
        name: &str,
        order: Order,
        lane: Option<&str>,
    ) -> Result<Answer, ApiError> {
        match (self.delivery.order(caller, name, order, lane).await, lane) {
            (Some(lanes), _) => json::answer(&Obeyed { lanes }),
            (None, None) => Err(no_delivery_stream(name)),
            (None, Some(lane)) => {
                let what = format!("delivery stream {name} with a lane {lane}");
                Err(not_found(&what))
            }
        }
    }

    async fn flush(&self, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        match self.delivery.flush(caller, name).await {
            Some(flushed) => json::answer(&flushed),
            None => Err(no_delivery_stream(name)),
        }
    }
}

fn no_delivery_stream(name: &str) -> ApiError {
    not_found(&format!("delivery stream {name}"))
}

pub(super) fn not_found(what: &str) -> ApiError {
    let what = format!("There is no such {what}.");
    ApiError::new("ResourceNotFoundException", what).with_status(404)
}

// A flush and an order are answered before the command line gives up, after a minute.
const _: () = assert!(FLUSH_TIME_MAX.as_secs() <= 60 && ORDER_TIME_MAX.as_secs() <= 60);
