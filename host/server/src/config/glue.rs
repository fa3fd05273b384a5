//! The section of the configuration file about the tables that records become rows of.

use std::path::PathBuf;

use delivery::glue::Glue;
use delivery::glue_service::GlueSettings;
use wire::sigv4::SecretKey;

use super::entry::{Entry, Wrong};
use super::sections::{REGION_DEFAULT, url};

const KEYS: &str = "directory, or endpoint, region, access_key_id and secret_access_key";
/// `[glue]`.
pub(super) fn glue(section: &Entry<'_>) -> Result<Glue, Wrong> {
    let (mut directory, mut endpoint, mut region) = (None, None, None);
    let (mut key_id, mut secret) = (None, None);
    for entry in section.entries("[glue]", KEYS)? {
        let text = || match entry.string()? {
            "" => Err(entry.wrong("is empty")),
            text => Ok(text.to_owned()),
        };
        match entry.key {
            "directory" => directory = Some(PathBuf::from(text()?)),
            "endpoint" => endpoint = Some(url(&entry)?),
            "region" => region = Some(text()?),
            "access_key_id" => key_id = Some(text()?),
            "secret_access_key" => secret = Some(SecretKey::new(text()?)),
            _ => return Err(entry.unread()),
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    match (directory, endpoint) {
        (Some(directory), None) if region.is_none() && key_id.is_none() && secret.is_none() => {
            Ok(Glue::Directory(directory))
        }
        (Some(_), _) => Err(section.wrong("has a directory and what is for an endpoint")),
        (None, None) => Err(section.wrong("has no directory and no endpoint")),
        (None, Some(endpoint)) => Ok(Glue::Service(GlueSettings {
            endpoint,
            region: region.unwrap_or_else(|| REGION_DEFAULT.to_owned()),
            access_key_id: key_id.ok_or_else(|| missing("access_key_id"))?,
            secret_access_key: secret.ok_or_else(|| missing("secret_access_key"))?,
        })),
    }
}
