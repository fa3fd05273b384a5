//! Our own mistakes, as errors that are carried up.

use store::StoreError;

/// An invariant does not hold.
pub fn broken(what: &str) -> StoreError {
    let source = std::io::Error::other(what.to_owned());
    StoreError::Io {
        doing: "work on tables".to_owned(),
        source: std::sync::Arc::new(source),
    }
}
