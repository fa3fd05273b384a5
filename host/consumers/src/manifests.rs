//! What a plugin's manifest asks for and declares.

use types::{AccountId, Caller, Region};
use wasm::{Manifest, PluginName};

use crate::application::{ApplicationName, Start, Versions};
use crate::catalog::NewApplication;
use crate::effects::Grants;

/// Where an application is that is declared without a region.
const REGION_DEFAULT: &str = "us-east-1";

/// What a manifest asks for.
pub fn asked(manifest: &Manifest) -> Grants {
    let emit = manifest.grants.emit.iter();
    Grants {
        tables: manifest.grants.tables.clone(),
        emit: emit.map(|stream| stream.as_str().to_owned()).collect(),
    }
}

/// The application that a plugin is by itself, which is called as the plugin is; `None`: its
/// manifest declares none.
pub fn declared(plugin: &PluginName, manifest: &Manifest) -> Option<NewApplication> {
    let declared = manifest.application.as_ref()?;
    let region = match &declared.region {
        Some(region) => region.clone(),
        None => Region::parse(REGION_DEFAULT).ok()?,
    };
    Some(NewApplication {
        owner: Caller {
            account: declared.account.unwrap_or(AccountId::DEFAULT),
            region,
        },
        name: ApplicationName::parse(plugin.as_str()).ok()?,
        stream: declared.stream.clone(),
        plugin: plugin.clone(),
        start: match declared.start {
            wasm::Start::TrimHorizon => Start::TrimHorizon,
            wasm::Start::Latest => Start::Latest,
            wasm::Start::At(at) => Start::AtTimestamp(at),
        },
        versions: match declared.versions {
            wasm::Versions::Latest => Versions::Latest,
        },
    })
}
