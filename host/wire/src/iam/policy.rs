//! Whole policies: what a principal may do, and who may use a resource.

use std::collections::HashSet;

use super::grantee::Meant;
use super::malformed::Malformed;
use super::question::Question;
use super::statement::{Effect, Setting, Statement};
use super::tree::Tree;

/// Bytes that a policy may have. AWS says 20 KB of resource policies in several places, and of
/// Kinesis nothing; a longer one is refused.
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// The version of the language that knows variables.
const VERSION: &str = "2012-10-17";
/// The version before, which is also that of a policy that names none: `${` is text there.
const VERSION_WITHOUT_VARIABLES: &str = "2008-10-17";

/// What a principal may do.
#[derive(Clone, Debug)]
pub struct IdentityPolicy(Policy);

/// Who may use a resource, and how.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    text: String,
    policy: Policy,
}

#[derive(Clone, Debug)]
struct Policy {
    statements: Vec<Statement>,
}

/// What one policy says.
#[derive(Clone, Copy, Debug)]
pub enum Says<'a> {
    /// A statement allows it.
    Allows(Meant),
    /// This statement refuses it, the one of that number.
    Denies(usize, &'a Statement),
    /// Nothing.
    Nothing,
}

impl IdentityPolicy {
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Policy::parse(text, Setting::OfIdentity).map(Self)
    }

    pub(super) fn asked(&self, question: &Question<'_>) -> Says<'_> {
        self.0.asked(question)
    }
}

impl ResourcePolicy {
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Ok(Self {
            policy: Policy::parse(text, Setting::OfResource)?,
            text: text.to_owned(),
        })
    }

    /// The policy as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn asked(&self, question: &Question<'_>) -> Says<'_> {
        self.policy.asked(question)
    }
}

impl PartialEq for ResourcePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Policy {
    fn parse(text: &str, setting: Setting) -> Result<Self, Malformed> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(Malformed::too_long(POLICY_BYTES_MAX));
        }
        let tree: Tree = serde_json::from_str(text).map_err(Malformed::syntax)?;
        let members = tree
            .as_map()
            .ok_or_else(|| Malformed::syntax("The policy is not an object."))?;
        let mut has_variables = false;
        let mut statements = None;
        for (name, value) in members {
            match name.as_str() {
                "Version" => has_variables = knows_variables(value)?,
                "Id" if value.as_text().is_some() => {}
                "Statement" => statements = Some(value.elements()),
                _ => {
                    return Err(Malformed::syntax(format!(
                        "A policy has no element {name}."
                    )));
                }
            }
        }
        let statements = statements.filter(|statements| !statements.is_empty());
        let statements =
            statements.ok_or_else(|| Malformed::new("Missing required field Statement."))?;
        let parsed = statements
            .iter()
            .map(|tree| Statement::parse(tree, setting, has_variables));
        let statements: Vec<Statement> = parsed.collect::<Result<_, _>>()?;
        let mut sids = HashSet::new();
        let mut named = statements.iter().filter_map(Statement::sid);
        if named.any(|sid| !sids.insert(sid)) {
            return Err(Malformed::new(
                "Statement IDs (SID) in a single policy must be unique.",
            ));
        }
        Ok(Self { statements })
    }

    /// A Deny goes before any Allow.
    fn asked(&self, question: &Question<'_>) -> Says<'_> {
        let mut allowed = Meant::Not;
        for (number, statement) in (1..).zip(&self.statements) {
            match (statement.effect, statement.applies(question)) {
                (_, Meant::Not) => {}
                (Effect::Deny, Meant::ByAccount | Meant::Directly) => {
                    return Says::Denies(number, statement);
                }
                (Effect::Allow, meant) => allowed = allowed.max(meant),
            }
        }
        match allowed {
            Meant::Not => Says::Nothing,
            meant => Says::Allows(meant),
        }
    }
}

fn knows_variables(version: &Tree) -> Result<bool, Malformed> {
    match version.as_text() {
        Some(VERSION) => Ok(true),
        Some(VERSION_WITHOUT_VARIABLES) => Ok(false),
        _ => Err(Malformed::new(
            "Policy document must be version 2012-10-17 or greater.",
        )),
    }
}
