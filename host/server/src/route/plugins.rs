//! The pages about plugins, and how a version is handed to a running server.
//!
//! The body of a `PUT` is the manifest's text, which may be missing, with the component right
//! behind it: `cat plugin.toml NAME.wasm`. A component begins with a zero byte, and no text has
//! one. A first line `millrace-signature BASE64` may be the signature of both.
//!
//! | answer | |
//! |---|---|
//! | `{"state": "in-force", "hash": …, "wasInForce": …}` | it is in force |
//! | `{"state": "canary", …}` | a share goes by it, as its manifest says |
//! | `{"state": "set-aside", …}` | an operator set it aside meanwhile |
//! | `{"state": "loading"}` | not known yet: ask again with the same body |
//! | `PluginRefusedException` | for what is in it: the text says why; the version before goes on |
//! | `ServiceUnavailableException` | not now |
//!
//! Whoever asks again after `loading` hears of the same attempt, also where it was over meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::task::spawn_blocking;
use types::{AccountId, Caller};
use wasm::{CpuShare, Files, GuestThreads, NotDeployed, Plugin, PluginName, Plugins, Standing};
use wire::{Answer, ApiError, json};

use super::api::not_found;
use super::history;
use super::plugin_costs::Costs;
use super::viewer::Viewer;

/// How long a deployment is waited for; one that takes longer goes on, and whoever asks again hears
/// of it. The command line gives up after a minute.
const DEPLOY_TIME_MAX: Duration = Duration::from_secs(45);

/// Who may deploy plugins, which all accounts use, and see what they log of all.
#[derive(Clone, Debug)]
pub(crate) enum Deployers {
    /// Whoever calls: nobody is told apart.
    Anybody,
    /// These accounts.
    Accounts(Vec<AccountId>),
}

impl Deployers {
    /// Lets a caller go on, or says why not.
    pub(super) fn permit(&self, caller: &Caller) -> Result<(), ApiError> {
        let is_one = match self {
            Self::Anybody => true,
            Self::Accounts(accounts) => accounts.contains(&caller.account),
        };
        if is_one {
            return Ok(());
        }
        let what = format!(
            "Account {} does not deploy plugins: they are of all accounts, and plugin_accounts of \
             the server's configuration names those that do.",
            caller.account
        );
        Err(ApiError::new("AccessDeniedException", what))
    }
}

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
    /// Why the files that lie in the plugins directory now are not in force; for whom that is not,
    /// that there is a reason.
    refused: Option<String>,
    refused_at_ms: Option<u64>,
    /// How often a version took the place of another since the start.
    swaps: u64,
    /// Milliseconds a second that it may have a processor; 0: as many as there are.
    cpu_ms_per_second: u32,
    /// How long its turns had one since the start, in microseconds. This and all else that tells
    /// what went through it is shown to those who may see what is of all accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_us: Option<u64>,
    /// How long turns waited since it had used its share.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_back_us: Option<u64>,
    #[serde(flatten)]
    standing: history::Standing,
    #[serde(flatten)]
    costs: Option<Costs>,
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
    /// Names of the secrets that its manifest asks for.
    secrets: Vec<String>,
    /// Hosts that its manifest asks for.
    http: Vec<String>,
    /// What of its manifest is not granted, as lines for the configuration.
    lacks: Option<String>,
    #[serde(flatten)]
    used: Option<UsedPage>,
}

/// What went through the version in force.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsedPage {
    /// Calls over HTTP of all its versions; those that were not made as they may not be, and those
    /// that had no answer.
    http_calls: u64,
    http_refused: u64,
    http_failed: u64,
    /// How long all its versions waited for tables and for answers, in microseconds.
    host_wait_us: u64,
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
    /// With what the viewer may see of it.
    fn of(plugin: &Plugin, share: CpuShare, viewer: &Viewer) -> Self {
        let refused = plugin.refused.as_ref();
        Self {
            name: plugin.name.as_str().to_owned(),
            state: match (&plugin.version, &plugin.refused) {
                _ if plugin.is_paused() => "paused",
                (Some(_), _) => "running",
                (None, Some(_)) => "refused",
                (None, None) => "loading",
            },
            version: plugin
                .version
                .as_deref()
                .map(|version| VersionPage::of(version, viewer)),
            refused: refused.map(|refused| viewer.reason(&plugin.name, &refused.why)),
            refused_at_ms: refused.map(|refused| refused.at.0),
            swaps: plugin.swaps,
            cpu_ms_per_second: share.ms_per_second,
            cpu_us: viewer.deploys.then_some(share.used_us),
            held_back_us: viewer.deploys.then_some(share.held_back_us),
            standing: history::Standing::of(plugin, viewer),
            costs: viewer.deploys.then(|| Costs::of(plugin)),
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
    fn of(version: &wasm::Version, viewer: &Viewer) -> Self {
        let facts = version.facts();
        let (limits, asked) = (version.manifest().limits, &version.manifest().grants);
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
            secrets: asked.secrets.iter().map(ToString::to_string).collect(),
            http: asked.http.iter().map(ToString::to_string).collect(),
            lacks: version.lacks(),
            used: viewer.deploys.then(|| UsedPage::of(version)),
        }
    }
}

