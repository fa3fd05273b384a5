//! The pages of the server itself, as JSON: what AWS has no operation for. They are described in
//! the README; programs may rely on them.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_millrace/plugins` | `{"plugins": [...], "ignored": [...]}`, in order of their names |
//! | `GET /_millrace/plugins/NAME` | one of them |
//! | `GET /_millrace/plugins/NAME/history` | its versions, and when which was in force: `history` |
//! | `POST /_millrace/plugins/NAME/ORDER` | an order of `plugin_orders`, and its answer |
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

use delivery::{Delivery, DeliveryStatus, FLUSH_TIME_MAX, LaneAnswer, ORDER_TIME_MAX, Order};
use http::Method;
use serde::Serialize;
use types::Caller;
use wasm::{Plugin, PluginName, Plugins, Version};
use wire::{Action, Answer, ApiError, Requester, Target, json};

use super::history;
use super::plugin_orders::{self, Deployers, PluginOrder};

/// What all paths of the pages begin with.
pub(super) const ROOT: &str = "/_millrace/";
/// The service that policies name for them.
pub(super) const POLICY_SERVICE: &str = "millrace";

#[derive(Serialize)]
struct PluginList {
    plugins: Vec<PluginPage>,
    /// Not there when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<IgnoredPage>,
}

/// What looks like a plugin and cannot be one.
#[derive(Serialize)]
struct IgnoredPage {
    file: String,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryStreamList {
    delivery_streams: Vec<DeliveryStatus>,
}

#[derive(Serialize)]
struct Obeyed {
    lanes: Vec<LaneAnswer>,
}

/// One plugin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PluginPage {
    name: String,
    /// `running`: a version is in force. `loading`: none is yet. `refused`: none is, and the
    /// member `refused` says why. `paused`: an operator lets everybody wait.
    state: &'static str,
    #[serde(flatten)]
    version: Option<VersionPage>,
    /// Why the files that lie in the plugins directory now are not in force.
    refused: Option<String>,
    refused_at_ms: Option<u64>,
    /// How often a version took the place of another since the start.
    swaps: u64,
    #[serde(flatten)]
    standing: history::Standing,
}

/// The version in force.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionPage {
    version: String,
    hash: String,
    world: &'static str,
    loaded_at_ms: u64,
    component_bytes: usize,
    compile_us: u128,
    from_cache: bool,
    memory_bytes_max: usize,
    batch_ms_max: u128,
    calls: u64,
    records: u64,
    traps: u64,
    deadlines: u64,
    refused_batches: u64,
    batch_us: u64,
    log_lines_left_out: u64,
    counters: std::collections::BTreeMap<String, u64>,
}

impl PluginPage {
    /// With data of records only for those who may see records of all accounts.
    fn of(plugin: &Plugin, shows_data: bool) -> Self {
        Self {
            name: plugin.name.as_str().to_owned(),
            state: match (&plugin.version, &plugin.refused) {
                _ if plugin.is_paused() => "paused",
                (Some(_), _) => "running",
                (None, Some(_)) => "refused",
                (None, None) => "loading",
            },
            version: plugin.version.as_deref().map(VersionPage::of),
            refused: plugin.refused.as_ref().map(|refused| refused.why.clone()),
            refused_at_ms: plugin.refused.as_ref().map(|refused| refused.at.0),
            swaps: plugin.swaps,
            standing: history::Standing::of(plugin, shows_data),
        }
    }
}

impl IgnoredPage {
    fn of(ignored: wasm::Ignored) -> Self {
        Self {
            file: ignored.file,
            why: ignored.why,
        }
    }
}

impl VersionPage {
    fn of(version: &Version) -> Self {
        let (facts, counters) = (version.facts(), version.counters());
        let limits = version.manifest().limits;
        Self {
            version: version.label().to_owned(),
            hash: version.hash().to_string(),
            world: version.world_name(),
            loaded_at_ms: facts.loaded_at.0,
            component_bytes: facts.component_bytes,
            compile_us: facts.compile_time.as_micros(),
            from_cache: facts.from_cache,
            memory_bytes_max: limits.memory_bytes_max,
            batch_ms_max: limits.batch_time_max.as_millis(),
            calls: counters.calls.value(),
            records: counters.records.value(),
            traps: counters.traps.value(),
            deadlines: counters.deadlines.value(),
            refused_batches: counters.refused.value(),
            batch_us: counters.batch_time_us.value(),
            log_lines_left_out: version.log_lines_left_out(),
            counters: version.own_counters(),
        }
    }
}

