//! What a plugin is for, which its world says.

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Records in, records out, for delivery streams.
    Transform,
    /// It consumes the shards of a stream.
    Consumer,
}
