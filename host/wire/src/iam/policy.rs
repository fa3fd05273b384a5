//! Whole policies: what a principal may do, and who may use a resource.

use std::collections::HashSet;

use super::condition::Condition;
use super::grantee::Meant;
use super::malformed::Malformed;
use super::question::{Case, Question};
use super::statement::{Draft, Effect, Setting, Statement};
use super::texts::Texts;
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
    text: Box<str>,
    /// An error: this build does not understand it, though an earlier one did.
    policy: Result<Policy, Malformed>,
}

/// Statements, and what they share. In memory all of a policy takes at most about three times its
/// text: a list of ten thousand texts is no list of ten thousand values.
#[derive(Clone, Debug)]
struct Policy {
    statements: Box<[Statement]>,
    conditions: Box<[Condition]>,
    texts: Texts,
}

/// What one policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A statement allows it.
    Allows(Meant),
    /// This statement refuses it: its Sid, or its number from 1.
    Denies(String),
    /// It takes more than [`STEPS_MAX`](super::steps::STEPS_MAX) steps to know, and they ended in
    /// this statement. Nobody gains by that: it is refused.
    TakesTooLong(String),
    /// Nobody knows what it says, so that nothing is allowed by it and everything may be denied.
    NotUnderstood,
    /// Nothing.
    Nothing,
}

impl IdentityPolicy {
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Policy::parse(text, Setting::OfIdentity).map(Self)
    }

    pub(super) fn asked(&self, question: &Question<'_>) -> Says {
        self.0.asked(question)
    }
}

