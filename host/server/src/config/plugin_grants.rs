//! The sections of the configuration file about what plugins may do besides what every one may.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use consumers::Grants;
use types::{Invalid, StreamName};
use wasm::{AddressRange, GrantSettings, HostPattern, PluginName, SecretName};

use super::Config;
use super::entry::{Entry, Wrong};

const KEYS: &str = "name, tables, emit, secrets, http and addresses";
/// Names in a list. More are refused.
const NAMES_MAX: usize = 100;

/// `[[plugin_grants]]`.
pub(super) fn plugin_grants(entry: &Entry<'_>, config: &mut Config) -> Result<(), Wrong> {
    for section in entry.list("[[plugin_grants]]")? {
        let (mut name, mut grants) = (None, Grants::default());
        let mut access = GrantSettings::default();
        for entry in section.entries("[[plugin_grants]]", KEYS)? {
            match entry.key {
                "name" => {
                    let parsed = PluginName::parse(entry.string()?);
                    name = Some(parsed.map_err(|_| entry.wrong("is no plugin's name"))?);
                }
                "tables" => grants.tables = names(&entry, "tables = [\"words\"]")?,
                "emit" => {
                    grants.emit = names(&entry, "emit = [\"alerts\"]")?;
                    let is_wrong = |name: &&String| StreamName::parse(name).is_err();
                    if grants.emit.iter().any(|name| is_wrong(&name)) {
                        return Err(entry.wrong("has an element that is no stream's name"));
                    }
                }
                "secrets" => access.secrets = secrets(&entry)?,
                "http" => {
                    let shape = "http = [\"api.example.com:443\"]";
                    access.http = parsed(&entry, shape, HostPattern::parse)?;
                }
                "addresses" => {
                    let shape = "addresses = [\"10.1.0.0/16\"]";
                    access.addresses = parsed(&entry, shape, AddressRange::parse)?;
                }
                _ => return Err(entry.unread()),
            }
        }
        let name = name.ok_or_else(|| section.wrong("has no name"))?;
        config.plugin_access.insert(name.clone(), access);
        if config.plugin_grants.insert(name, grants).is_some() {
            let what = "has a name that an earlier [[plugin_grants]] has, too";
            return Err(section.wrong(what));
        }
    }
    Ok(())
}

fn names(entry: &Entry<'_>, shape: &str) -> Result<BTreeSet<String>, Wrong> {
    let list = entry.list(shape)?;
    check_count(entry, list.len())?;
    let names = list.iter().map(|element| match element.string()? {
        "" => Err(element.wrong("has an empty element")),
        name => Ok(name.to_owned()),
    });
    names.collect()
}

/// The elements of a list, of which none is a secret, so that what is wrong with one can be said.
pub(super) fn parsed<T>(
    entry: &Entry<'_>,
    shape: &str,
    parse: impl Fn(&str) -> Result<T, Invalid>,
) -> Result<Vec<T>, Wrong> {
    let list = entry.list(shape)?;
    check_count(entry, list.len())?;
    let one = |element: &Entry<'_>| {
        let parsed = parse(element.string()?);
        parsed.map_err(|Invalid(why)| element.wrong(&format!("has a wrong element: {why}")))
    };
    list.iter().map(one).collect()
}

/// Names, each with the file of a value. The files are read when the server starts.
fn secrets(entry: &Entry<'_>) -> Result<BTreeMap<SecretName, PathBuf>, Wrong> {
    let files = entry.named("secrets = { api_key = \"/etc/millrace/api_key\" }")?;
    check_count(entry, files.len())?;
    let secret = |element: &Entry<'_>| {
        let name = SecretName::parse(element.key).map_err(|_| element.wrong("is no secret's name"));
        match element.string()? {
            "" => Err(element.wrong("is empty")),
            file => Ok((name?, PathBuf::from(file))),
        }
    };
    files.iter().map(secret).collect()
}

fn check_count(entry: &Entry<'_>, count: usize) -> Result<(), Wrong> {
    if count > NAMES_MAX {
        return Err(entry.wrong(&format!("names more than {NAMES_MAX}")));
    }
    Ok(())
}
