//! What policies mean and which are refused, case by case.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use types::{AccountId, Region, Timestamp};
use wire::iam::{
    Circumstances, IdentityPolicy, NewTag, Principal, Question, Reason, ResourcePolicy, UserName,
    decide,
};

const OWNER: &str = "000000000042";
const OTHER: &str = "000000000007";
/// 2026-11-29T13:05:00Z.
const NOW: Timestamp = Timestamp(1_795_957_500_000);
const STREAM: &str = "arn:aws:kinesis:eu-west-1:000000000042:stream/orders";

struct World {
    principal: Principal,
    circumstances: Circumstances,
    tags: Option<BTreeMap<String, String>>,
    new_tags: Vec<(&'static str, Option<&'static str>)>,
    action: &'static str,
    resource: &'static str,
}

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

fn world() -> World {
    World {
        principal: Principal {
            account: account(OWNER),
            user: Some(UserName::parse("ann").unwrap()),
        },
        circumstances: Circumstances {
            address: "10.1.2.3".parse().unwrap(),
            is_encrypted: false,
            now: NOW,
            region: Region::parse("eu-west-1").unwrap(),
        },
        tags: Some(BTreeMap::from([
            ("team".to_owned(), "blue".to_owned()),
            ("owner".to_owned(), "ann".to_owned()),
        ])),
        new_tags: Vec::new(),
        action: "kinesis:PutRecord",
        resource: STREAM,
    }
}

impl World {
    fn decide(&self, identity: Option<&Value>, resource: Option<&Value>) -> Result<(), Reason> {
        let identity = identity.map(|policy| IdentityPolicy::parse(&policy.to_string()).unwrap());
        let resource = resource.map(|policy| ResourcePolicy::parse(&policy.to_string()).unwrap());
        let new_tags = self.new_tags.iter().map(|&(key, value)| NewTag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        });
        let question = Question {
            principal: &self.principal,
            circumstances: &self.circumstances,
            action: self.action,
            resource: self.resource,
            owner: account(OWNER),
            tags: self.tags.as_ref(),
            new_tags: &new_tags.collect::<Vec<_>>(),
        };
        decide(&question, identity.as_ref(), resource.as_ref()).map_err(|denial| denial.reason)
    }

    fn allows_under(&self, condition: &Value) -> bool {
        let mut policy = allow("*", "*");
        policy["Statement"]["Condition"] = condition.clone();
        self.decide(Some(&policy), None).is_ok()
    }
}

fn allow(action: &str, resource: &str) -> Value {
    statement("Allow", action, resource)
}

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": effect, "Action": action, "Resource": resource},
    })
}

fn granted(principal: Value) -> Value {
    let mut policy = allow("kinesis:*", "*");
    policy["Statement"]["Principal"] = principal;
    policy
}