impl ResourcePolicy {
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Ok(Self {
            policy: Ok(Policy::parse(text, Setting::OfResource)?),
            text: text.into(),
        })
    }

    /// One that was understood when it was put. If this build is stricter and does not understand
    /// it, it lets nobody in and denies everything to everybody but the root of the resource's
    /// account, until it is put anew or taken away: a Deny that is passed over would be an Allow.
    /// [`ResourcePolicy::fault`] then says why it is not understood.
    pub fn kept(text: String) -> Self {
        Self {
            policy: Policy::parse(&text, Setting::OfResource),
            text: text.into_boxed_str(),
        }
    }

    /// Why this build does not understand it, if it does not.
    pub fn fault(&self) -> Option<&Malformed> {
        self.policy.as_ref().err()
    }

    /// The policy as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes of memory that it takes.
    pub fn held_bytes(&self) -> usize {
        let parsed = match &self.policy {
            Ok(policy) => policy.held_bytes(),
            Err(_) => 0,
        };
        size_of::<Self>() + self.text.len() + parsed
    }

    pub(super) fn asked(&self, question: &Question<'_>) -> Says {
        match &self.policy {
            Ok(policy) => policy.asked(question),
            Err(_) => Says::NotUnderstood,
        }
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
        let mut draft = Draft::default();
        let parsed = statements
            .iter()
            .map(|tree| Statement::parse(tree, setting, has_variables, &mut draft));
        let statements: Box<[Statement]> = parsed.collect::<Result<_, _>>()?;
        let policy = Self {
            statements,
            conditions: draft.conditions.into_boxed_slice(),
            texts: draft.texts.into_texts(),
        };
        let mut sids = HashSet::new();
        let statements = policy.statements.iter();
        let mut named = statements.filter_map(|statement| statement.sid(&policy.texts));
        if named.any(|sid| !sids.insert(sid)) {
            return Err(Malformed::new(
                "Statement IDs (SID) in a single policy must be unique.",
            ));
        }
        Ok(policy)
    }

    fn asked(&self, question: &Question<'_>) -> Says {
        self.asked_of(&Case::new(question))
    }

    /// A Deny goes before any Allow.
    fn asked_of(&self, case: &Case<'_>) -> Says {
        let mut allowed = Meant::Not;
        for (number, statement) in (1..).zip(&self.statements) {
            let meant = statement.applies(&self.conditions, &self.texts, case);
            if case.steps().are_spent() {
                return Says::TakesTooLong(self.name(number, statement));
            }
            match (statement.effect, meant) {
                (_, Meant::Not) => {}
                (Effect::Deny, Meant::ByAccount | Meant::Directly) => {
                    return Says::Denies(self.name(number, statement));
                }
                (Effect::Allow, meant) => allowed = allowed.max(meant),
            }
        }
        match allowed {
            Meant::Not => Says::Nothing,
            meant => Says::Allows(meant),
        }
    }

    fn name(&self, number: usize, statement: &Statement) -> String {
        match statement.sid(&self.texts) {
            Some(sid) => format!("'{sid}'"),
            None => number.to_string(),
        }
    }

    fn held_bytes(&self) -> usize {
        size_of_val(&*self.statements) + size_of_val(&*self.conditions) + self.texts.held_bytes()
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

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use types::{AccountId, Region, Timestamp};

    use super::super::principal::Principal;
    use super::super::question::{Circumstances, NewTag};
    use super::super::steps::STEPS_MAX;
    use super::*;

    /// As many labels as a resource may have, as long as they may be.
    fn labels() -> Vec<(String, String)> {
        let key = |number| format!("{}{number:03}", "a".repeat(125));
        let mut all: Vec<_> = (1..50)
            .map(|number| (key(number), "a".repeat(256)))
            .collect();
        all.push(("k".to_owned(), "a".repeat(256)));
        all
    }

    /// What a policy says of a request with all these labels, and in how many steps.
    fn asked(text: &str) -> (Says, usize) {
        let policy = Policy::parse(text, Setting::OfResource).unwrap();
        let new_tags = labels().into_iter().map(|(key, value)| NewTag {
            key,
            value: Some(value),
        });
        let resource = format!(
            "arn:aws:kinesis:eu-west-1:000000000042:stream/{}",
            "a".repeat(128)
        );
        let question = Question {
            principal: &Principal {
                account: AccountId::parse("000000000042").unwrap(),
                user: None,
            },
            circumstances: &Circumstances {
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                is_encrypted: false,
                now: Timestamp(1),
                region: Region::parse("eu-west-1").unwrap(),
            },
            action: "kinesis:TagResource",
            resource: &resource,
            owner: AccountId::parse("000000000042").unwrap(),
            tags: Some(&BTreeMap::from_iter(labels())),
            new_tags: &new_tags.collect::<Vec<_>>(),
        };
        let case = Case::new(&question);
        (policy.asked_of(&case), case.steps().taken())
    }

    /// A policy that compares a label with as many patterns as there is room for.
    fn comparing(operator: &str, key: &str, pattern: &str) -> String {
        let with = |count| {
            let statement = json!({
                "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
                "Condition": {operator: {key: vec![pattern; count]}},
            });
            json!({"Version": "2012-10-17", "Statement": statement}).to_string()
        };
        let each = json!(pattern).to_string().len() + 1;
        let count = (POLICY_BYTES_MAX - with(0).len()) / each;
        with(count)
    }

    /// A pattern such as `*aaab` fits nowhere in a text of `a`, which a search that looks for it
    /// at each place finds out in as many steps as the lengths of both multiplied.
    #[test]
    fn a_pattern_is_compared_in_as_many_steps_as_it_and_the_value_have_letters() {
        for pattern in [
            format!("*{}b", "a".repeat(127)),
            format!("*{}b*", "a".repeat(127)),
            format!("*{}", "a*".repeat(100) + "b*"),
        ] {
            let text = comparing("StringLike", "aws:ResourceTag/k", &pattern);
            let (says, steps) = asked(&text);
            assert_eq!(says, Says::Nothing, "{pattern}");
            assert!(steps < 12 * POLICY_BYTES_MAX, "{pattern}: {steps}");
        }
    }

    #[test]
    fn no_policy_takes_more_than_its_steps_whatever_it_compares() {
        let (any, one) = ("ForAnyValue:StringLike", "StringLike");
        let any_case = "ForAnyValue:StringEqualsIgnoreCase";
        let (keys, tag) = ("aws:TagKeys", "aws:ResourceTag/k");
        let long = "a".repeat(100);
        for (operator, key, pattern, wanted) in [
            (any, keys, "*b", false),
            (any, keys, "*?b*", false),
            (any, keys, &*format!("*{long}b*"), false),
            (any, keys, "${aws:ResourceTag/k}", false),
            (any_case, keys, "b", false),
            (any_case, keys, "${aws:ResourceTag/k}", false),
            (one, tag, &format!("*?{long}b*"), false),
            (one, tag, "*${aws:ResourceTag/k}b*", false),
            (one, tag, "*b", true),
            ("ArnLike", "aws:PrincipalArn", "arn:*b:*:*:*:*", true),
            ("IpAddress", "aws:SourceIp", "::", true),
        ] {
            let (says, steps) = asked(&comparing(operator, key, pattern));
            // The last look at a value may go over it.
            assert!(steps < STEPS_MAX + 2_000, "{pattern}: {steps}");
            let wanted = match wanted {
                true => Says::Nothing,
                false => Says::TakesTooLong("1".to_owned()),
            };
            assert_eq!(says, wanted, "{operator} {pattern}: {steps}");
        }
    }

    #[test]
    fn a_policy_takes_at_most_three_times_its_text_in_memory() {
        let listing = |values: Value| {
            let statement = json!({
                "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
                "Condition": values,
            });
            json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
        };
        let nulls = (0..700).map(|number| (format!("aws:RequestTag/{number}"), json!(true)));
        let nulls: serde_json::Map<_, _> = nulls.collect();
        let small = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"});
        let mut named = small.clone();
        named["Principal"] = json!({"AWS": vec!["*"; 30]});
        for text in [
            comparing("StringEquals", "aws:ResourceTag/a", &"b".repeat(20_200)),
            comparing("StringLike", "aws:ResourceTag/a", &"*?".repeat(10_000)),
            comparing("StringLike", "aws:ResourceTag/a", ""),
            comparing("StringLike", "aws:ResourceTag/a", "*"),
            comparing("StringLike", "aws:ResourceTag/a", "${aws:username}"),
            listing(json!({"NumericEquals": {"aws:EpochTime": vec![1; 10_000]}})),
            listing(json!({"NumericEquals": {"aws:EpochTime": vec![1e300; 2_500]}})),
            listing(json!({"Null": nulls})),
            json!({"Statement": vec![named; 100]}).to_string(),
            json!({"Statement": vec![small; 300]}).to_string(),
        ] {
            let policy = ResourcePolicy::parse(&text).unwrap();
            let (held, written) = (policy.held_bytes(), text.len());
            assert!(
                text.len() > 10_000 && held <= 3 * written,
                "{held} of {written}: {text:.200}"
            );
        }
    }
}
