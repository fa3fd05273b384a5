//! The pages of the server itself, as JSON: what AWS has no operation for. They are described in
//! the README; programs may rely on them.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_millrace/plugins` | `{"plugins": [...], "ignored": [...]}`, in order of their names |
//! | `GET /_millrace/plugins/NAME` | one of them |
//! | `GET /_millrace/plugins/NAME/history` | its versions, and when which was in force: `history` |
//! | `POST /_millrace/plugins/NAME/ORDER` | an order of `plugin_orders`, and its answer |
//! | `PUT /_millrace/plugins/NAME` | a version of it is put in force: `plugins` |
//! | `POST /_millrace/plugins/NAME/shadow` | a version is only tried: `shadow_trial` |
//! | `GET /_millrace/plugins/NAME/logs?after=N` | what it logged last: `plugin_logs` |
//! | `GET /_millrace/plugins/NAME/profile?seconds=N` | where it spends its time: `plugin_profile` |
//! | `GET /_millrace/plugins/NAME/component` | the component of the version in force |
//! | `GET /_millrace/delivery-streams` | `{"deliveryStreams": [...]}`, the caller's |
//! | `GET /_millrace/delivery-streams/NAME` | one of them |
//! | `GET /_millrace/delivery-streams/NAME/deliveries?after=N` | see `deliveries` |
//! | `GET /_millrace/delivery-streams/NAME/lineage?object=KEY` | what an object was made of |
//! | `POST /_millrace/delivery-streams/NAME/flush` | `{"delivered": true}` once all is delivered |
//! | `GET /_millrace/{delivery-streams,streams,plugins}/NAME/dead-letters…` | see `letters` |
//! | `POST /_millrace/{delivery-streams,streams,plugins}/NAME/dead-letters/…` | the same |
//! | `… /_millrace/delivery-streams/NAME/{redeliver,redeliveries…}` | see `redeliveries` |
//! | `POST /_millrace/delivery-streams/NAME/ORDER` | `{"lanes": [...]}`: what each did |
//! | `POST /_millrace/delivery-streams/NAME/ORDER/LANE` | the same of one lane |
//! | `GET /_millrace/tables` | `{"tables": [...]}`, the caller's, in order of their names |
//! | `GET /_millrace/tables/NAME` | `{"key": [...], "items": [...], "next": ...}`: some items |
//! | `GET /_millrace/tables/NAME/items/KEY` | the same of one item |
//! | `GET /_millrace/apps` | `{"apps": [...]}`, the caller's applications |
//! | `GET /_millrace/apps/NAME` | one of them with its shards |
//! | `POST /_millrace/apps/NAME/create` | makes it, of `{"stream", "plugin", "start", "version"}` |
//! | `POST /_millrace/apps/NAME/{pause,resume,delete}` | `{"done": true}` |
//! | `POST /_millrace/apps/NAME/version` | works with `{"version"}`, without one with the latest |
//! | `POST /_millrace/apps/NAME/{retry,skip}[/SHARD]` | `{"shards": 1}`: how many heard it |
//! | `GET /_millrace/apps/NAME/dead-letters[/after/ID]` | `{"deadLetters": [...]}` |
//! | `GET /_millrace/apps/NAME/dead-letters/ID` | one of them with its content in base64 |
//! | `POST /_millrace/apps/NAME/dead-letters/ID/{replay,discard}` | `{"done": true}` |
//!
//! An order is `retry`, `skip`, `leave-out` or `move`; without a lane it is for all that do not
//! get on.
//!
//! Items of a table come in the order of their keys. `?prefix=` names those whose hash key begins
//! so, `?after=` is the `next` of the page before, `?limit=` says how many at most. A key is
//! written in hexadecimal digits; of one with a range key that is a second part of the path.
//!
//! Where credentials are configured, requests are signed for the service `kinesis`; policies know
//! the pages as actions of `millrace`.

use std::sync::Arc;

use bytes::Bytes;
use consumers::Consumers;
use delivery::{Delivery, DeliveryStatus, FLUSH_TIME_MAX, LaneAnswer, ORDER_TIME_MAX, Order};
use http::{Method, Uri};
use serde::Serialize;
use streams::Streams;
use tables::Tables;
use tables::browse::{Looked, TableSummary};
use types::Caller;
use wasm::{GuestThreads, PluginName, Plugins};
use wire::{Action, Answer, ApiError, Requester, Target, form, json};

use super::apps::AppPage;
use super::history;
use super::letters::LettersPage;
use super::plugin_orders::{self, PluginOrder};
use super::plugins::{self, Deployers};
use super::viewer::Viewer;
use super::{deliveries, delivery_logs, plugin_logs, plugin_profile, redeliveries, shadow_trial};

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
struct TableList {
    tables: Vec<TableSummary>,
}

