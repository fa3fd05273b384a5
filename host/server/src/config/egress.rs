//! The section of the configuration file about whom delivery streams may call.

use wasm::HostPattern;

use super::entry::{Entry, Wrong};
use super::plugin_grants::parsed;

/// `[egress]`.
pub(super) fn egress(section: &Entry<'_>) -> Result<Vec<HostPattern>, Wrong> {
    let mut allow = Vec::new();
    for entry in section.entries("[egress]", "allow")? {
        match entry.key {
            "allow" => {
                let shape = "allow = [\"127.0.0.1:8443\"]";
                allow = parsed(&entry, shape, HostPattern::parse)?;
            }
            _ => return Err(entry.unread()),
        }
    }
    Ok(allow)
}
