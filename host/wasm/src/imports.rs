//! Which interfaces a plugin may import, and what is said of those that it may not.

use crate::denied;
use crate::printable::printable;

/// Interfaces that a plugin may import, without their versions, and the versions that there are.
/// Some are denied, but there: see `denied`.
const ALLOWED: [(&str, &str); 8] = [
    ("millrace:plugin/", "0.1."),
    ("wasi:io/", "0.2."),
    ("wasi:cli/", "0.2."),
    ("wasi:clocks/", "0.2."),
    ("wasi:random/", "0.2."),
    ("wasi:filesystem/", "0.2."),
    ("wasi:sockets/", "0.2."),
    ("wasi:http/", "0.2."),
];
/// Forbidden imports that are named in a refusal, and bytes of each name. Further ones are counted.
const NAMED_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 128;

/// What the host has for an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is there and does something.
    Granted,
    /// It is there, and each call is answered with the error of its interface.
    Denied,
    /// It is there in other versions, which begin like this.
    OtherVersion(&'static str),
    /// It is not there.
    Unknown,
}

/// What the host has for an import of this name.
pub(crate) fn access(import: &str) -> Access {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let known = ALLOWED
        .iter()
        .find(|(prefix, _)| interface.starts_with(prefix));
    match known {
        None => Access::Unknown,
        Some((_, versions)) if !version.starts_with(versions) => Access::OtherVersion(versions),
        Some((prefix, _)) if denied::PACKAGES.contains(prefix) => Access::Denied,
        Some(_) => Access::Granted,
    }
}

/// A name as it may be shown.
pub(crate) fn shown(import: &str) -> String {
    printable(import, NAME_BYTES_MAX)
}

/// The imports of a component that the host does not have.
#[derive(Debug, Default)]
pub(crate) struct Forbidden {
    names: Vec<String>,
    /// How many there are beyond those that are named.
    more: u64,
}

impl Forbidden {
    /// Notes an import of the component unless it may have it.
    pub(crate) fn look(&mut self, import: &str) {
        let name = shown(import);
        let name = match access(import) {
            Access::Granted | Access::Denied => return,
            Access::OtherVersion(versions) => format!("{name} (the host has version {versions}x)"),
            Access::Unknown => name,
        };
        if self.names.len() < NAMED_MAX {
            self.names.push(name);
        } else {
            self.more += 1;
        }
    }

    /// # Errors
    /// A sentence that names what was noted.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Ok(());
        }
        let mut names = self.names.join(", ");
        if self.more > 0 {
            names.push_str(&format!(" and {} more", self.more));
        }
        Err(format!("it imports {names}, which no plugin may have"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(imports: &[&str]) -> Result<(), String> {
        let mut forbidden = Forbidden::default();
        imports.iter().for_each(|import| forbidden.look(import));
        forbidden.verdict()
    }

    #[test]
    fn every_forbidden_import_is_named() {
        let imports = [
            "millrace:plugin/context@0.1.0",
            "acme:vault/secrets@1.0.0",
            "wasi:filesystem/types@0.2.9",
            "wasi:io/poll@0.3.0",
            "env",
        ];
        let why = "it imports acme:vault/secrets@1.0.0, wasi:io/poll@0.3.0 (the host has version \
                   0.2.x), env, which no plugin may have";
        assert_eq!(verdict(&imports), Err(why.to_owned()));
        assert_eq!(verdict(&imports[..1]), Ok(()));
    }

    #[test]
    fn thousands_of_forbidden_imports_make_no_page() {
        let long = "x".repeat(100_000);
        let why = verdict(&vec![long.as_str(); 5_000]).unwrap_err();
        assert!(why.contains(" and 4968 more, which"), "{why}");
        assert!(why.len() < 6_000);
    }
}
