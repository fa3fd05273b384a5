//! The decision, of what the two policies say.

use std::fmt;

use super::grantee::Meant;
use super::policy::{IdentityPolicy, ResourcePolicy, Says};
use super::question::Question;
use super::statement::Statement;

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
    /// The statement that denies it: its Sid, or its number from 1.
    statement: Option<String>,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.reason {
            Reason::IdentityDenies | Reason::IdentityIsSilent => "the caller's policy",
            Reason::ResourceDenies | Reason::ResourceIsSilent => "the resource's policy",
            Reason::NotOwner => return f.write_str("it is for the resource's owner alone"),
        };
        match &self.statement {
            Some(statement) => write!(f, "statement {statement} of {policy} denies it"),
            None => write!(f, "no statement of {policy} allows it"),
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
            statement: None,
        }
    }

    fn by(reason: Reason, number: usize, statement: &Statement) -> Self {
        let name = statement.sid().map(|sid| format!("'{sid}'"));
        Self {
            reason,
            statement: Some(name.unwrap_or_else(|| number.to_string())),
        }
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
    let by_resource = resource.map_or(Says::Nothing, |policy| policy.asked(question));
    let is_own = question.principal.account == question.owner;
    // What another account's resource is labelled with is for those to know whom it lets in.
    let sees_tags = is_own || matches!(by_resource, Says::Allows(_));
    let asked = Question {
        tags: question.tags.filter(|_| sees_tags),
        ..*question
    };
    let by_identity = identity.map_or(Says::Allows(Meant::Directly), |policy| policy.asked(&asked));
    if let Says::Denies(number, statement) = by_identity {
        return Err(Denial::by(Reason::IdentityDenies, number, statement));
    }
    let is_allowed = matches!(by_identity, Says::Allows(_));
    if !is_own && !is_allowed {
        return Err(Denial::silent(Reason::IdentityIsSilent));
    }
    match by_resource {
        Says::Denies(number, statement) => {
            Err(Denial::by(Reason::ResourceDenies, number, statement))
        }
        Says::Nothing if !is_own => Err(Denial::silent(Reason::ResourceIsSilent)),
        // What goes to the whole account is still for the account to hand on.
        Says::Allows(Meant::Directly) => Ok(()),
        Says::Allows(_) | Says::Nothing if is_allowed => Ok(()),
        Says::Allows(_) | Says::Nothing => Err(Denial::silent(Reason::IdentityIsSilent)),
    }
}
