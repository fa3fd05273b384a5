//! Policies made at random, decided by an oracle that knows no pattern and no JSON: for each
//! pattern that a policy may write, it is told which of the few names that there are it means.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use types::{AccountId, Region, Timestamp};
use wire::iam::{
    Circumstances, IdentityPolicy, Principal, Question, Reason, ResourcePolicy, UserName, decide,
};

const ACCOUNTS: [&str; 2] = ["000000000001", "000000000002"];
const ACTIONS: [&str; 4] = [
    "kinesis:PutRecord",
    "kinesis:PutRecords",
    "kinesis:GetRecords",
    "firehose:PutRecord",
];
const RESOURCES: [&str; 3] = [
    "arn:aws:kinesis:eu-west-1:000000000001:stream/orders",
    "arn:aws:kinesis:eu-west-1:000000000001:stream/order",
    "arn:aws:kinesis:eu-west-1:000000000001:stream/clicks",
];
/// Two users and the root.
const USERS: [Option<&str>; 3] = [Some("ann"), Some("bob"), None];
const ADDRESSES: [&str; 2] = ["10.0.0.1", "192.0.2.1"];

/// Patterns, each with the places in [`ACTIONS`] of those that it means.
const ACTION_PATTERNS: [(&str, &[usize]); 7] = [
    ("*", &[0, 1, 2, 3]),
    ("kinesis:*", &[0, 1, 2]),
    ("kinesis:Put*", &[0, 1]),
    ("kinesis:putrecord", &[0]),
    ("kinesis:???Records", &[1, 2]),
    ("firehose:PutRecord", &[3]),
    ("s3:*", &[]),
];
/// The same of [`RESOURCES`].
const RESOURCE_PATTERNS: [(&str, &[usize]); 6] = [
    ("*", &[0, 1, 2]),
    ("arn:aws:kinesis:*:*:stream/order*", &[0, 1]),
    ("arn:aws:kinesis:*:000000000001:stream/order", &[1]),
    ("arn:aws:kinesis:eu-west-1:*:stream/?????s", &[0, 2]),
    ("arn:aws:kinesis:*:000000000002:*", &[]),
    ("arn:aws:s3:::clicks", &[]),
];
/// The same of [`USERS`] in the first account and in the second, and whether the whole account is
/// meant.
const GRANTEES: [(&str, [&[usize]; 2], bool); 6] = [
    ("*", [&[0, 1, 2], &[0, 1, 2]], false),
    ("000000000001", [&[0, 1, 2], &[]], true),
    ("arn:aws:iam::000000000002:root", [&[], &[0, 1, 2]], true),
    ("arn:aws:iam::000000000001:user/ann", [&[0], &[]], false),
    ("arn:aws:iam::000000000002:user/bob", [&[], &[1]], false),
    ("arn:aws:iam::000000000002:role/bob", [&[], &[]], false),
];
/// Conditions with the users and the addresses under which they hold.
const CONDITIONS: [(&str, &[usize], &[usize]); 6] = [
    ("{}", &[0, 1, 2], &[0, 1]),
    (r#"{"StringLike": {"aws:username": "a*"}}"#, &[0], &[0, 1]),
    (
        r#"{"StringNotEquals": {"aws:username": "bob"}}"#,
        &[0, 2],
        &[0, 1],
    ),
    (
        r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
        &[0, 1, 2],
        &[0],
    ),
    (
        r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
        &[0, 1, 2],
        &[1],
    ),
    (
        r#"{"Null": {"aws:username": "false"}, "IpAddress": {"aws:SourceIp": "192.0.2.1"}}"#,
        &[0, 1],
        &[1],
    ),
];

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % bound as u64).unwrap()
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// A statement as places in the tables above.
struct Drawn {
    denies: bool,
    actions: Vec<usize>,
    not_actions: bool,
    resources: Vec<usize>,
    not_resources: bool,
    grantees: Vec<usize>,
    not_grantees: bool,
    condition: usize,
}

/// What is asked, as places in the tables.
#[derive(Clone, Copy)]
struct Case {
    account: usize,
    user: usize,
    action: usize,
    resource: usize,
    address: usize,
}

fn some(dice: &mut Dice, of: usize) -> Vec<usize> {
    (0..=dice.below(2)).map(|_| dice.below(of)).collect()
}

