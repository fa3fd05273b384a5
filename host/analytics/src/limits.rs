//! The limits of this crate, each with where it comes from.

/// Characters of an application's name (model, ApplicationName).
pub const APPLICATION_NAME_CHARS_MAX: usize = 128;
/// Applications of an account in all regions (developer guide, limits: 50 in a region). One more is
/// refused with LimitExceededException.
pub const APPLICATIONS_MAX: usize = 50;
/// Streaming sources of an application (developer guide, limits).
pub const INPUTS_MAX: usize = 1;
/// Destinations of an application (developer guide, limits).
pub const OUTPUTS_MAX: usize = 3;
/// Reference data sources of an application (developer guide, limits).
pub const REFERENCES_MAX: usize = 1;
/// CloudWatch log streams of an application (developer guide, limits).
pub const LOGGING_OPTIONS_MAX: usize = 1;
/// Labels of an application (model, TagResource).
pub const TAGS_MAX: usize = 50;
/// Bytes of an application's configuration as it is kept: it is one row of the store, which holds
/// a mebibyte. A larger one is refused with InvalidArgumentException.
pub const CONFIGURATION_BYTES_MAX: usize = 900 * 1024;
/// The last version that an application may come to (model, ApplicationVersionId).
pub const VERSION_MAX: u64 = 999_999_999;
/// Versions of an application's configuration that are kept, with the one in force. The oldest is
/// forgotten.
pub const VERSIONS_KEPT_MAX: u64 = 100;
/// Operations on an application that are remembered. The oldest is forgotten.
pub const OPERATIONS_KEPT_MAX: u64 = 100;
/// Changes that wait for their turn. One more waits where it is sent.
pub const CHANGES_WAITING_MAX: usize = 1_000;
/// Applications that are on their way to their end at a time. Others wait.
pub const ENDING_MAX: usize = 8;
/// Programs that are checked at a time. Others wait for their turn.
pub const COMPILATIONS_MAX: usize = 2;
/// Records that a schema is inferred from.
pub const DISCOVERED_RECORDS_MAX: usize = 100;
/// Bytes of them, and of an object that a schema is inferred from.
pub const DISCOVERED_BYTES_MAX: usize = 1024 * 1024;