#[derive(Serialize)]
struct Obeyed {
    lanes: Vec<LaneAnswer>,
}

/// Which page a path names.
enum Page<'a> {
    Plugins,
    Plugin(&'a str),
    History(&'a str),
    PluginOrder(&'a str, PluginOrder),
    DeployPlugin(&'a str),
    ShadowPlugin(&'a str),
    PluginLogs(&'a str),
    PluginProfile(&'a str),
    PluginComponent(&'a str),
    DeliveryStreams,
    DeliveryStream(&'a str),
    DeliveryLogs(&'a str),
    Deliveries(&'a str),
    Lineage(&'a str),
    Flush(&'a str),
    Redeliveries(&'a str, redeliveries::What),
    Order(&'a str, Order, Option<&'a str>),
    Letters(LettersPage<'a>),
    Tables,
    Table(&'a str),
    Item(&'a str, Vec<&'a str>),
    Apps(AppPage<'a>),
}

impl<'a> Page<'a> {
    fn at(method: &Method, path: &'a str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        let parts: Vec<&str> = below.split('/').collect();
        match parts[..] {
            [of, name, "dead-letters", ref rest @ ..] if of != "apps" => {
                LettersPage::at(of, name, rest).map(Self::Letters)
            }
            ["plugins"] => Some(Self::Plugins),
            ["plugins", name] if method == Method::PUT => Some(Self::DeployPlugin(name)),
            ["plugins", name] => Some(Self::Plugin(name)),
            ["plugins", name, "logs"] => Some(Self::PluginLogs(name)),
            ["plugins", name, "profile"] => Some(Self::PluginProfile(name)),
            ["plugins", name, "component"] => Some(Self::PluginComponent(name)),
            ["plugins", name, "history"] => Some(Self::History(name)),
            ["plugins", name, "shadow"] => Some(Self::ShadowPlugin(name)),
            ["plugins", name, ..] => {
                let order = PluginOrder::at(parts.get(2..)?)?;
                Some(Self::PluginOrder(name, order))
            }
            ["delivery-streams"] => Some(Self::DeliveryStreams),
            ["delivery-streams", name] => Some(Self::DeliveryStream(name)),
            ["delivery-streams", name, "logs"] => Some(Self::DeliveryLogs(name)),
            ["delivery-streams", name, "deliveries"] => Some(Self::Deliveries(name)),
            ["delivery-streams", name, "lineage"] => Some(Self::Lineage(name)),
            ["delivery-streams", name, "flush"] => Some(Self::Flush(name)),
            ["delivery-streams", name, "redeliver"] => {
                Some(Self::Redeliveries(name, redeliveries::What::Order))
            }
            ["delivery-streams", name, "redeliveries"] => {
                Some(Self::Redeliveries(name, redeliveries::What::List))
            }
            ["delivery-streams", name, "redeliveries", "cancel"] => {
                Some(Self::Redeliveries(name, redeliveries::What::Cancel))
            }
            ["delivery-streams", name, what] => Some(Self::Order(name, order(what)?, None)),
            ["delivery-streams", name, what, lane] => {
                Some(Self::Order(name, order(what)?, Some(lane)))
            }
            ["tables"] => Some(Self::Tables),
            ["tables", name] => Some(Self::Table(name)),
            ["tables", name, "items", ref key @ ..] if !key.is_empty() => {
                Some(Self::Item(name, key.to_vec()))
            }
            ["apps", ref rest @ ..] => AppPage::at(rest).map(Self::Apps),
            _ => None,
        }
    }

    /// What policies call what it does.
    fn operation(&self) -> &'static str {
        match self {
            Self::Plugins => "ListPlugins",
            Self::Plugin(_) => "GetPlugin",
            Self::History(_) => "GetPluginHistory",
            Self::PluginOrder(_, order) => order.operation(),
            Self::DeployPlugin(_) => "DeployPlugin",
            Self::ShadowPlugin(_) => "ShadowPlugin",
            Self::PluginLogs(_) => "GetPluginLogs",
            Self::PluginProfile(_) => "ProfilePlugin",
            Self::PluginComponent(_) => "GetPluginComponent",
            Self::DeliveryStreams => "ListDeliveryStreams",
            Self::DeliveryStream(_) => "DescribeDeliveryStream",
            Self::DeliveryLogs(_) => "GetDeliveryLogs",
            Self::Deliveries(_) => "GetDeliveries",
            Self::Lineage(_) => "GetLineage",
            Self::Flush(_) => "FlushDeliveryStream",
            Self::Redeliveries(_, what) => what.operation(),
            Self::Order(_, Order::Retry, _) => "RetryDelivery",
            Self::Order(_, Order::Skip, _) => "SkipDelivery",
            Self::Order(_, Order::LeaveOut, _) => "LeaveOutDelivery",
            Self::Order(_, Order::Move, _) => "MoveDelivery",
            Self::Letters(page) => page.operation(),
            Self::Tables => "ListTables",
            Self::Table(_) => "ScanTable",
            Self::Item(..) => "GetTableItem",
            Self::Apps(page) => page.operation(),
        }
    }

    /// Lets a request have the page, or refuses it.
    fn permit(&self, by: &Requester, pages: &Pages<'_>) -> Result<(), ApiError> {
        let Caller { account, region } = &**by;
        let partition = region.partition();
        let arn = match self {
            Self::Plugins | Self::DeliveryStreams | Self::Tables => {
                return by.permit(&Target::account(*account));
            }
            Self::Plugin(name)
            | Self::History(name)
            | Self::PluginOrder(name, _)
            | Self::DeployPlugin(name)
            | Self::ShadowPlugin(name)
            | Self::PluginLogs(name)
            | Self::PluginProfile(name)
            | Self::PluginComponent(name) => {
                format!("arn:{partition}:{POLICY_SERVICE}:{region}:{account}:plugin/{name}")
            }
            Self::DeliveryStream(name)
            | Self::DeliveryLogs(name)
            | Self::Deliveries(name)
            | Self::Lineage(name)
            | Self::Flush(name)
            | Self::Redeliveries(name, _)
            | Self::Order(name, ..) => {
                return pages.delivery.permit(by, name);
            }
            Self::Letters(page) => return page.permit(by, pages.delivery),
            Self::Table(name) | Self::Item(name, _) => return pages.tables.permit(by, name),
            Self::Apps(page) => return page.permit(by),
        };
        by.permit(&Target::named(&arn, *account))
    }

    fn methods(&self) -> &'static str {
        match self {
            Self::PluginOrder(..) | Self::ShadowPlugin(_) | Self::Flush(_) | Self::Order(..) => {
                "POST"
            }
            Self::Plugin(_) | Self::DeployPlugin(_) => "GET, HEAD, PUT",
            Self::Letters(page) => page.methods(),
            Self::Redeliveries(_, what) => what.methods(),
            Self::Apps(page) => page.methods(),
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
        Some(Page::DeployPlugin(_) | Page::ShadowPlugin(_)) => {
            plugins::deployment_bytes_max(limits)
        }
        _ => BODY_BYTES_MAX,
    }
}

/// What is asked of a page.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) body: Bytes,
}

/// What the pages show.
pub(super) struct Pages<'a> {
    pub(super) plugins: &'a Arc<Plugins>,
    /// Who may deploy plugins, say which versions are in force, and see what they log.
    pub(super) threads: &'a GuestThreads,
    pub(super) deployers: &'a Deployers,
    pub(super) delivery: &'a Delivery,
    pub(super) tables: &'a Tables,
    pub(super) consumers: &'a Consumers,
    pub(super) streams: &'a Streams,
}

impl Pages<'_> {
    /// Answers a request for the page at `uri`.
    pub(super) async fn answer(
        &self,
        caller: &Requester,
        Asked { method, uri, body }: Asked<'_>,
    ) -> Result<Answer, ApiError> {
        let (path, query) = (uri.path(), uri.query());
        let page = Page::at(method, path).ok_or_else(|| not_found("page"))?;
        page.permit(caller, self)?;
        let mut methods = page.methods().split(", ");
        if !methods.any(|allowed| allowed == method.as_str()) {
            let what = format!("{method} {path} is nothing that can be done.");
            return Err(ApiError::new("MethodNotAllowedException", what).with_status(405));
        }
        match page {
            Page::Plugins => plugins::list(self.plugins, self.threads, &self.viewer(caller)),
            Page::Plugin(name) => {
                plugins::one((self.plugins, self.threads), name, &self.viewer(caller))
            }
            Page::History(name) => self.history(name),
            Page::PluginOrder(name, order) => {
                self.deployers.permit(caller)?;
                plugin_orders::obey(self.plugins, name, order).await
            }
            Page::DeployPlugin(name) => {
                self.deployers.permit(caller)?;
                plugins::deploy(self.plugins, name, body).await
            }
            Page::ShadowPlugin(name) => {
                self.deployers.permit(caller)?;
                shadow_trial::answer(self, caller, (name, query), body).await
            }
            Page::PluginLogs(name) => {
                self.deployers.permit(caller)?;
                plugin_logs::logs(self.plugins, name, query)
            }
            Page::PluginProfile(name) => {
                self.deployers.permit(caller)?;
                plugin_profile::profile(self.plugins, name, query).await
            }
            Page::PluginComponent(name) => {
                self.deployers.permit(caller)?;
                plugins::component(self.plugins, name).await
            }
            Page::DeliveryStreams => json::answer(&DeliveryStreamList {
                delivery_streams: self.delivery.statuses(Some(caller)),
            }),
            Page::DeliveryStream(name) => self.delivery_stream(caller, name),
            Page::DeliveryLogs(name) => delivery_logs::logs(self.delivery, caller, (name, query)),
            Page::Deliveries(name) => deliveries::deliveries(self.delivery, caller, (name, query)),
            Page::Lineage(name) => self.lineage(caller, (name, query)).await,
            Page::Order(name, order, lane) => self.order(caller, name, order, lane).await,
            Page::Flush(name) => self.flush(caller, name).await,
            Page::Redeliveries(name, what) => {
                what.answer(self.delivery, caller, (name, &body)).await
            }
            Page::Letters(page) => page.answer(self, caller, (query, &body)).await,
            Page::Tables => json::answer(&TableList {
                tables: self.tables.summaries(caller),
            }),
            Page::Table(name) => self.items(caller, name, query.unwrap_or_default()).await,
            Page::Item(name, key) => self.item(caller, name, &key).await,
            Page::Apps(page) => {
                let viewer = self.viewer(caller);
                page.answer((self.consumers, self.streams), (caller, &viewer), &body)
                    .await
            }
        }
    }

    fn delivery_stream(&self, caller: &Requester, name: &str) -> Result<Answer, ApiError> {
        let described = self.delivery.describe(caller, name);
        json::answer(&described.ok_or_else(|| no_delivery_stream(name))?)
    }

    async fn item(&self, caller: &Requester, name: &str, key: &[&str]) -> Result<Answer, ApiError> {
        let found = self.tables.look_up(caller, name, key).await?;
        let found = found.ok_or_else(|| not_found(&format!("item of a table {name}")))?;
        json::answer(&found)
    }

    fn history(&self, name: &str) -> Result<Answer, ApiError> {
        let found = PluginName::parse(name).ok();
        let life = found.and_then(|name| self.plugins.life(&name));
        let life = life.ok_or_else(|| not_found(&format!("plugin {name}")))?;
        json::answer(&history::History::of(name, &life))
    }

    pub(super) fn viewer(&self, caller: &Caller) -> Viewer {
        let mut served_by = self.delivery.plugins_of(caller.account);
        served_by.extend(self.consumers.plugins_of(caller.account));
        Viewer {
            deploys: self.deployers.permit(caller).is_ok(),
            served_by,
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

    async fn items(&self, caller: &Caller, name: &str, query: &str) -> Result<Answer, ApiError> {
        let given = |name| form::parameter(query, name);
        let (prefix, after, limit) = (given("prefix"), given("after"), given("limit"));
        let limit = match limit.as_deref().map(str::parse) {
            None => None,
            Some(Ok(limit)) if limit > 0 => Some(limit),
            Some(_) => return Err(ApiError::validation("The limit is no number of items.")),
        };
        let looked = Looked {
            prefix: prefix.as_deref(),
            after: after.as_deref(),
            limit,
        };
        match self.tables.browse(caller, name, looked).await? {
            Some(page) => json::answer(&page),
            None => Err(not_found(&format!("table {name}"))),
        }
    }

    async fn lineage(
        &self,
        caller: &Caller,
        (name, query): (&str, Option<&str>),
    ) -> Result<Answer, ApiError> {
        let object = form::parameter(query.unwrap_or_default(), "object");
        let object = object.ok_or_else(|| ApiError::validation("The object is not named."))?;
        json::answer(&self.delivery.lineage(caller, name, &object).await?)
    }

    async fn flush(&self, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        match self.delivery.flush(caller, name).await {
            Some(flushed) => json::answer(&flushed),
            None => Err(no_delivery_stream(name)),
        }
    }
}

pub(super) fn no_delivery_stream(name: &str) -> ApiError {
    not_found(&format!("delivery stream {name}"))
}

pub(super) fn not_found(what: &str) -> ApiError {
    let what = format!("There is no such {what}.");
    ApiError::new("ResourceNotFoundException", what).with_status(404)
}

// A flush and an order are answered before the command line gives up, after a minute.
const _: () = assert!(FLUSH_TIME_MAX.as_secs() <= 60 && ORDER_TIME_MAX.as_secs() <= 60);
