//! Who may do what: policies in IAM's JSON, parsed once into what cannot be wrong, and the decision
//! that they lead to. A policy that cannot be understood as a whole is refused, never in part
//! ignored: a Deny that nobody reads allows.
//!
//! ```text
//! an explicit Deny of either policy                      refuses
//! the account's own resource                             needs an Allow of one of the two
//! a resource of another account                          needs an Allow of both
//! ```
//!
//! What is unclear counts for a Deny and not for an Allow: of two labels whose keys differ in
//! capitals only, neither is the value of that key (`held.rs`). Whoever writes a policy is not the
//! one who waits for it, so that the steps to compare it with a request are counted, and too many
//! deny (`steps.rs`).
//!
//! Of another account's resource nothing may be learned without the Allow of its own policy: its
//! tags are not looked at for the caller's policy before, and its Deny reads like no Allow.

mod condition;
mod decision;
mod glob;
mod grantee;
mod held;
mod key;
mod malformed;
mod network;
mod policy;
mod principal;
mod question;
mod statement;
mod steps;
mod texts;
mod tree;

pub use decision::{Denial, Reason, decide};
pub use malformed::Malformed;
pub use policy::{IdentityPolicy, POLICY_BYTES_MAX, ResourcePolicy};
pub use principal::{Principal, UserName};
pub use question::{Circumstances, NewTag, Question};
