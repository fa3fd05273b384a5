//! Master keys, and the data keys that are wrapped with them.
//!
//! A master key lies in a file that the configuration names, or in one that is made when it is
//! first needed (see [`files`]). A data key seals the records of one stream; it lies in a row,
//! wrapped with a master key, and in the store's key ring while the server runs (see
//! [`data_keys`]). Without the file of its master key nobody opens it again.
//!
//! Files are read when the server starts: a key that is disabled, replaced or removed later counts
//! from the next start on.

mod data_keys;
mod error;
mod files;
mod key_id;
mod master;

pub use self::data_keys::{KeyOwner, NewDataKey};
pub use self::error::{KmsError, KmsFault, KmsOpenError};
pub use self::master::{Kms, KmsSettings, MasterKeySetting, MasterName, ServiceKey};