/// Which page a path names.
enum Page<'a> {
    Plugins,
    Plugin(&'a str),
    History(&'a str),
    PluginOrder(&'a str, PluginOrder),
    DeliveryStreams,
    DeliveryStream(&'a str),
    Flush(&'a str),
    Order(&'a str, Order, Option<&'a str>),
}

impl<'a> Page<'a> {
    fn at(path: &'a str) -> Option<Self> {
        let below = path.strip_prefix(ROOT)?;
        let parts: Vec<&str> = below.split('/').collect();
        match parts[..] {
            ["plugins"] => Some(Self::Plugins),
            ["plugins", name] => Some(Self::Plugin(name)),
            ["plugins", name, "history"] => Some(Self::History(name)),
            ["plugins", name, ..] => {
                let order = PluginOrder::at(parts.get(2..)?)?;
                Some(Self::PluginOrder(name, order))
            }
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
            Self::History(_) => "GetPluginHistory",
            Self::PluginOrder(_, order) => order.operation(),
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
            Self::Plugin(name) | Self::History(name) | Self::PluginOrder(name, _) => {
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
            Self::PluginOrder(..) | Self::Flush(_) | Self::Order(..) => "POST",
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
    Page::at(path).map_or("", |page| page.methods())
}

/// What policies call a request for the page at `path`.
pub(super) fn action(path: &str) -> Action {
    Action {
        service: POLICY_SERVICE,
        operation: Page::at(path).map_or("GetPage", |page| page.operation()),
    }
}

/// What the pages show.
pub(super) struct Pages<'a> {
    pub(super) plugins: &'a Arc<Plugins>,
    /// Who may say which versions of them are in force.
    pub(super) deployers: &'a Deployers,
    pub(super) delivery: &'a Delivery,
}

impl Pages<'_> {
    /// Answers a request for the page at `path`.
    pub(super) async fn answer(
        &self,
        caller: &Requester,
        method: &Method,
        path: &str,
    ) -> Result<Answer, ApiError> {
        let page = Page::at(path).ok_or_else(|| not_found("page"))?;
        page.permit(caller, self.delivery)?;
        let mut methods = page.methods().split(", ");
        if !methods.any(|allowed| allowed == method.as_str()) {
            let what = format!("{method} {path} is nothing that can be done.");
            return Err(ApiError::new("MethodNotAllowedException", what).with_status(405));
        }
        match page {
            Page::Plugins => self.plugins(caller),
            Page::Plugin(name) => self.plugin(caller, name),
            Page::History(name) => {
                let found = PluginName::parse(name).ok();
                let life = found.and_then(|name| self.plugins.life(&name));
                let life = life.ok_or_else(|| not_found(&format!("plugin {name}")))?;
                json::answer(&history::History::of(name, &life))
            }
            Page::PluginOrder(name, order) => {
                self.deployers.permit(caller)?;
                plugin_orders::obey(self.plugins, name, order).await
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

    fn plugins(&self, caller: &Caller) -> Result<Answer, ApiError> {
        let (list, ignored) = (self.plugins.list(), self.plugins.ignored().into_iter());
        let shows_data = self.deployers.permit(caller).is_ok();
        let page = |plugin| PluginPage::of(plugin, shows_data);
        json::answer(&PluginList {
            plugins: list.iter().map(page).collect(),
            ignored: ignored.map(IgnoredPage::of).collect(),
        })
    }

    fn plugin(&self, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        // What is not a plugin's name is the name of no plugin.
        let found = PluginName::parse(name).ok();
        let found = found.and_then(|name| self.plugins.find(&name));
        let plugin = found.ok_or_else(|| not_found(&format!("plugin {name}")))?;
        let shows_data = self.deployers.permit(caller).is_ok();
        json::answer(&PluginPage::of(&plugin, shows_data))
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
