//! One statement of a policy.

use std::borrow::Cow;

use super::condition::Condition;
use super::glob::{Pattern, Signs};
use super::grantee::{Grantees, Meant};
use super::held::Held;
use super::malformed::Malformed;
use super::question::Case;
use super::steps::STEPS_EACH;
use super::texts::{Gathered, Place, Run, Texts};
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

/// One statement. Its texts and conditions are kept with those of the whole policy.
#[derive(Clone, Debug)]
pub struct Statement {
    sid: Option<Place>,
    pub effect: Effect,
    /// `None`: whoever has the policy.
    grantees: Option<Grantees>,
    /// In small letters.
    actions: Run,
    not_actions: bool,
    resources: Run,
    not_resources: bool,
    conditions: Run,
    /// `${…}` has a meaning in its resources.
    variables: bool,
}

/// What a policy says, while it is parsed.
#[derive(Debug, Default)]
pub struct Draft {
    pub texts: Gathered,
    pub conditions: Vec<Condition>,
}

impl Statement {
    pub fn parse(
        tree: &Tree,
        setting: Setting,
        variables: bool,
        draft: &mut Draft,
    ) -> Result<Self, Malformed> {
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
        let sid = sid(member("Sid"), setting)?;
        let principals = principals(member("Principal"), member("NotPrincipal"), setting, effect)?;
        let Draft { texts, conditions } = draft;
        let grantees = principals.map(|(tree, not)| Grantees::parse(tree, not, texts));
        Ok(Self {
            sid: sid.map(|sid| texts.add(sid)).transpose()?,
            effect,
            grantees: grantees.transpose()?,
            actions: listed(actions, "Action", texts, action)?,
            not_actions,
            resources: listed(resources, "Resource", texts, |text| {
                resource(text, variables)
            })?,
            not_resources,
            conditions: {
                let from = conditions.len();
                if let Some(condition) = member("Condition") {
                    Condition::parse_all(condition, variables, conditions, texts)?;
                }
                Run::new(from, conditions.len())?
            },
            variables,
        })
    }

    /// The statement's own name.
    pub fn sid<'a>(&self, texts: &'a Texts) -> Option<&'a str> {
        self.sid.map(|sid| texts.at(sid))
    }

    /// Whether the statement is about what is asked, and how it means who asks. What is unclear
    /// counts for a Deny and not for an Allow. `conditions`: all of the policy.
    pub fn applies(&self, conditions: &[Condition], texts: &Texts, case: &Case<'_>) -> Meant {
        case.steps().take(STEPS_EACH);
        let meant = match self.grantees {
            Some(grantees) => grantees.meant(texts, case),
            None => Meant::Directly,
        };
        if meant == Meant::Not {
            return meant;
        }
        let hold = || {
            let conditions = case.each(conditions[self.conditions.places()].iter());
            Held::all(conditions.map(|condition| condition.holds(texts, case)))
        };
        let about = self.is_about_action(texts, case);
        let about = about.and(|| self.is_about_resource(texts, case));
        match about.and(hold) {
            Held::Yes => meant,
            Held::Unclear if self.effect == Effect::Deny => meant,
            Held::Unclear | Held::No => Meant::Not,
        }
    }

    fn is_about_action(&self, texts: &Texts, case: &Case<'_>) -> Held {
        let signs = Signs {
            wildcards: true,
            variables: false,
        };
        let actions = texts.of(self.actions).map(|text| Pattern { text, signs });
        let actions = case.each(actions);
        let held = Held::any(actions.map(|pattern| pattern.matches(case.action(), case)));
        held.negated_if(self.not_actions)
    }

    fn is_about_resource(&self, texts: &Texts, case: &Case<'_>) -> Held {
        let signs = Signs {
            wildcards: true,
            variables: self.variables,
        };
        let resources = texts.of(self.resources).map(|text| Pattern { text, signs });
        let resources = case.each(resources);
        let held = Held::any(resources.map(|pattern| pattern.matches(case.resource(), case)));
        held.negated_if(self.not_resources)
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

fn sid(tree: Option<&Tree>, setting: Setting) -> Result<Option<&str>, Malformed> {
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
    Ok((!sid.is_empty()).then_some(sid))
}

/// Who is named, and whether those are left out; `None`: nobody is to be named.
fn principals<'a>(
    principal: Option<&'a Tree>,
    not_principal: Option<&'a Tree>,
    setting: Setting,
    effect: Effect,
) -> Result<Option<(&'a Tree, bool)>, Malformed> {
    match (setting, principal, not_principal) {
        (Setting::OfIdentity, None, None) => Ok(None),
        (Setting::OfIdentity, ..) => Err(Malformed::new(
            "Policy document should not specify a principal.",
        )),
        (Setting::OfResource, Some(tree), None) => Ok(Some((tree, false))),
        (Setting::OfResource, None, Some(_)) if effect == Effect::Allow => {
            Err(Malformed::new("Allow with NotPrincipal is not allowed."))
        }
        (Setting::OfResource, None, Some(tree)) => Ok(Some((tree, true))),
        (Setting::OfResource, None, None) => {
            Err(Malformed::new("Missing required field Principal."))
        }
        (Setting::OfResource, Some(_), Some(_)) => Err(Malformed::syntax(
            "A statement has Principal and NotPrincipal.",
        )),
    }
}

/// One text or a list of some, each as `parse` has it kept.
fn listed<'a>(
    tree: &'a Tree,
    name: &str,
    texts: &mut Gathered,
    parse: impl Fn(&'a str) -> Result<Cow<'a, str>, Malformed>,
) -> Result<Run, Malformed> {
    let elements = tree.elements();
    if elements.is_empty() {
        return Err(Malformed::syntax(format!("{name} names nothing.")));
    }
    let from = texts.count();
    for element in elements {
        let not_text = || Malformed::syntax(format!("{name} is not a string."));
        texts.add(&parse(element.as_text().ok_or_else(not_text)?)?)?;
    }
    texts.since(from)
}

/// `*`, or a service and what it does: the same in capitals or not.
fn action(text: &str) -> Result<Cow<'_, str>, Malformed> {
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
    Ok(Cow::Owned(text.to_ascii_lowercase()))
}

/// `*`, or an ARN of which parts may be left open.
fn resource(text: &str, variables: bool) -> Result<Cow<'_, str>, Malformed> {
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
    Pattern { text, signs }.check()?;
    Ok(Cow::Borrowed(text))
}
