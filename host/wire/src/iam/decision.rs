//! The decision, of what the two policies say.

use std::fmt;

use super::grantee::Meant;
use super::policy::{IdentityPolicy, ResourcePolicy, Says};
use super::question::Question;
use super::steps::STEPS_MAX;

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The caller's policy denies it.
    IdentityDenies,
    /// The caller's policy does not allow it.
    IdentityIsSilent,
    /// The resource's policy denies it.
    ResourceDenies,
    /// The resource's policy does not allow it to another account.
    ResourceIsSilent,
    /// No policy can allow it to another account.
    NotOwner,
}

/// What is refused, and by which statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    cause: Cause,
}

/// What of a policy denies. A statement is named by its Sid, or its number from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// No statement allows it.
    Silence,
    Statement(String),
    /// The steps ran out in this statement.
    Steps(String),
    NotUnderstood,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.reason {
            Reason::IdentityDenies | Reason::IdentityIsSilent => "the caller's policy",
            Reason::ResourceDenies | Reason::ResourceIsSilent => "the resource's policy",
            Reason::NotOwner => return f.write_str("it is for the resource's owner alone"),
        };
        match &self.cause {
            Cause::Statement(statement) => write!(f, "statement {statement} of {policy} denies it"),
            Cause::Steps(statement) => write!(
                f,
                "statement {statement} of {policy} takes more than {STEPS_MAX} steps to compare, \
                 which denies it"
            ),
            Cause::NotUnderstood => write!(
                f,
                "{policy} cannot be understood by this build, which denies it until it is put anew \
                 or deleted"
            ),
            Cause::Silence => write!(f, "no statement of {policy} allows it"),
        }
    }
}

impl Denial {
    /// No policy can allow it to another account.
    pub(crate) fn not_owner() -> Self {
        Self::silent(Reason::NotOwner)
    }

    fn silent(reason: Reason) -> Self {
        Self {
            reason,
            cause: Cause::Silence,
        }
    }

    /// What a policy denies by what it says, if it does.
    fn said(says: &Says, reason: Reason) -> Option<Self> {
        let cause = match says {
            Says::Denies(statement) => Cause::Statement(statement.clone()),
            Says::TakesTooLong(statement) => Cause::Steps(statement.clone()),
            Says::NotUnderstood => Cause::NotUnderstood,
            Says::Allows(_) | Says::Nothing => return None,
        };
        Some(Self { reason, cause })
    }
}

/// Whether the principal may do what it asks. `identity`: its own policy; without one it may do
/// everything that is for its account to allow. `resource`: the policy of the resource.
///
/// # Errors
/// It may not.
pub fn decide(
    question: &Question<'_>,
    identity: Option<&IdentityPolicy>,
    resource: Option<&ResourcePolicy>,
) -> Result<(), Denial> {
    let is_own = question.principal.account == question.owner;
    let is_own_root = is_own && question.principal.user.is_none();
    let by_resource = match resource.map(|policy| policy.asked(question)) {
        // Somebody has to be able to go on.
        Some(Says::NotUnderstood) if is_own_root => Says::Nothing,
        Some(says) => says,
        None => Says::Nothing,
    };
    // What another account's resource is labelled with is for those to know whom it lets in.
    let sees_tags = is_own || matches!(by_resource, Says::Allows(_));
    let asked = Question {
        tags: question.tags.filter(|_| sees_tags),
        ..*question
    };
    let by_identity = identity.map_or(Says::Allows(Meant::Directly), |policy| policy.asked(&asked));
    if let Some(denial) = Denial::said(&by_identity, Reason::IdentityDenies) {
        return Err(denial);
    }
    let is_allowed = matches!(by_identity, Says::Allows(_));
    if !is_own && !is_allowed {
        return Err(Denial::silent(Reason::IdentityIsSilent));
    }
    if let Some(denial) = Denial::said(&by_resource, Reason::ResourceDenies) {
        return Err(denial);
    }
    match by_resource {
        Says::Allows(_) if !is_own => Ok(()),
        _ if !is_own => Err(Denial::silent(Reason::ResourceIsSilent)),
        // What goes to the whole account is still for the account to hand on.
        Says::Allows(Meant::Directly) => Ok(()),
        _ if is_allowed => Ok(()),
        _ => Err(Denial::silent(Reason::IdentityIsSilent)),
    }
}
