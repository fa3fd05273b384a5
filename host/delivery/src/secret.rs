//! What a destination knows us by.

use std::fmt;

use bincode::{Decode, Encode};

/// A secret: it is sent, and never logged.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
