//! The limits of delivering once more what is retained.

/// Orders of one account that are at work at a time. One more is refused until one has ended.
pub const PER_ACCOUNT_MAX: usize = 4;
/// Lanes of one order that are at work at a time; the others wait for their turn.
pub const LANES_AT_ONCE_MAX: usize = 4;
/// Shards that one order may be about: all of it begins and ends in one transaction. One about more
/// is refused.
pub const LANES_MAX: usize = 1_000;
/// Orders of a delivery stream that are kept. Beyond it those are forgotten that ended first; their
/// ids may be given again.
pub const KEPT_MAX: usize = 32;
/// Characters of an order's id. A longer one is refused.
pub const ID_CHARS_MAX: usize = 1_024;
/// How often an order is tried again that another one had its number of.
pub const NUMBER_TRIES_MAX: u32 = 8;
