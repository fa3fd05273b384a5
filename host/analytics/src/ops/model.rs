//! The two versions of the service's model. An operation that both have is generic over the
//! version, and so are its shapes.

/// Version 1: `KinesisAnalytics_20150814`.
pub const V1: u16 = 2015;
/// Version 2: `KinesisAnalytics_20180523`.
pub const V2: u16 = 2018;
