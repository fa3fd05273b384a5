//! Plugins as their authors see them: one file for each interface of `wit/`, one for what the SDK
//! tells of a panic, and one for what `[rollout]` of a manifest does.
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

mod context;
#[path = "../hostile/ground.rs"]
mod ground;
#[path = "../hostile/guest.rs"]
mod guest;
mod lifecycle;
mod panic;
mod rollout;
mod shadow;
mod signatures;
#[path = "../hostile/simple.rs"]
mod simple;
mod transform;
mod transform_simple;