/// Conditions, and whether they hold in [`world`].
const CONDITIONS: &[(&str, bool)] = &[
    (r#"{"StringEquals": {"aws:username": "ann"}}"#, true),
    (
        r#"{"StringEquals": {"aws:username": ["bob", "ann"]}}"#,
        true,
    ),
    (r#"{"StringEquals": {"aws:username": "ANN"}}"#, false),
    (r#"{"StringEquals": {"aws:username": "a*"}}"#, false),
    (
        r#"{"StringNotEquals": {"aws:username": ["bob", "ann"]}}"#,
        false,
    ),
    (
        r#"{"StringNotEquals": {"aws:username": ["bob", "eve"]}}"#,
        true,
    ),
    (
        r#"{"StringEqualsIgnoreCase": {"aws:username": "ANN"}}"#,
        true,
    ),
    (
        r#"{"StringNotEqualsIgnoreCase": {"aws:username": "ANN"}}"#,
        false,
    ),
    (r#"{"StringLike": {"aws:username": "a?n"}}"#, true),
    (r#"{"StringNotLike": {"aws:username": "a*"}}"#, false),
    (
        r#"{"StringEquals": {"aws:PrincipalAccount": "000000000042"}}"#,
        true,
    ),
    (
        r#"{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}"#,
        true,
    ),
    (
        r#"{"StringEquals": {"aws:ResourceAccount": "000000000042"}}"#,
        true,
    ),
    (
        r#"{"NumericLessThan": {"aws:EpochTime": 1795957501}}"#,
        true,
    ),
    (
        r#"{"NumericLessThan": {"aws:EpochTime": "1795957500"}}"#,
        false,
    ),
    (
        r#"{"NumericLessThanEquals": {"aws:EpochTime": "1795957500"}}"#,
        true,
    ),
    (
        r#"{"NumericEquals": {"aws:EpochTime": "1795957500.0"}}"#,
        true,
    ),
    (
        r#"{"NumericNotEquals": {"aws:EpochTime": "1795957500"}}"#,
        false,
    ),
    (
        r#"{"NumericGreaterThan": {"aws:EpochTime": "1795957499"}}"#,
        true,
    ),
    (
        r#"{"NumericGreaterThanEquals": {"aws:EpochTime": "1795957501"}}"#,
        false,
    ),
    (
        r#"{"DateGreaterThan": {"aws:CurrentTime": "2026-11-29T13:04:59Z"}}"#,
        true,
    ),
    (
        r#"{"DateLessThan": {"aws:CurrentTime": "2026-11-29"}}"#,
        false,
    ),
    (
        r#"{"DateEquals": {"aws:EpochTime": "2026-11-29T13:05:00Z"}}"#,
        true,
    ),
    (
        r#"{"DateNotEquals": {"aws:CurrentTime": "1795957500"}}"#,
        false,
    ),
    (
        r#"{"DateGreaterThanEquals": {"aws:CurrentTime": "1795957500"}}"#,
        true,
    ),
    (
        r#"{"DateLessThanEquals": {"aws:CurrentTime": "1795957499"}}"#,
        false,
    ),
    (r#"{"Bool": {"aws:SecureTransport": "false"}}"#, true),
    (r#"{"Bool": {"aws:SecureTransport": true}}"#, false),
    (
        r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "10.0.0.0/8"]}}"#,
        true,
    ),
    (r#"{"IpAddress": {"aws:SourceIp": "10.1.2.4"}}"#, false),
    (r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, false),
    (
        r#"{"NotIpAddress": {"aws:SourceIp": "2001:db8::/32"}}"#,
        true,
    ),
    (
        r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/a*"}}"#,
        true,
    ),
    (
        r#"{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/b*"}}"#,
        false,
    ),
    (
        r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/*"}}"#,
        true,
    ),
    // A part that is open ends with its part.
    (
        r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:*:user/ann:x:y:z"}}"#,
        false,
    ),
    (
        r#"{"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/a*"}}"#,
        false,
    ),
    (
        r#"{"StringEquals": {"aws:ResourceTag/Team": "blue"}}"#,
        true,
    ),
    (
        r#"{"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}"#,
        true,
    ),
    (
        r#"{"StringEquals": {"aws:ResourceTag/team": "${aws:username}"}}"#,
        false,
    ),
    (
        r#"{"StringLike": {"aws:ResourceTag/team": "b${*}"}}"#,
        false,
    ),
    // All operators and keys must hold, one value of each.
    (
        r#"{"StringEquals": {"aws:username": "ann", "aws:ResourceTag/team": "red"}}"#,
        false,
    ),
    (
        r#"{"StringEquals": {"aws:username": "ann"}, "Bool": {"aws:SecureTransport": "true"}}"#,
        false,
    ),
];

#[test]
fn a_condition_holds_as_iam_documents_it() {
    for (condition, wanted) in CONDITIONS {
        let condition = serde_json::from_str(condition).unwrap();
        assert_eq!(world().allows_under(&condition), *wanted, "{condition}");
    }
}

#[test]
fn of_what_is_not_known_only_what_it_shall_not_be_is_true() {
    for (operator, values, wanted) in [
        ("StringEquals", json!("x"), false),
        ("StringEqualsIfExists", json!("x"), true),
        ("StringNotEquals", json!("x"), true),
        ("StringNotEqualsIfExists", json!("x"), true),
        ("StringLike", json!("*"), false),
        ("ForAllValues:StringEquals", json!("x"), true),
        ("ForAnyValue:StringEquals", json!("x"), false),
        ("ForAnyValue:StringNotEquals", json!("x"), false),
        ("ForAnyValue:StringEqualsIfExists", json!("x"), true),
        ("Null", json!("true"), true),
        ("Null", json!(false), false),
    ] {
        let condition = json!({operator: {"aws:ResourceTag/none": values}});
        assert_eq!(world().allows_under(&condition), wanted, "{condition}");
    }
    let null = json!({"Null": {"aws:ResourceTag/team": "false"}});
    assert!(world().allows_under(&null));
}

#[test]
fn keys_of_new_tags_are_asked_about_one_by_one() {
    let cases: &[(&[&'static str], &str, bool)] = &[
        (&["a", "b"], "ForAllValues:StringEquals", true),
        (&["a", "c"], "ForAllValues:StringEquals", false),
        (&[], "ForAllValues:StringEquals", true),
        (&["a", "c"], "ForAnyValue:StringEquals", true),
        (&["c", "d"], "ForAnyValue:StringEquals", false),
        (&["a", "c"], "ForAllValues:StringNotEquals", false),
        (&["c", "d"], "ForAllValues:StringNotEquals", true),
        (&["a", "c"], "ForAnyValue:StringNotEquals", true),
        (&["a", "b"], "ForAnyValue:StringNotEquals", false),
    ];
    for (keys, operator, wanted) in cases {
        let world = World {
            new_tags: keys.iter().map(|key| (*key, Some("v"))).collect(),
            ..world()
        };
        let condition = json!({*operator: {"aws:TagKeys": ["a", "b"]}});
        assert_eq!(
            world.allows_under(&condition),
            *wanted,
            "{keys:?} {condition}"
        );
    }
    let world = World {
        new_tags: vec![("team", Some("red")), ("old", None)],
        ..world()
    };
    assert!(world.allows_under(&json!({"StringEquals": {"aws:RequestTag/Team": "red"}})));
    assert!(world.allows_under(&json!({"Null": {"aws:RequestTag/old": "true"}})));
}

/// A Σ at the end of a word has another small letter than one within.
#[test]
fn text_is_the_same_text_whatever_letters_of_it_are_capitals_and_wherever_it_ends() {
    let mut world = world();
    for value in ["ΟΔΟΣ", "οδοσ", "ΣΑΣ"] {
        world.tags = Some(BTreeMap::from([("team".to_owned(), value.to_owned())]));
        for wanted in [value.to_owned(), value.to_uppercase()] {
            let same = json!({"StringEqualsIgnoreCase": {"aws:ResourceTag/team": wanted}});
            let other = json!({"StringNotEqualsIgnoreCase": {"aws:ResourceTag/team": wanted}});
            assert!(world.allows_under(&same), "{value} {wanted}");
            assert!(!world.allows_under(&other), "{value} {wanted}");
        }
    }
}

/// IAM: of `TagKey1` and `tagkey1` one may be there, and not both. Whoever may add labels must not
/// gain by a second one: neither an Allow nor the way around a Deny.
#[test]
fn two_labels_whose_keys_differ_in_capitals_give_no_right_and_escape_no_deny() {
    let mut both = world();
    let labels = [("Team", "red"), ("team", "blue")];
    both.new_tags = labels.map(|(key, value)| (key, Some(value))).to_vec();
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    both.tags = Some(BTreeMap::from(labels));
    let mut one = world();
    one.new_tags = vec![("team", Some("blue"))];
    for key in ["aws:ResourceTag/TEAM", "aws:RequestTag/team"] {
        let variable = format!("${{{key}}}");
        for (operator, values) in [
            ("StringEquals", json!("blue")),
            ("StringEquals", json!(["red", "blue"])),
            ("StringNotEquals", json!("green")),
            ("StringEqualsIgnoreCase", json!("BLUE")),
            ("StringNotEqualsIgnoreCase", json!("green")),
            ("StringLike", json!("*")),
            ("StringNotLike", json!("green")),
            ("StringEqualsIfExists", json!("blue")),
            ("StringNotEqualsIfExists", json!("green")),
            ("ForAllValues:StringEquals", json!(["red", "blue"])),
            ("ForAllValues:StringNotEquals", json!("green")),
            ("ForAnyValue:StringEquals", json!("blue")),
            ("ForAnyValue:StringNotEquals", json!("green")),
            ("Null", json!("false")),
            ("StringEquals", json!(variable)),
            ("StringNotEquals", json!(["green", format!("x{variable}")])),
        ] {
            let condition = json!({operator: {key: values}});
            assert!(one.allows_under(&condition), "{condition}");
            assert!(!both.allows_under(&condition), "{condition}");
            let denied = both.decide(Some(&unless(&condition)), None);
            assert_eq!(denied, Err(Reason::IdentityDenies), "{condition}");
        }
        let null = json!({"Null": {key: "true"}});
        assert!(!both.allows_under(&null));
        let denied = both.decide(Some(&unless(&null)), None);
        assert_eq!(denied, Err(Reason::IdentityDenies));
    }
}

/// Everything is allowed but under a condition.
fn unless(condition: &Value) -> Value {
    let mut policy = allow("*", "*");
    let mut deny = statement("Deny", "*", "*")["Statement"].clone();
    deny["Condition"] = condition.clone();
    policy["Statement"] = json!([policy["Statement"], deny]);
    policy
}

#[test]
fn a_variable_of_two_labels_whose_keys_differ_in_capitals_gives_no_right_and_escapes_no_deny() {
    let mut both = world();
    both.tags = Some(BTreeMap::from([
        ("Name".to_owned(), "ann".to_owned()),
        ("name".to_owned(), "orders".to_owned()),
    ]));
    let pattern = "${aws:ResourceTag/name}";
    for (operator, value) in [
        ("StringEquals", pattern),
        ("StringNotEquals", pattern),
        ("StringEqualsIgnoreCase", pattern),
        ("StringNotLike", "${aws:ResourceTag/name,'x'}"),
        ("ForAllValues:StringNotEquals", pattern),
        ("StringEqualsIfExists", pattern),
    ] {
        let condition = json!({operator: {"aws:username": value}});
        assert!(!both.allows_under(&condition), "{condition}");
        let denied = both.decide(Some(&unless(&condition)), None);
        assert_eq!(denied, Err(Reason::IdentityDenies), "{condition}");
    }
    let principal = "arn:aws:iam::*:user/${aws:ResourceTag/name}";
    for operator in ["ArnLike", "ArnNotLike"] {
        let condition = json!({operator: {"aws:PrincipalArn": principal}});
        assert!(!both.allows_under(&condition), "{condition}");
        let denied = both.decide(Some(&unless(&condition)), None);
        assert_eq!(denied, Err(Reason::IdentityDenies), "{condition}");
    }
    let stream = json!("arn:aws:kinesis:*:*:stream/${aws:ResourceTag/name}");
    for resource in ["Resource", "NotResource"] {
        let allowed = json!({"Effect": "Allow", "Action": "*", resource: stream});
        let policy = json!({"Version": "2012-10-17", "Statement": allowed});
        let found = both.decide(Some(&policy), None);
        assert_eq!(found, Err(Reason::IdentityIsSilent), "{policy}");
        let all = allow("*", "*")["Statement"].clone();
        let denied = json!({"Effect": "Deny", "Action": "*", resource: stream});
        let policy = json!({"Version": "2012-10-17", "Statement": [all, denied]});
        let found = both.decide(Some(&policy), None);
        assert_eq!(found, Err(Reason::IdentityDenies), "{policy}");
    }
    // Where something else decides, it does.
    let clear = json!({"StringEquals": {"aws:username": [pattern, "ann"]}});
    assert!(both.allows_under(&clear));
    let clear = json!({"StringNotEquals": {"aws:username": [pattern, "ann"]}});
    assert!(!both.allows_under(&clear));
}

#[test]
fn a_kept_policy_that_this_build_refuses_lets_nobody_in_but_the_root_of_its_account() {
    let text = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "later:*"}}"#;
    let policy = ResourcePolicy::kept(text.to_owned());
    assert_eq!(policy.text(), text);
    assert_eq!(
        policy.fault().unwrap().to_string(),
        "Policy statement must contain resources."
    );
    let all = IdentityPolicy::parse(&allow("*", "*").to_string()).unwrap();
    let world = world();
    let (owner, other) = (account(OWNER), account(OTHER));
    let ann = world.principal.user.clone();
    for (account, user, wanted) in [
        (owner, None, Ok(())),
        (owner, ann.clone(), Err(Reason::ResourceDenies)),
        (other, None, Err(Reason::ResourceDenies)),
        (other, ann, Err(Reason::ResourceDenies)),
    ] {
        let question = Question {
            principal: &Principal { account, user },
            circumstances: &world.circumstances,
            action: world.action,
            resource: world.resource,
            owner,
            tags: None,
            new_tags: &[],
        };
        let found = decide(&question, Some(&all), Some(&policy));
        assert_eq!(
            found.map_err(|denial| denial.reason),
            wanted,
            "{question:?}"
        );
    }
    let good = granted(json!("*")).to_string();
    let policy = ResourcePolicy::kept(good.clone());
    assert_eq!(policy.fault(), None);
    assert!(policy == ResourcePolicy::parse(&good).unwrap());
}

#[test]
fn actions_and_resources_are_patterns_and_their_opposites() {
    for (part, wanted) in [
        (
            json!({"Action": "kinesis:PutRecord", "Resource": "*"}),
            true,
        ),
        (
            json!({"Action": "KINESIS:putrecord", "Resource": "*"}),
            true,
        ),
        (json!({"Action": "kinesis:Put*", "Resource": STREAM}), true),
        (json!({"Action": "*:PutRecord", "Resource": STREAM}), false),
        (
            json!({"Action": ["s3:*", "kinesis:???Record"], "Resource": STREAM}),
            true,
        ),
        (
            json!({"Action": "kinesis:PutRecords", "Resource": "*"}),
            false,
        ),
        (json!({"NotAction": "kinesis:Put*", "Resource": "*"}), false),
        (json!({"NotAction": "kinesis:Get*", "Resource": "*"}), true),
        (
            json!({"Action": "*", "Resource": "arn:aws:kinesis:*:000000000042:stream/*"}),
            true,
        ),
        (
            json!({"Action": "*", "Resource": "arn:aws:kinesis:*"}),
            true,
        ),
        (
            json!({"Action": "*", "Resource": "arn:aws:kinesis:*:*:stream/ORDERS"}),
            false,
        ),
        (
            json!({"Action": "*", "Resource": "arn:aws:kinesis:*:*:stream/order"}),
            false,
        ),
        (
            json!({"Action": "*", "NotResource": "arn:aws:kinesis:*:*:stream/o*"}),
            false,
        ),
        (
            json!({"Action": "*", "NotResource": "arn:aws:kinesis:*:*:stream/a*"}),
            true,
        ),
        (
            json!({"Action": "*", "Resource": "arn:aws:kinesis:*:*:stream/${aws:username}s"}),
            false,
        ),
        (
            json!({"Action": "*", "Resource": "arn:aws:*:*:*:*/${aws:ResourceTag/x,'orders'}"}),
            true,
        ),
    ] {
        // A vendor is named, or all are.
        let mut statement = part.clone();
        statement["Effect"] = json!("Allow");
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        if part["Action"] == "*:PutRecord" {
            assert!(IdentityPolicy::parse(&policy.to_string()).is_err());
            continue;
        }
        let found = world().decide(Some(&policy), None).is_ok();
        assert_eq!(found, wanted, "{part}");
    }
}

#[test]
fn a_variable_is_text_before_the_version_that_knows_it_and_its_value_is_no_pattern() {
    let mut world = world();
    world.principal.user = Some(UserName::parse("orders").unwrap());
    let mut policy = allow("*", "arn:aws:kinesis:*:*:stream/${aws:username}");
    assert!(world.decide(Some(&policy), None).is_ok());
    for old in [json!("2008-10-17"), Value::Null] {
        policy["Version"] = old.clone();
        if old.is_null() {
            policy.as_object_mut().unwrap().remove("Version");
        }
        let found = world.decide(Some(&policy), None);
        assert_eq!(found, Err(Reason::IdentityIsSilent));
    }
    // A label whose value looks like a pattern is that text.
    world.tags = Some(BTreeMap::from([("any".to_owned(), "*".to_owned())]));
    let any = allow("*", "arn:aws:kinesis:*:*:stream/${aws:ResourceTag/any}");
    assert!(world.decide(Some(&any), None).is_err());
    // The root has no name, so that the pattern fits nothing.
    world.principal.user = None;
    let named = allow("*", "arn:aws:kinesis:*:*:stream/${aws:username}");
    assert!(world.decide(Some(&named), None).is_err());
}

#[test]
fn a_deny_goes_before_any_allow_in_either_policy() {
    let all = granted(json!("*"));
    let mut none = statement("Deny", "kinesis:PutRecord", "*");
    let allowed = allow("*", "*");
    assert_eq!(
        world().decide(Some(&none), Some(&all)),
        Err(Reason::IdentityDenies)
    );
    none["Statement"]["Principal"] = json!({"AWS": "*"});
    assert_eq!(
        world().decide(Some(&allowed), Some(&none)),
        Err(Reason::ResourceDenies)
    );
    assert_eq!(
        world().decide(None, Some(&none)),
        Err(Reason::ResourceDenies)
    );
    let mut both = granted(json!("*"));
    both["Statement"] = json!([both["Statement"], none["Statement"]]);
    assert_eq!(
        world().decide(Some(&allowed), Some(&both)),
        Err(Reason::ResourceDenies)
    );
}

#[test]
fn in_the_account_one_of_the_two_policies_is_enough_and_across_accounts_both_are_needed() {
    let silent = allow("s3:*", "*");
    let allowed = allow("kinesis:*", "*");
    let ann = json!({"AWS": "arn:aws:iam::000000000042:user/ann"});
    let own = world();
    assert!(
        own.decide(Some(&silent), Some(&granted(ann.clone())))
            .is_ok()
    );
    assert!(
        own.decide(Some(&silent), Some(&granted(json!("*"))))
            .is_ok()
    );
    for account in [
        json!({"AWS": OWNER}),
        json!({"AWS": format!("arn:aws:iam::{OWNER}:root")}),
    ] {
        // What goes to the account is for the account to hand on to its users.
        let found = own.decide(Some(&silent), Some(&granted(account.clone())));
        assert_eq!(found, Err(Reason::IdentityIsSilent), "{account}");
        assert!(own.decide(Some(&allowed), Some(&granted(account))).is_ok());
    }
    let mut foreign = world();
    foreign.principal.account = account(OTHER);
    for (identity, principal, wanted) in [
        (None, json!("*"), Ok(())),
        (None, json!({"AWS": OTHER}), Ok(())),
        (
            None,
            json!({"AWS": [OWNER, format!("arn:aws:iam::{OTHER}:user/ann")]}),
            Ok(()),
        ),
        (None, ann, Err(Reason::ResourceIsSilent)),
        (None, json!({"AWS": OWNER}), Err(Reason::ResourceIsSilent)),
        (
            None,
            json!({"Service": "lambda.amazonaws.com"}),
            Err(Reason::ResourceIsSilent),
        ),
        (
            None,
            json!({"AWS": format!("arn:aws:iam::{OTHER}:role/ann")}),
            Err(Reason::ResourceIsSilent),
        ),
        (Some(&allowed), json!({"AWS": OTHER}), Ok(())),
        (
            Some(&silent),
            json!({"AWS": OTHER}),
            Err(Reason::IdentityIsSilent),
        ),
        (Some(&silent), json!("*"), Err(Reason::IdentityIsSilent)),
    ] {
        let found = foreign.decide(identity, Some(&granted(principal.clone())));
        assert_eq!(found, wanted, "{principal}");
    }
    assert_eq!(foreign.decide(None, None), Err(Reason::ResourceIsSilent));
    assert_eq!(
        foreign.decide(Some(&allowed), None),
        Err(Reason::ResourceIsSilent)
    );
}

#[test]
fn a_deny_for_all_but_some_leaves_those_alone() {
    let mut policy = statement("Deny", "*", "*");
    policy["Statement"]["NotPrincipal"] =
        json!({"AWS": [OTHER, "arn:aws:iam::000000000042:user/ann"]});
    assert!(world().decide(None, Some(&policy)).is_ok());
    let mut bob = world();
    bob.principal.user = Some(UserName::parse("bob").unwrap());
    assert_eq!(bob.decide(None, Some(&policy)), Err(Reason::ResourceDenies));
    // As AWS's guide writes it: the account beside its user, which leaves nobody else of it out.
    let own = "arn:aws:iam::000000000042:root";
    policy["Statement"]["NotPrincipal"] =
        json!({"AWS": [own, "arn:aws:iam::000000000042:user/ann"]});
    assert!(world().decide(None, Some(&policy)).is_ok());
    assert_eq!(bob.decide(None, Some(&policy)), Err(Reason::ResourceDenies));
}

#[test]
fn another_accounts_labels_decide_nothing_before_it_lets_the_caller_in() {
    let mut foreign = world();
    foreign.principal.account = account(OTHER);
    let mut curious = allow("*", "*");
    curious["Statement"]["Condition"] = json!({"StringEquals": {"aws:ResourceTag/team": "blue"}});
    let mut answers = Vec::new();
    for colour in ["blue", "red"] {
        foreign.tags = Some(BTreeMap::from([("team".to_owned(), colour.to_owned())]));
        answers.push(foreign.decide(Some(&curious), None));
    }
    foreign.tags = None;
    answers.push(foreign.decide(Some(&curious), None));
    assert_eq!(answers, [Err(Reason::IdentityIsSilent); 3]);
    foreign.tags = world().tags;
    let granted = granted(json!({"AWS": OTHER}));
    assert!(foreign.decide(Some(&curious), Some(&granted)).is_ok());
}

/// Statements that nobody may take for something else, with a part of what is said of each.
const REFUSED: &[(&str, &str)] = &[
    ("", "Syntax errors in policy."),
    ("{}", "Missing required field Statement."),
    ("[]", "The policy is not an object."),
    (r#"{"Statement": []}"#, "Missing required field Statement."),
    (r#"{"Statement": [1]}"#, "A statement is not an object."),
    (
        r#"{"Statement": {}, "Statement": {}}"#,
        "'Statement' is there twice",
    ),
    (
        r#"{"Version": "2024-01-01", "Statement": {}}"#,
        "must be version 2012-10-17 or greater.",
    ),
    (r#"{"statement": {}}"#, "A policy has no element statement."),
    (
        r#"{"Id": 7, "Statement": {}}"#,
        "A policy has no element Id.",
    ),
    (
        r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principle": "*"}}"#,
        "A statement has no element Principle.",
    ),
    (
        r#"{"Statement": {"Effect": "Allow", "Resource": "*"}}"#,
        "must contain actions.",
    ),
    (
        r#"{"Statement": {"Effect": "Allow", "Action": "*"}}"#,
        "must contain resources.",
    ),
    (
        r#"{"Statement": {"Action": "*", "Resource": "*"}}"#,
        "Missing required field Effect.",
    ),
    (
        r#"{"Statement": {"Effect": "deny", "Action": "*", "Resource": "*"}}"#,
        "Invalid effect: deny.",
    ),
    (
        r#"{"Statement": {"Effect": "Deny", "Action": "*", "NotAction": "a:b", "Resource": "*"}}"#,
        "Action and NotAction",
    ),
];

/// Elements of a statement that is well otherwise, with a part of what is said of each.
const REFUSED_ELEMENTS: &[(&str, &str, &str)] = &[
    ("Action", r#""PutRecord""#, "must be prefaced by a vendor"),
    ("Action", r#""kinesis:Put:Record""#, "only one colon"),
    (
        "Action",
        r#""kin esis:PutRecord""#,
        "Vendor kin esis is not valid",
    ),
    (
        "Action",
        r#""kinesis:""#,
        "The action kinesis: is not valid",
    ),
    ("Action", r#"[]"#, "Action names nothing."),
    ("Action", r#"[7]"#, "Action is not a string."),
    ("Action", r#"{}"#, "Action is not a string."),
    ("Resource", r#""orders""#, "must be in ARN format or \"*\"."),
    ("Resource", r#""arn:aws:kinesis""#, "must be in ARN format"),
    (
        "Resource",
        r#""arn:aws:kinesis:*:*:stream/${aws:user}""#,
        "${aws:user} is not supp",
    ),
    (
        "Resource",
        r#""arn:aws:kinesis:*:*:stream/${aws:TagKeys}""#,
        "is not supported.",
    ),
    (
        "Resource",
        r#""arn:aws:kinesis:*:*:stream/${aws:username""#,
        "has no end.",
    ),
    ("Principal", r#""*""#, "should not specify a principal."),
    ("Sid", r#""a b""#, "must be alpha-numeric."),
    ("Sid", r#"7"#, "A Sid is not a string."),
    ("Condition", r#"[]"#, "Condition is not an object."),
    (
        "Condition",
        r#"{"StringEquals": {}}"#,
        "StringEquals is not an object of keys.",
    ),
    (
        "Condition",
        r#"{"Equals": {"aws:username": "a"}}"#,
        "Invalid Condition type : Equals.",
    ),
    (
        "Condition",
        r#"{"BinaryEquals": {"aws:username": "YQ=="}}"#,
        "Invalid Condition type : BinaryEquals.",
    ),
    (
        "Condition",
        r#"{"NullIfExists": {"aws:username": "true"}}"#,
        "Invalid Condition type",
    ),
    (
        "Condition",
        r#"{"ForSome:Bool": {"aws:username": "a"}}"#,
        "Invalid Condition type",
    ),
    (
        "Condition",
        r#"{"StringEquals": {"aws:PrincipalOrgID": "o-1"}}"#,
        "The condition key aws:PrincipalOrgID is not supported.",
    ),
    (
        "Condition",
        r#"{"StringEquals": {"aws:username": []}}"#,
        "has no values",
    ),
    (
        "Condition",
        r#"{"StringEquals": {"aws:username": [{}]}}"#,
        "has no values",
    ),
    (
        "Condition",
        r#"{"StringEquals": {"aws:TagKeys": "a"}}"#,
        "needs ForAllValues",
    ),
    (
        "Condition",
        r#"{"Bool": {"aws:username": "true"}}"#,
        "cannot be used with the cond",
    ),
    (
        "Condition",
        r#"{"Bool": {"aws:SecureTransport": "yes"}}"#,
        "with the value yes.",
    ),
    (
        "Condition",
        r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#,
        "with the value",
    ),
    (
        "Condition",
        r#"{"DateLessThan": {"aws:CurrentTime": "soon"}}"#,
        "with the value soon.",
    ),
    (
        "Condition",
        r#"{"NumericEquals": {"aws:EpochTime": "NaN"}}"#,
        "with the value NaN.",
    ),
    (
        "Condition",
        r#"{"ArnLike": {"aws:PrincipalArn": "ann"}}"#,
        "with the value ann.",
    ),
    // The colon of a variable's name separates no parts.
    (
        "Condition",
        r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::${aws:username}"}}"#,
        "with the value arn:aws:iam::${aws:username}.",
    ),
    (
        "Condition",
        r#"{"Null": {"aws:username": ["true", "false"]}}"#,
        "more than one value",
    ),
];

#[test]
fn a_policy_that_cannot_be_understood_is_refused_with_its_reason() {
    for (policy, wanted) in REFUSED {
        let error = IdentityPolicy::parse(policy).unwrap_err().to_string();
        assert!(error.contains(wanted), "{policy}: {error}");
    }
    for (member, value, wanted) in REFUSED_ELEMENTS {
        let value: Value = serde_json::from_str(value).unwrap();
        let mut policy = allow("*", "*");
        policy["Statement"][*member] = value.clone();
        let error = IdentityPolicy::parse(&policy.to_string()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{value}: {error}");
    }
    let same = json!({"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"});
    let twice = json!({"Statement": [same, same]}).to_string();
    let error = IdentityPolicy::parse(&twice).unwrap_err().to_string();
    assert_eq!(
        error,
        "Statement IDs (SID) in a single policy must be unique."
    );
    let mut long = allow("*", "*").to_string();
    long.push_str(&" ".repeat(20 * 1024));
    let error = IdentityPolicy::parse(&long).unwrap_err().to_string();
    assert_eq!(error, "Cannot exceed quota for PolicySize: 20480");
}

#[test]
fn who_a_resource_policy_is_about_is_named_so_that_it_can_be_found() {
    let none = allow("*", "*").to_string();
    let error = ResourcePolicy::parse(&none).unwrap_err().to_string();
    assert_eq!(error, "Missing required field Principal.");
    for principal in [
        json!("ann"),
        json!({}),
        json!({"AWS": []}),
        json!({"AWS": 42}),
        json!({"AWS": "42"}),
        json!({"AWS": "arn:aws:iam::000000000042:user/*"}),
        json!({"AWS": "arn:aws:iam::42:root"}),
        json!({"AWS": "arn:aws:iam::000000000042:group/a"}),
        json!({"AWS": "arn:aws:kinesis::000000000042:user/a"}),
        json!({"CanonicalUser": "a"}),
        json!({"Federated": "accounts.example.com"}),
        json!({"Service": "lambda"}),
    ] {
        let policy = granted(principal.clone()).to_string();
        assert!(ResourcePolicy::parse(&policy).is_err(), "{principal}");
    }
    let mut all_but = allow("*", "*");
    all_but["Statement"]["NotPrincipal"] = json!({"AWS": OTHER});
    let error = ResourcePolicy::parse(&all_but.to_string()).unwrap_err();
    assert_eq!(error.to_string(), "Allow with NotPrincipal is not allowed.");
}

#[test]
fn no_cut_of_a_policy_is_taken_for_a_policy() {
    let mut policy = granted(json!({"AWS": [OWNER, "*"]}));
    policy["Statement"]["Condition"] = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    let text = policy.to_string();
    assert!(ResourcePolicy::parse(&text).is_ok());
    for end in 0..text.len() {
        assert!(ResourcePolicy::parse(&text[..end]).is_err());
    }
}
