//! The Principal element of a resource policy: who a statement is about.

use types::AccountId;

use super::malformed::Malformed;
use super::principal::Principal;
use super::question::Case;
use super::steps::STEPS_EACH;
use super::texts::{Gathered, Run, Texts};
use super::tree::Tree;

/// The kind of principals that have accounts.
const AWS: &str = "AWS";
/// The name of everybody.
const ANYBODY: &str = "*";

/// One that a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grantee<'a> {
    Anybody,
    /// Everybody of an account, as far as its own policies let them.
    Account(AccountId),
    User(AccountId, &'a str),
    /// A role, a session or a service: nobody who calls here is one.
    NoCaller,
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grantees {
    /// The names of those who may call.
    names: Run,
    is_negated: bool,
}

/// How a statement means somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meant {
    Not,
    /// As one of an account: what it allows, the account still has to allow to its users.
    ByAccount,
    /// By name, or as anybody is.
    Directly,
}

impl Grantees {
    pub fn parse(tree: &Tree, is_negated: bool, texts: &mut Gathered) -> Result<Self, Malformed> {
        let from = texts.count();
        match tree {
            Tree::Text(text) if text == ANYBODY => {
                texts.add(text)?;
            }
            Tree::Map(kinds) if !kinds.is_empty() => {
                for (kind, names) in kinds {
                    if names.elements().is_empty() {
                        return Err(invalid(kind, ""));
                    }
                    for name in names.elements() {
                        let name = name.as_text().ok_or_else(|| invalid(kind, ""))?;
                        match Grantee::parse(kind, name) {
                            Some(Grantee::NoCaller) => {}
                            Some(_) => {
                                texts.add(name)?;
                            }
                            None => return Err(invalid(kind, name)),
                        }
                    }
                }
            }
            _ => {
                return Err(Malformed::syntax(
                    "A principal is neither \"*\" nor an object.",
                ));
            }
        }
        Ok(Self {
            names: texts.since(from)?,
            is_negated,
        })
    }

    pub fn meant(self, texts: &Texts, case: &Case<'_>) -> Meant {
        let mut meant = Meant::Not;
        for name in texts.of(self.names) {
            case.steps().take(STEPS_EACH + name.len());
            if meant == Meant::Directly || case.steps().are_spent() {
                break;
            }
            // Only what was understood is kept; whatever else came here is nobody.
            let grantee = Grantee::parse(AWS, name).unwrap_or(Grantee::NoCaller);
            meant = meant.max(grantee.meant(case.principal()));
        }
        match (self.is_negated, meant) {
            (false, meant) => meant,
            // To leave out an account leaves out its root alone: a user has to be named as well.
            (true, Meant::Not | Meant::ByAccount) => Meant::Directly,
            (true, Meant::Directly) => Meant::Not,
        }
    }
}

fn invalid(kind: &str, name: &str) -> Malformed {
    Malformed::new(format!(
        "Invalid principal in policy: \"{kind}\":\"{name}\""
    ))
}

impl<'a> Grantee<'a> {
    fn parse(kind: &str, name: &'a str) -> Option<Self> {
        match kind {
            AWS if name == ANYBODY => Some(Self::Anybody),
            AWS => AccountId::parse(name)
                .ok()
                .map(Self::Account)
                .or_else(|| Self::parse_arn(name)),
            "Service" => {
                let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
                let is_service = name.contains('.') && name.bytes().all(is_name);
                is_service.then_some(Self::NoCaller)
            }
            // Nobody comes from a provider of identities or has a canonical id here.
            _ => None,
        }
    }

    fn parse_arn(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, name] = parts[..] else {
            return None;
        };
        let account = AccountId::parse(account).ok()?;
        let has_wildcard = name.contains(['*', '?']);
        if !partition.starts_with("aws") || has_wildcard {
            return None;
        }
        match (service, name.split_once('/')) {
            ("iam", None) if name == "root" => Some(Self::Account(account)),
            ("iam", Some(("user", user))) if !user.is_empty() => Some(Self::User(account, user)),
            ("iam", Some(("role", name)))
            | ("sts", Some(("assumed-role" | "federated-user", name)))
                if !name.is_empty() =>
            {
                Some(Self::NoCaller)
            }
            _ => None,
        }
    }

    fn meant(self, principal: &Principal) -> Meant {
        let user = principal.user.as_ref().map(|user| user.as_str());
        match self {
            Self::Anybody => Meant::Directly,
            // The root of an account is the account.
            Self::Account(account) if account == principal.account && user.is_none() => {
                Meant::Directly
            }
            Self::Account(account) if account == principal.account => Meant::ByAccount,
            Self::User(account, name) if account == principal.account && user == Some(name) => {
                Meant::Directly
            }
            Self::Account(_) | Self::User(..) | Self::NoCaller => Meant::Not,
        }
    }
}
