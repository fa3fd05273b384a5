//! The way down: no new connections, requests under way are answered, then the rest is cut off.

/// How far the server is on its way down. It only ever moves to a later stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Requests are taken.
    Running,
    /// Connections end when they have answered what they took.
    Draining,
    /// Connections end now.
    Stopped,
}