fn draw(dice: &mut Dice) -> Vec<Drawn> {
    let count = 1 + dice.below(3);
    let drawn = (0..count).map(|_| {
        let denies = dice.below(3) == 0;
        Drawn {
            denies,
            actions: some(dice, ACTION_PATTERNS.len()),
            not_actions: dice.below(4) == 0,
            resources: some(dice, RESOURCE_PATTERNS.len()),
            not_resources: dice.below(4) == 0,
            grantees: some(dice, GRANTEES.len()),
            not_grantees: denies && dice.flip(),
            condition: dice.below(CONDITIONS.len()),
        }
    });
    drawn.collect()
}

/// One text or a list of them, as both may stand in a policy.
fn written(texts: Vec<&str>) -> Value {
    match texts[..] {
        [text] => json!(text),
        _ => json!(texts),
    }
}

fn policy(statements: &[Drawn], of_resource: bool) -> String {
    let negated = |name: &str, is_negated: bool| match is_negated {
        true => format!("Not{name}"),
        false => name.to_owned(),
    };
    let statements = statements.iter().map(|drawn| {
        let actions = drawn.actions.iter().map(|place| ACTION_PATTERNS[*place].0);
        let resources = drawn
            .resources
            .iter()
            .map(|place| RESOURCE_PATTERNS[*place].0);
        let condition: Value = serde_json::from_str(CONDITIONS[drawn.condition].0).unwrap();
        let mut statement = json!({
            "Effect": if drawn.denies { "Deny" } else { "Allow" },
            negated("Action", drawn.not_actions): written(actions.collect()),
            negated("Resource", drawn.not_resources): written(resources.collect()),
            "Condition": condition,
        });
        if of_resource {
            let grantees = drawn.grantees.iter().map(|place| GRANTEES[*place].0);
            let name = negated("Principal", drawn.not_grantees);
            statement[name] = json!({"AWS": written(grantees.collect())});
        }
        statement
    });
    let statements: Vec<Value> = statements.collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// What the statements say of a case: a Deny, an Allow, and an Allow that is not only for the whole
/// account.
fn said(statements: &[Drawn], of_resource: bool, case: Case) -> (bool, bool, bool) {
    let (mut denied, mut allowed, mut directly) = (false, false, false);
    for drawn in statements {
        let mut actions = drawn.actions.iter();
        let of_action = actions.any(|place| ACTION_PATTERNS[*place].1.contains(&case.action));
        let mut resources = drawn.resources.iter();
        let of_resources =
            resources.any(|place| RESOURCE_PATTERNS[*place].1.contains(&case.resource));
        let (_, users, addresses) = CONDITIONS[drawn.condition];
        if of_action == drawn.not_actions
            || of_resources == drawn.not_resources
            || !users.contains(&case.user)
            || !addresses.contains(&case.address)
        {
            continue;
        }
        let meant = drawn.grantees.iter().map(|place| &GRANTEES[*place]);
        let meant = meant.filter(|(_, users, _)| users[case.account].contains(&case.user));
        let is_root = USERS[case.user].is_none();
        let meant: Vec<bool> = meant.map(|(_, _, whole)| !whole || is_root).collect();
        let by_name = !of_resource || drawn.not_grantees || meant.contains(&true);
        let is_meant = match drawn.not_grantees {
            // Whoever is left out is named himself, and not by his account alone.
            true => !meant.contains(&true),
            false => !meant.is_empty(),
        };
        if of_resource && !is_meant {
            continue;
        }
        denied |= drawn.denies;
        allowed |= !drawn.denies;
        directly |= !drawn.denies && by_name;
    }
    (denied, allowed, directly)
}

/// IAM's rules, from its documentation of how requests are evaluated.
fn expected(
    identity: Option<&[Drawn]>,
    resource: Option<&[Drawn]>,
    case: Case,
) -> Result<(), Reason> {
    let (own_deny, own_allow, _) = identity.map_or((false, true, true), |p| said(p, false, case));
    let (deny, allow, directly) = resource.map_or((false, false, false), |p| said(p, true, case));
    let is_own = case.account == 0;
    if own_deny {
        return Err(Reason::IdentityDenies);
    }
    if !is_own && !own_allow {
        return Err(Reason::IdentityIsSilent);
    }
    if deny {
        return Err(Reason::ResourceDenies);
    }
    match (is_own, own_allow || directly, allow) {
        (true, true, _) | (false, _, true) => Ok(()),
        (true, false, _) => Err(Reason::IdentityIsSilent),
        (false, _, false) => Err(Reason::ResourceIsSilent),
    }
}

fn ask(case: Case, identity: Option<&str>, resource: Option<&str>) -> Result<(), Reason> {
    let identity = identity.map(|text| IdentityPolicy::parse(text).unwrap());
    let resource = resource.map(|text| ResourcePolicy::parse(text).unwrap());
    let principal = Principal {
        account: AccountId::parse(ACCOUNTS[case.account]).unwrap(),
        user: USERS[case.user].map(|user| UserName::parse(user).unwrap()),
    };
    let circumstances = Circumstances {
        address: ADDRESSES[case.address].parse().unwrap(),
        is_encrypted: false,
        now: Timestamp(1_795_957_500_000),
        region: Region::parse("eu-west-1").unwrap(),
    };
    let tags = BTreeMap::new();
    let question = Question {
        principal: &principal,
        circumstances: &circumstances,
        action: ACTIONS[case.action],
        resource: RESOURCES[case.resource],
        owner: AccountId::parse(ACCOUNTS[0]).unwrap(),
        tags: Some(&tags),
        new_tags: &[],
    };
    decide(&question, identity.as_ref(), resource.as_ref()).map_err(|denial| denial.reason)
}

#[test]
fn random_policies_decide_as_the_rules_say_of_their_parts() {
    let mut dice = Dice(7);
    let (mut allowed, mut reasons) = (0, Vec::new());
    for round in 0..1_500 {
        let identity = (dice.below(5) > 0).then(|| draw(&mut dice));
        let resource = (dice.below(4) > 0).then(|| draw(&mut dice));
        let identity_text = identity.as_deref().map(|drawn| policy(drawn, false));
        let resource_text = resource.as_deref().map(|drawn| policy(drawn, true));
        for _ in 0..20 {
            let case = Case {
                account: dice.below(ACCOUNTS.len()),
                user: dice.below(USERS.len()),
                action: dice.below(ACTIONS.len()),
                resource: dice.below(RESOURCES.len()),
                address: dice.below(ADDRESSES.len()),
            };
            let wanted = expected(identity.as_deref(), resource.as_deref(), case);
            let found = ask(case, identity_text.as_deref(), resource_text.as_deref());
            assert_eq!(
                found,
                wanted,
                "round {round}: {:?} {:?} {} {}\n{identity_text:?}\n{resource_text:?}",
                ACCOUNTS[case.account],
                USERS[case.user],
                ACTIONS[case.action],
                RESOURCES[case.resource],
            );
            match found {
                Ok(()) => allowed += 1,
                Err(reason) => reasons.push(reason),
            }
        }
    }
    // Every answer came up often enough to mean something.
    assert!(allowed > 1_000, "{allowed}");
    for reason in [
        Reason::IdentityDenies,
        Reason::IdentityIsSilent,
        Reason::ResourceDenies,
        Reason::ResourceIsSilent,
    ] {
        let count = reasons.iter().filter(|found| **found == reason).count();
        assert!(count > 500, "{reason:?}: {count}");
    }
}

#[test]
fn a_policy_with_any_byte_changed_is_refused_or_decides_something() {
    let mut dice = Dice(11);
    let case = Case {
        account: 0,
        user: 0,
        action: 0,
        resource: 0,
        address: 0,
    };
    let (mut refused, mut decided) = (0, 0);
    for _ in 0..3_000 {
        let mut bytes = policy(&draw(&mut dice), true).into_bytes();
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, u8::try_from(dice.below(128)).unwrap()),
                _ => bytes[at] = u8::try_from(dice.below(128)).unwrap(),
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        if ResourcePolicy::parse(&text).is_err() {
            refused += 1;
            continue;
        }
        // Whatever it says now, it says it without coming to harm.
        let first = ask(case, None, Some(&text));
        assert_eq!(ask(case, None, Some(&text)), first);
        decided += 1;
    }
    assert!(refused > 1_000 && decided > 100, "{refused} {decided}");
}
