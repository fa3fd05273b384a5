//! The sections of the configuration file about what plugins may do besides what every one may.

use std::collections::{BTreeMap, BTreeSet};

use consumers::Grants;
use types::StreamName;
use wasm::PluginName;

use super::entry::{Entry, Wrong};

const KEYS: &str = "name, tables and emit";
/// Names in a list. More are refused.
const NAMES_MAX: usize = 100;

/// `[[plugin_grants]]`.
pub(super) fn plugin_grants(entry: &Entry<'_>) -> Result<BTreeMap<PluginName, Grants>, Wrong> {
    let mut all = BTreeMap::new();
    for section in entry.list("[[plugin_grants]]")? {
        let (mut name, mut grants) = (None, Grants::default());
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
                _ => return Err(entry.unread()),
            }
        }
        let name = name.ok_or_else(|| section.wrong("has no name"))?;
        if all.insert(name, grants).is_some() {
            let what = "has a name that an earlier [[plugin_grants]] has, too";
            return Err(section.wrong(what));
        }
    }
    Ok(all)
}

fn names(entry: &Entry<'_>, shape: &str) -> Result<BTreeSet<String>, Wrong> {
    let list = entry.list(shape)?;
    if list.len() > NAMES_MAX {
        return Err(entry.wrong(&format!("names more than {NAMES_MAX}")));
    }
    let names = list.iter().map(|element| match element.string()? {
        "" => Err(element.wrong("has an empty element")),
        name => Ok(name.to_owned()),
    });
    names.collect()
}
