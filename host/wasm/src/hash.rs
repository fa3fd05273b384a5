//! What tells the contents of plugins apart.

use std::fmt;

use sha2::{Digest, Sha256};

/// Hexadecimal digits that tell versions apart for a person.
const SHORT_DIGITS: usize = 12;

/// SHA-256 of a plugin's manifest and component: what tells versions apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of a component with its manifest's text, or without a manifest.
    pub fn of(manifest: Option<&str>, component: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        // An empty one is no manifest: it names no plugin.
        let manifest = manifest.unwrap_or_default();
        hasher.update((manifest.len() as u64).to_be_bytes());
        hasher.update(manifest);
        hasher.update(component);
        Self(hasher.finalize().into())
    }

    /// The hash of a component alone, which is all that its compiled code depends on.
    pub(crate) fn of_component(component: &[u8]) -> Self {
        Self(Sha256::digest(component).into())
    }

    /// What [`ContentHash`] is shown as, all 64 digits of it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = Self([0; 32]);
        if text.len() != 2 * hash.0.len() {
            return None;
        }
        for (place, digits) in hash.0.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok()?;
            *place = u8::from_str_radix(digits, 16).ok()?;
        }
        // No other way to write the same: a sign, capitals.
        (hash.to_string() == text).then_some(hash)
    }

    /// The first 12 digits.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT_DIGITS);
        text
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}
