//! One statement of a policy.

use super::condition::Condition;
use super::glob::{self, Glob, Signs, Template};
use super::grantee::{Grantees, Meant};
use super::malformed::Malformed;
use super::question::Question;
use super::tree::Tree;

/// What may stand in a statement.
const MEMBERS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
/// Parts of an ARN at least, with the resource itself.
const ARN_PARTS: usize = 6;

/// What a statement does with what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// What kind of policy a statement stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Its principal is whoever has it.
    OfIdentity,
    /// It says who it is about.
    OfResource,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Statement {
    sid: Option<String>,
    pub effect: Effect,
    /// `None`: whoever has the policy.
    grantees: Option<Grantees>,
    actions: Vec<Vec<Glob>>,
    not_actions: bool,
    resources: Vec<Template>,
    not_resources: bool,
    conditions: Vec<Condition>,
}

impl Statement {
    pub fn parse(tree: &Tree, setting: Setting, variables: bool) -> Result<Self, Malformed> {
        let members = tree
            .as_map()
            .ok_or_else(|| Malformed::syntax("A statement is not an object."))?;
        let mut names = members.iter().map(|(name, _)| name.as_str());
        if let Some(name) = names.find(|name| !MEMBERS.contains(name)) {
            return Err(Malformed::syntax(format!(
                "A statement has no element {name}."
            )));
        }
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, v)| v);
        let (actions, not_actions) = one_of(member("Action"), member("NotAction"), "Action")?;
        let (resources, not_resources) =
            one_of(member("Resource"), member("NotResource"), "Resource")?;
        let effect = effect(member("Effect"))?;
        Ok(Self {
            sid: sid(member("Sid"), setting)?,
            effect,
            grantees: grantees(member("Principal"), member("NotPrincipal"), setting, effect)?,
            actions: texts(actions, "Action", action)?,
            not_actions,
            resources: texts(resources, "Resource", |text| resource(text, variables))?,
            not_resources,
            conditions: match member("Condition") {
                Some(condition) => Condition::parse_all(condition, variables)?,
                None => Vec::new(),
            },
        })
    }

    /// The statement's own name.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Whether the statement is about what is asked, and how it means who asks.
    pub fn applies(&self, question: &Question<'_>) -> Meant {
        let meant = match &self.grantees {
            Some(grantees) => grantees.meant(question.principal),
            None => Meant::Directly,
        };
        let applies = meant != Meant::Not
            && self.is_about_action(question.action)
            && self.is_about_resource(question)
            && self
                .conditions
                .iter()
                .all(|condition| condition.holds(question));
        if applies { meant } else { Meant::Not }
    }

    fn is_about_action(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let mut actions = self.actions.iter();
        actions.any(|pattern| glob::fits(pattern, &action)) != self.not_actions
    }

    fn is_about_resource(&self, question: &Question<'_>) -> bool {
        let mut resources = self.resources.iter();
        resources.any(|pattern| pattern.matches(question.resource, question)) != self.not_resources
    }
}

/// The one of an element and its opposite that is there.
fn one_of<'a>(
    element: Option<&'a Tree>,
    opposite: Option<&'a Tree>,
    name: &str,
) -> Result<(&'a Tree, bool), Malformed> {
    match (element, opposite) {
        (Some(element), None) => Ok((element, false)),
        (None, Some(opposite)) => Ok((opposite, true)),
        (None, None) => Err(Malformed::new(format!(
            "Policy statement must contain {}.",
            if name == "Action" {
                "actions"
            } else {
                "resources"
            }
        ))),
        (Some(_), Some(_)) => Err(Malformed::syntax(format!(
            "A statement has {name} and Not{name}."
        ))),
    }
}

fn effect(tree: Option<&Tree>) -> Result<Effect, Malformed> {
    match tree.map(Tree::as_text) {
        Some(Some("Allow")) => Ok(Effect::Allow),
        Some(Some("Deny")) => Ok(Effect::Deny),
        Some(Some(other)) => Err(Malformed::syntax(format!("Invalid effect: {other}."))),
        Some(None) | None => Err(Malformed::new("Missing required field Effect.")),
    }
}

