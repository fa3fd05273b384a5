//! What operators order of plugins. Each is a `POST` to `/_millrace/plugins/NAME/` and
//!
//! | path | what is done |
//! |---|---|
//! | `rollback` | the version before comes into force |
//! | `rollback/VERSION` | the one that is named comes into force: by its number, or its hash |
//! | `pause`, `resume` | lanes and applications wait, or go on |
//! | `aliases/ALIAS/VERSION` | the alias stands for the version |
//! | `aliases/ALIAS/delete` | the alias is forgotten |
//! | `canary/VERSION/PERCENT` | so many percent of the lanes go by the version |
//! | `canary/promote`, `canary/end` | all go by it, or none |
//!
//! The answer is `{"version": {...}}`, the version that the order was about, or `{}`.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::spawn_blocking;
use types::Invalid;
use wasm::{AliasName, Numbered, OrderError, PluginName, Plugins};
use wire::{Answer, ApiError, json};

use super::api::not_found;
use super::history::VersionPage;

/// One order, with what its path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PluginOrder {
    /// To a version, or to the one before.
    Rollback(Option<String>),
    Pause,
    Resume,
    /// An alias, and the version that it shall stand for.
    SetAlias(String, String),
    DeleteAlias(String),
    /// A version, and its share in percent.
    BeginCanary(String, String),
    PromoteCanary,
    EndCanary,
}

#[derive(Serialize)]
struct Obeyed {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<VersionPage>,
}

impl PluginOrder {
    /// The order that the parts of a path behind the plugin's name stand for.
    pub(super) fn at(parts: &[&str]) -> Option<Self> {
        let own = |part: &str| part.to_owned();
        match *parts {
            ["rollback"] => Some(Self::Rollback(None)),
            ["rollback", version] => Some(Self::Rollback(Some(own(version)))),
            ["pause"] => Some(Self::Pause),
            ["resume"] => Some(Self::Resume),
            ["aliases", alias, "delete"] => Some(Self::DeleteAlias(own(alias))),
            ["aliases", alias, version] => Some(Self::SetAlias(own(alias), own(version))),
            ["canary", "promote"] => Some(Self::PromoteCanary),
            ["canary", "end"] => Some(Self::EndCanary),
            ["canary", version, percent] => Some(Self::BeginCanary(own(version), own(percent))),
            _ => None,
        }
    }

    /// What policies call it.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Rollback(_) => "RollbackPlugin",
            Self::Pause => "PausePlugin",
            Self::Resume => "ResumePlugin",
            Self::SetAlias(..) => "SetPluginAlias",
            Self::DeleteAlias(_) => "DeletePluginAlias",
            Self::BeginCanary(..) => "BeginPluginCanary",
            Self::PromoteCanary => "PromotePluginCanary",
            Self::EndCanary => "EndPluginCanary",
        }
    }

    /// Carries it out. Blocks.
    fn carry_out(
        self,
        plugins: &Plugins,
        name: &PluginName,
    ) -> Result<Option<Numbered>, OrderError> {
        match self {
            Self::Rollback(to) => plugins.rollback(name, to.as_deref()).map(Some),
            Self::Pause => plugins.pause(name).map(|()| None),
            Self::Resume => plugins.resume(name),
            Self::SetAlias(alias, version) => {
                let alias = AliasName::parse(&alias).map_err(invalid)?;
                plugins.set_alias(name, &alias, &version).map(Some)
            }
            Self::DeleteAlias(alias) => {
                let alias = AliasName::parse(&alias).map_err(invalid)?;
                plugins.delete_alias(name, &alias).map(|()| None)
            }
            Self::BeginCanary(version, percent) => {
                let share = percent.parse();
                let share = share.map_err(|_| {
                    OrderError::Invalid("A canary's share is a number of percent".to_owned())
                })?;
                plugins.begin_canary(name, &version, share).map(Some)
            }
            Self::PromoteCanary => plugins.promote_canary(name).map(Some),
            Self::EndCanary => plugins.end_canary(name).map(|()| None),
        }
    }
}

fn invalid(Invalid(why): Invalid) -> OrderError {
    OrderError::Invalid(why)
}

/// Carries an order out. It goes on when the caller does not wait for the answer.
pub(super) async fn obey(
    plugins: &Arc<Plugins>,
    name: &str,
    order: PluginOrder,
) -> Result<Answer, ApiError> {
    let no_plugin = || not_found(&format!("plugin {name}"));
    let plugin = PluginName::parse(name).map_err(|_| no_plugin())?;
    let plugins = Arc::clone(plugins);
    let obeying = spawn_blocking(move || order.carry_out(&plugins, &plugin));
    let obeyed = obeying.await;
    let obeyed = obeyed.map_err(|error| ApiError::internal(error.to_string()))?;
    match obeyed {
        Ok(version) => json::answer(&Obeyed {
            version: version.as_ref().map(VersionPage::of),
        }),
        Err(OrderError::NoPlugin) => Err(no_plugin()),
        Err(OrderError::Invalid(why)) => {
            Err(ApiError::new("ValidationException", format!("{why}.")))
        }
        Err(OrderError::NotNow(why)) => {
            let error = ApiError::new("ConflictException", format!("{why}."));
            Err(error.with_status(409))
        }
        Err(OrderError::Failed(why)) => {
            let error = ApiError::new("PluginOrderFailedException", why);
            Err(error.with_status(503))
        }
    }
}