impl UsedPage {
    fn of(version: &wasm::Version) -> Self {
        let (counters, calls) = (version.counters(), version.calls());
        Self {
            http_calls: calls.calls,
            http_refused: calls.refused,
            http_failed: calls.failed,
            host_wait_us: calls.waited_us,
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

/// All plugins; for those who deploy also what lies there and is none.
pub(super) fn list(
    plugins: &Plugins,
    threads: &GuestThreads,
    viewer: &Viewer,
) -> Result<Answer, ApiError> {
    let (list, ignored) = (plugins.list(), plugins.ignored().into_iter());
    let page = |plugin: &Plugin| {
        let share = threads.share_of_plugin(&plugin.name);
        PluginPage::of(plugin, share, viewer)
    };
    let ignored = ignored.filter(|_| viewer.deploys);
    json::answer(&PluginList {
        plugins: list.iter().map(page).collect(),
        ignored: ignored.map(IgnoredPage::of).collect(),
    })
}

/// One plugin.
pub(super) fn one(
    (plugins, threads): (&Plugins, &GuestThreads),
    name: &str,
    viewer: &Viewer,
) -> Result<Answer, ApiError> {
    // What is not a plugin's name is the name of no plugin.
    let found = PluginName::parse(name).ok();
    let found = found.and_then(|name| plugins.find(&name));
    let plugin = found.ok_or_else(|| not_found(&format!("plugin {name}")))?;
    let share = threads.share_of_plugin(&plugin.name);
    json::answer(&PluginPage::of(&plugin, share, viewer))
}

/// Bytes of a signature, a manifest and a component together.
pub(super) fn deployment_bytes_max(limits: &wasm::Limits) -> usize {
    let component = usize::try_from(limits.component_bytes_max).unwrap_or(usize::MAX);
    component.saturating_add(wasm::DEPLOYED_TEXT_BYTES_MAX)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeployPage {
    name: String,
    state: &'static str,
    hash: String,
    /// It was in force before, and nothing was done.
    was_in_force: bool,
}

/// Puts a version in force.
pub(super) async fn deploy(
    plugins: &Arc<Plugins>,
    name: &str,
    body: Bytes,
) -> Result<Answer, ApiError> {
    let name = PluginName::parse(name).map_err(|error| refused(error.to_string()))?;
    let files = Files::split(&body).map_err(refused)?;
    drop(body);
    let hash = files.hash().to_string();
    let (plugins, asked) = (Arc::clone(plugins), name.clone());
    let deploying = spawn_blocking(move || plugins.deploy(&asked, files, DEPLOY_TIME_MAX));
    let page = |state, was_in_force| DeployPage {
        name: name.to_string(),
        state,
        hash,
        was_in_force,
    };
    let deployed = deploying.await;
    match deployed.map_err(|_| ApiError::internal("a deployment ended badly"))? {
        Ok(None) => json::answer(&page("loading", false)),
        Ok(Some(deployed)) => {
            let state = match deployed.standing {
                Standing::InForce => "in-force",
                Standing::Canary => "canary",
                Standing::SetAside => "set-aside",
            };
            json::answer(&page(state, deployed.was_in_force))
        }
        Err(NotDeployed::Refused(why)) => Err(refused(why)),
        Err(NotDeployed::ForNow(why)) => Err(not_now(why)),
        Err(NotDeployed::NoDirectory) => {
            let what = "The server has no plugins directory: start it with --plugins.";
            Err(refused(what.to_owned()))
        }
    }
}

pub(super) fn refused(why: String) -> ApiError {
    ApiError::new("PluginRefusedException", why)
}

pub(super) fn not_now(why: String) -> ApiError {
    ApiError::new("ServiceUnavailableException", why).with_status(503)
}

/// The component of the version in force, as it was handed in.
pub(super) async fn component(plugins: &Arc<Plugins>, name: &str) -> Result<Answer, ApiError> {
    let missing = || not_found(&format!("plugin {name}"));
    let name = PluginName::parse(name).map_err(|_| missing())?;
    let version = plugins.current(&name).ok_or_else(missing)?;
    let plugins = Arc::clone(plugins);
    let read = spawn_blocking(move || plugins.files(&name, version.hash())).await;
    let read = read.map_err(|_| ApiError::internal("a plugin's files were not read"))?;
    let files = read.map_err(|_| ApiError::internal("a plugin's files cannot be read"))?;
    Ok(Answer::whole(Bytes::from(files.unsigned().whole())))
}