fn sid(tree: Option<&Tree>, setting: Setting) -> Result<Option<String>, Malformed> {
    let Some(tree) = tree else {
        return Ok(None);
    };
    let sid = tree
        .as_text()
        .ok_or_else(|| Malformed::syntax("A Sid is not a string."))?;
    let is_plain = sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if setting == Setting::OfIdentity && !is_plain {
        return Err(Malformed::new(format!(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the \
             regular expression [0-9A-Za-z]*: {sid}"
        )));
    }
    // Tools write an empty one where they mean none.
    Ok((!sid.is_empty()).then(|| sid.to_owned()))
}

fn grantees(
    principal: Option<&Tree>,
    not_principal: Option<&Tree>,
    setting: Setting,
    effect: Effect,
) -> Result<Option<Grantees>, Malformed> {
    match (setting, principal, not_principal) {
        (Setting::OfIdentity, None, None) => Ok(None),
        (Setting::OfIdentity, ..) => Err(Malformed::new(
            "Policy document should not specify a principal.",
        )),
        (Setting::OfResource, Some(tree), None) => Grantees::parse(tree, false).map(Some),
        (Setting::OfResource, None, Some(_)) if effect == Effect::Allow => {
            Err(Malformed::new("Allow with NotPrincipal is not allowed."))
        }
        (Setting::OfResource, None, Some(tree)) => Grantees::parse(tree, true).map(Some),
        (Setting::OfResource, None, None) => {
            Err(Malformed::new("Missing required field Principal."))
        }
        (Setting::OfResource, Some(_), Some(_)) => Err(Malformed::syntax(
            "A statement has Principal and NotPrincipal.",
        )),
    }
}

/// One text or a list of some.
fn texts<T>(
    tree: &Tree,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let elements = tree.elements();
    if elements.is_empty() {
        return Err(Malformed::syntax(format!("{name} names nothing.")));
    }
    let parsed = elements.iter().map(|element| {
        let not_text = || Malformed::syntax(format!("{name} is not a string."));
        parse(element.as_text().ok_or_else(not_text)?)
    });
    parsed.collect()
}

/// `*`, or a service and what it does: the same in capitals or not.
fn action(text: &str) -> Result<Vec<Glob>, Malformed> {
    let is_any = text == "*";
    let Some((vendor, name)) = text.split_once(':').or(is_any.then_some(("*", "*"))) else {
        return Err(Malformed::new(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    };
    let is_vendor = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !is_any && (vendor.is_empty() || !vendor.bytes().all(is_vendor)) {
        return Err(Malformed::new(format!("Vendor {vendor} is not valid")));
    }
    if name.contains(':') {
        return Err(Malformed::new(
            "Actions/Condition can contain only one colon.",
        ));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"*?".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(Malformed::new(format!("The action {text} is not valid")));
    }
    let steps = text.to_ascii_lowercase();
    let steps = steps.chars().map(|character| match character {
        '*' => Glob::Any,
        '?' => Glob::AnyOne,
        other => Glob::One(other),
    });
    Ok(steps.collect())
}

/// `*`, or an ARN of which parts may be left open.
fn resource(text: &str, variables: bool) -> Result<Template, Malformed> {
    let is_arn = text.starts_with("arn:") && text.split(':').count() >= ARN_PARTS;
    // An ARN that ends in an open part may be any that begins like it.
    let is_open = text.starts_with("arn:") && text.ends_with('*');
    if text != "*" && !is_arn && !is_open {
        return Err(Malformed::new(format!(
            "Resource {text} must be in ARN format or \"*\"."
        )));
    }
    let signs = Signs {
        wildcards: true,
        variables,
    };
    Template::parse(text, signs)
}
