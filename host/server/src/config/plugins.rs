//! `plugins`: the directory of plugins, or a section with it and with what is asked of versions.

use std::path::PathBuf;

use types::{AccountId, Invalid};
use wasm::{SHADOW_RECORDS_MAX, SignatureMode, TRUSTED_KEYS_MAX, TrustedKey};

use super::Config;
use super::entry::{Entry, Wrong};

const KEYS: &str = "directory, signatures, trusted_keys, failed_percent_max, shadow_records and \
                    shadow_samples";
/// Accounts that may say which versions are in force that can be named.
const ACCOUNTS_MAX: usize = 64;
/// A share that no version may pass, in percent.
const PERCENT_MAX: u64 = 99;

/// `plugins = "DIRECTORY"`, or `[plugins]`.
pub(super) fn plugins(entry: &Entry<'_>, config: &mut Config) -> Result<(), Wrong> {
    if entry.is_string() {
        config.plugins = Some(PathBuf::from(entry.string()?));
        return Ok(());
    }
    let (rollout, signatures) = (&mut config.plugin_rollout, &mut config.plugin_signatures);
    for key in entry.entries("[plugins]", KEYS)? {
        match key.key {
            "directory" => config.plugins = Some(PathBuf::from(key.string()?)),
            "signatures" => signatures.mode = mode(&key)?,
            "trusted_keys" => signatures.trusted = keys(&key)?,
            "failed_percent_max" => {
                let percent = u8::try_from(key.number(0, PERCENT_MAX)?);
                let percent = percent.map_err(|_| key.wrong("is too large"))?;
                rollout.failed_percent_max = Some(percent);
            }
            "shadow_records" => {
                let records = u32::try_from(key.number(0, u64::from(SHADOW_RECORDS_MAX))?);
                rollout.shadow_records = records.map_err(|_| key.wrong("is too large"))?;
            }
            "shadow_samples" => rollout.shadow_samples = key.boolean()?,
            _ => return Err(key.unread()),
        }
    }
    if signatures.mode != SignatureMode::Off && signatures.trusted.is_empty() {
        return Err(entry.wrong("asks for signatures and has no trusted_keys"));
    }
    Ok(())
}

fn mode(entry: &Entry<'_>) -> Result<SignatureMode, Wrong> {
    match entry.string()? {
        "off" => Ok(SignatureMode::Off),
        "warn" => Ok(SignatureMode::Warn),
        "require" => Ok(SignatureMode::Require),
        _ => Err(entry.wrong("is not \"off\", \"warn\" or \"require\"")),
    }
}

fn keys(entry: &Entry<'_>) -> Result<Vec<TrustedKey>, Wrong> {
    let list = entry.list("trusted_keys = [\"<key in base64>\"]")?;
    if list.len() > TRUSTED_KEYS_MAX {
        return Err(entry.wrong(&format!("names more than {TRUSTED_KEYS_MAX} keys")));
    }
    let key = |element: &Entry<'_>| {
        let key = TrustedKey::parse(element.string()?);
        key.map_err(|Invalid(why)| element.wrong(&format!("has an element that is no key: {why}")))
    };
    list.iter().map(key).collect()
}

/// `plugin_accounts`.
pub(super) fn accounts(entry: &Entry<'_>) -> Result<Vec<AccountId>, Wrong> {
    let list = entry.list("plugin_accounts = [\"000000000042\"]")?;
    if list.len() > ACCOUNTS_MAX {
        return Err(entry.wrong(&format!("names more than {ACCOUNTS_MAX} accounts")));
    }
    let account = |element: &Entry<'_>| {
        let account = AccountId::parse(element.string()?);
        account.map_err(|_| element.wrong("has an element that is not 12 digits in quotes"))
    };
    list.iter().map(account).collect()
}
