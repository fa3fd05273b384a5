//! Who may do what: every operation that the server has, by callers of all kinds, on resources
//! with policies of all kinds. What must come is worked out from the kinds alone.

use std::collections::BTreeSet;

use http::{Method, Version};
use millrace_tests::{
    ACCOUNT, Client, OTHER_ACCOUNT, REGION, Service, Setting, destination, shard_id, statement,
    until, user,
};
use serde_json::{Value, json};
use server::Credential;
use types::Timestamp;

use crate::naming::arn;

const TOKEN: &str = "the token of a session";
/// Later than the clock of any test here.
const IN_TIME: Timestamp = Timestamp(1_700_000_100_000);
const STREAM: &str = "orders";

/// What an operation is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// The account.
    Account,
    /// The stream, which the operation names by its name or its ARN, by its ARN alone in the member
    /// of that name, or by its name alone.
    Stream(Naming),
    /// The consumer, by its ARN.
    Consumer,
    /// The delivery stream of that name.
    Delivery(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Both,
    Arn(&'static str),
    Name,
    /// By a shard iterator.
    Iterator,
}

/// An operation with an input that changes nothing, or that is refused once it is permitted.
type Operation = (&'static str, About, Value);

fn of_stream(operation: &'static str, input: Value) -> Operation {
    (operation, About::Stream(Naming::Both), input)
}

fn by_arn(operation: &'static str, member: &'static str, input: Value) -> Operation {
    (operation, About::Stream(Naming::Arn(member)), input)
}

fn of_delivery(operation: &'static str, input: Value) -> Operation {
    (operation, About::Delivery("clicks"), input)
}

fn operations() -> Vec<Operation> {
    let mut all = operations_on_streams();
    all.extend(operations_on_resources());
    all.extend(operations_on_consumers());
    all.extend(operations_on_deliveries());
    let settings = json!({"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}});
    for (operation, input) in [
        ("kinesis:DescribeAccountSettings", json!({})),
        ("kinesis:DescribeLimits", json!({})),
        ("kinesis:ListStreams", json!({})),
        ("kinesis:UpdateAccountSettings", settings),
        ("firehose:ListDeliveryStreams", json!({})),
    ] {
        all.push((operation, About::Account, input));
    }
    all
}

fn operations_on_streams() -> Vec<Operation> {
    let record = json!({"Data": "eA==", "PartitionKey": "a"});
    let iterator = json!({"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"});
    let no_shard = "shardId-000000000009";
    let not_encrypted = json!({"EncryptionType": "NONE", "KeyId": "alias/aws/kinesis"});
    vec![
        of_stream("kinesis:AddTagsToStream", json!({"Tags": {"a": "b"}})),
        (
            "kinesis:CreateStream",
            About::Stream(Naming::Name),
            json!({"ShardCount": 1}),
        ),
        of_stream(
            "kinesis:DecreaseStreamRetentionPeriod",
            json!({"RetentionPeriodHours": 24}),
        ),
        of_stream(
            "kinesis:DeleteStream",
            json!({"EnforceConsumerDeletion": true}),
        ),
        of_stream("kinesis:DescribeStream", json!({})),
        of_stream("kinesis:DescribeStreamSummary", json!({})),
        of_stream(
            "kinesis:DisableEnhancedMonitoring",
            json!({"ShardLevelMetrics": ["ALL"]}),
        ),
        of_stream(
            "kinesis:EnableEnhancedMonitoring",
            json!({"ShardLevelMetrics": ["ALL"]}),
        ),
        (
            "kinesis:GetRecords",
            About::Stream(Naming::Iterator),
            json!({}),
        ),
        of_stream("kinesis:GetShardIterator", iterator),
        of_stream(
            "kinesis:IncreaseStreamRetentionPeriod",
            json!({"RetentionPeriodHours": 24}),
        ),
        of_stream("kinesis:ListShards", json!({})),
        of_stream("kinesis:ListTagsForStream", json!({})),
        of_stream(
            "kinesis:MergeShards",
            json!({"ShardToMerge": no_shard, "AdjacentShardToMerge": no_shard}),
        ),
        of_stream("kinesis:PutRecord", record.clone()),
        of_stream("kinesis:PutRecords", json!({"Records": [record]})),
        of_stream("kinesis:RemoveTagsFromStream", json!({"TagKeys": ["a"]})),
        of_stream(
            "kinesis:SplitShard",
            json!({"ShardToSplit": no_shard, "NewStartingHashKey": "5"}),
        ),
        of_stream("kinesis:StartStreamEncryption", not_encrypted.clone()),
        of_stream("kinesis:StopStreamEncryption", not_encrypted),
        of_stream(
            "kinesis:UpdateShardCount",
            json!({"TargetShardCount": 9_999, "ScalingType": "UNIFORM_SCALING"}),
        ),
        of_stream(
            "kinesis:UpdateStreamWarmThroughput",
            json!({"WarmThroughputMiBps": 1}),
        ),
    ]
}

fn operations_on_resources() -> Vec<Operation> {
    let (resource, stream) = ("ResourceARN", "StreamARN");
    vec![
        by_arn("kinesis:DeleteResourcePolicy", resource, json!({})),
        by_arn("kinesis:GetResourcePolicy", resource, json!({})),
        by_arn(
            "kinesis:PutResourcePolicy",
            resource,
            json!({"Policy": "none"}),
        ),
        by_arn("kinesis:ListTagsForResource", resource, json!({})),
        by_arn("kinesis:TagResource", resource, json!({"Tags": {"a": "b"}})),
        by_arn("kinesis:UntagResource", resource, json!({"TagKeys": ["a"]})),
        by_arn(
            "kinesis:UpdateMaxRecordSize",
            stream,
            json!({"MaxRecordSizeInKiB": 1_024}),
        ),
        by_arn(
            "kinesis:UpdateStreamMode",
            stream,
            json!({"StreamModeDetails": {"StreamMode": "PROVISIONED"}}),
        ),
        by_arn(
            "kinesis:UpdateStreamRecordDistributionStrategy",
            stream,
            json!({"RecordDistributionStrategy": "USER_PARTITION_KEY"}),
        ),
    ]
}

fn operations_on_consumers() -> Vec<Operation> {
    let subscribe = json!({
        "ShardId": "shardId-000000000000", "StartingPosition": {"Type": "LATEST"}, "DryRun": true,
    });
    let of_consumer = |operation, input| (operation, About::Consumer, input);
    let stream = "StreamARN";
    vec![
        of_consumer("kinesis:DeregisterStreamConsumer", json!({})),
        of_consumer("kinesis:DescribeStreamConsumer", json!({})),
        of_consumer("kinesis:SubscribeToShard", subscribe),
        by_arn("kinesis:ListStreamConsumers", stream, json!({})),
        by_arn(
            "kinesis:RegisterStreamConsumer",
            stream,
            json!({"ConsumerName": "another"}),
        ),
    ]
}

fn operations_on_deliveries() -> Vec<Operation> {
    let record = json!({"Data": "eA=="});
    let no_key = json!({"KeyType": "CUSTOMER_MANAGED_CMK"});
    vec![
        of_delivery("firehose:CreateDeliveryStream", destination(json!({}))),
        (
            "firehose:DeleteDeliveryStream",
            About::Delivery("gone"),
            json!({}),
        ),
        of_delivery("firehose:DescribeDeliveryStream", json!({})),
        of_delivery("firehose:ListTagsForDeliveryStream", json!({})),
        of_delivery("firehose:PutRecord", json!({"Record": record})),
        of_delivery("firehose:PutRecordBatch", json!({"Records": [record]})),
        of_delivery(
            "firehose:StartDeliveryStreamEncryption",
            json!({"DeliveryStreamEncryptionConfigurationInput": no_key}),
        ),
        of_delivery("firehose:StopDeliveryStreamEncryption", json!({})),
        of_delivery(
            "firehose:TagDeliveryStream",
            json!({"Tags": [{"Key": "a", "Value": "b"}]}),
        ),
        of_delivery("firehose:UntagDeliveryStream", json!({"TagKeys": ["a"]})),
        of_delivery(
            "firehose:UpdateDestination",
            json!({
                "CurrentDeliveryStreamVersionId": "9",
                "DestinationId": "destinationId-000000000001",
                "ExtendedS3DestinationUpdate": {"Prefix": "x/"},
            }),
        ),
    ]
}

impl About {
    /// What policies call it.
    fn resource(self) -> String {
        match self {
            Self::Account => "*".to_owned(),
            Self::Stream(_) => arn(ACCOUNT, STREAM),
            Self::Consumer => format!("{}/consumer/app:1700000000", arn(ACCOUNT, STREAM)),
            Self::Delivery(name) => {
                format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}")
            }
        }
    }
}

/// What a caller's own policy says of the operation that is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    Allows,
    Denies,
    Silent,
}

/// Kinds of callers: the account, the name (without the operation's number), and what its policy
/// says. A name that is empty is the root's; one that begins with `short` is of a session.
const CALLERS: [(&str, &str, Own); 15] = [
    (ACCOUNT, "", Own::Allows),
    (ACCOUNT, "free", Own::Allows),
    (ACCOUNT, "one", Own::Allows),
    (ACCOUNT, "all-but", Own::Denies),
    (ACCOUNT, "elsewhere", Own::Silent),
    (ACCOUNT, "others", Own::Silent),
    (ACCOUNT, "here", Own::Allows),
    (ACCOUNT, "mars", Own::Silent),
    (ACCOUNT, "short-one", Own::Allows),
    (ACCOUNT, "short-none", Own::Silent),
    (OTHER_ACCOUNT, "", Own::Allows),
    (OTHER_ACCOUNT, "x-one", Own::Allows),
    (OTHER_ACCOUNT, "x-all-but", Own::Denies),
    (OTHER_ACCOUNT, "x-others", Own::Silent),
    (OTHER_ACCOUNT, "short-x-one", Own::Allows),
];

/// A caller's name for the operation of that number.
fn name(kind: &str, number: usize) -> String {
    format!("{kind}-{number}")
}

fn credentials() -> Vec<Credential> {
    let mut all = Vec::new();
    for (number, (action, about, _)) in operations().iter().enumerate() {
        let (action, resource) = (json!(action), json!(about.resource()));
        let any = json!("*");
        for (account, kind, _) in CALLERS.iter().filter(|(_, kind, _)| !kind.is_empty()) {
            let mut policy = match *kind {
                "one" | "short-one" => statement("Allow", &action, &resource, None),
                "x-one" | "short-x-one" => statement("Allow", &action, &any, None),
                "elsewhere" => {
                    let other = json!("arn:aws:kinesis:*:*:stream/other");
                    statement("Allow", &action, &other, None)
                }
                "short-none" => statement("Allow", &json!("s3:*"), &any, None),
                _ => statement("Allow", &any, &any, None),
            };
            let first = &mut policy["Statement"][0];
            match *kind {
                "others" | "x-others" => {
                    first.as_object_mut().unwrap().remove("Action");
                    first["NotAction"] = action.clone();
                }
                "here" | "mars" => {
                    let region = if *kind == "here" {
                        REGION
                    } else {
                        "mars-north-1"
                    };
                    first["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": region}});
                }
                "all-but" | "x-all-but" => {
                    let deny = statement("Deny", &action, &any, None);
                    policy["Statement"] = json!([first, deny["Statement"][0]]);
                }
                _ => {}
            }
            let policy = Some(&policy).filter(|_| *kind != "free");
            let credential = user(account, &name(kind, number), policy);
            all.push(if kind.starts_with("short") {
                until(credential, TOKEN, IN_TIME)
            } else {
                credential
            });
        }
    }
    all
}

/// What is said of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has no policy.
    Bare,
    /// All is allowed to the other account.
    Shared,
    /// The operation is allowed to one user of the other account.
    SharedWithOne,
    /// All is allowed to its own account.
    Delegated,
    /// The operation is allowed to everybody.
    Open,
    /// All is denied to everybody.
    Closed,
    /// There is none.
    Absent,
}

const STATES: [State; 7] = [
    State::Bare,
    State::Shared,
    State::SharedWithOne,
    State::Delegated,
    State::Open,
    State::Closed,
    State::Absent,
];

impl State {
    fn policy(self, action: &str, number: usize) -> Option<Value> {
        let (all, action, any) = (json!("kinesis:*"), json!(action), json!("*"));
        let account = |account: &str| Some(json!({"AWS": account}));
        let one = format!(
            "arn:aws:iam::{OTHER_ACCOUNT}:user/{}",
            name("x-one", number)
        );
        match self {
            Self::Bare | Self::Absent => None,
            Self::Shared => Some(statement("Allow", &all, &any, account(OTHER_ACCOUNT))),
            Self::SharedWithOne => Some(statement("Allow", &action, &any, account(&one))),
            Self::Delegated => Some(statement("Allow", &all, &any, account(ACCOUNT))),
            Self::Open => Some(statement("Allow", &action, &any, Some(any.clone()))),
            Self::Closed => Some(statement("Deny", &any, &any, account("*"))),
        }
    }
}

/// Who asks.
#[derive(Clone, Copy)]
struct Asker {
    account: &'static str,
    kind: &'static str,
    own: Own,
    number: usize,
}

impl Asker {
    fn client(self, service: &Service) -> Client {
        match (self.account, self.kind) {
            (ACCOUNT, "") => service.client(),
            (_, "") => service.other_client(),
            (_, kind) if kind.starts_with("short") => {
                service.user(&name(kind, self.number)).with_token(TOKEN)
            }
            (_, kind) => service.user(&name(kind, self.number)),
        }
    }

    fn arn(self) -> String {
        let account = self.account;
        match self.kind {
            "" => format!("arn:aws:iam::{account}:root"),
            kind => format!("arn:aws:iam::{account}:user/{}", name(kind, self.number)),
        }
    }

    /// What must come: nothing, or why it is denied. IAM's rules in words, of the kinds alone.
    fn expected(self, action: &str, about: About, state: State) -> Option<String> {
        let operation = action.split(':').nth(1).unwrap();
        let no_identity = format!("because no identity-based policy allows the {action} action");
        let no_resource = format!("because no resource-based policy allows the {action} action");
        let is_root = self.kind.is_empty();
        if self.own == Own::Denies {
            return Some("with an explicit deny in an identity-based policy".to_owned());
        }
        if !matches!(about, About::Stream(_) | About::Consumer) {
            return (self.own == Own::Silent).then_some(no_identity);
        }
        if self.account != ACCOUNT {
            let is_let_in = match state {
                State::Shared | State::Open => true,
                State::SharedWithOne => self.kind == "x-one",
                State::Bare | State::Delegated | State::Closed | State::Absent => false,
            };
            let is_for_owner = matches!(operation, "PutResourcePolicy" | "DeleteResourcePolicy");
            return match self.own {
                Own::Silent => Some(no_identity),
                _ if !is_let_in || is_for_owner => Some(no_resource),
                _ => None,
            };
        }
        let keeps = is_root && operation.ends_with("ResourcePolicy");
        match (state, self.own) {
            (State::Closed, _) if !keeps => {
                Some("with an explicit deny in a resource-based policy".to_owned())
            }
            (State::Open, _) | (_, Own::Allows) => None,
            _ => Some(no_identity),
        }
    }
}

/// The stream and what is said of it, as the test wants it.
struct Ground<'a> {
    service: &'a Service,
    root: Client,
    state: State,
    iterator: String,
}

impl Ground<'_> {
    async fn set(&mut self, state: State, (action, about): (&str, About), number: usize) {
        self.state = state;
        let names = self.root.call("ListStreams", json!({})).await;
        if names["StreamNames"] == json!([STREAM]) {
            for resource in [arn(ACCOUNT, STREAM), About::Consumer.resource()] {
                // There may be none.
                let body = json!({"ResourceARN": resource}).to_string().into();
                self.root.send("DeleteResourcePolicy", body).await;
            }
            if state == State::Absent {
                self.root.delete(STREAM).await;
            }
        } else if state != State::Absent {
            self.root.create(STREAM, 1).await;
        }
        if state != State::Absent {
            let consumer = json!({"StreamARN": arn(ACCOUNT, STREAM), "ConsumerName": "app"});
            // It may be there.
            let body = consumer.to_string().into();
            self.root.send("RegisterStreamConsumer", body).await;
        }
        if let Some(policy) = state.policy(action, number) {
            let mut input = json!({"ResourceARN": about.resource()});
            input["Policy"] = json!(policy.to_string());
            self.root.call("PutResourcePolicy", input).await;
        }
    }

    fn named(&self, input: &Value, about: About, by: Asker) -> Value {
        let mut input = input.clone();
        match about {
            About::Account => {}
            About::Delivery(name) => input["DeliveryStreamName"] = json!(name),
            About::Consumer => input["ConsumerARN"] = json!(about.resource()),
            About::Stream(Naming::Name) => input["StreamName"] = json!(STREAM),
            About::Stream(Naming::Iterator) => input["ShardIterator"] = json!(self.iterator),
            About::Stream(Naming::Arn(member)) => input[member] = json!(arn(ACCOUNT, STREAM)),
            About::Stream(Naming::Both) if by.account == ACCOUNT && by.number.is_multiple_of(2) => {
                input["StreamName"] = json!(STREAM);
            }
            About::Stream(Naming::Both) => input["StreamARN"] = json!(arn(ACCOUNT, STREAM)),
        }
        input
    }

    /// Tries one operation by one caller, and gives the answer to those who are denied.
    async fn try_one(&mut self, (action, about, input): &Operation, by: Asker) -> Option<Value> {
        let operation = match action.split_once(':').unwrap() {
            ("firehose", operation) => format!("Firehose.{operation}"),
            (_, operation) => operation.to_owned(),
        };
        let body = self.named(input, *about, by).to_string();
        let answer = by.client(self.service).send(&operation, body.into()).await;
        let expected = by.expected(action, *about, self.state);
        let what = format!("{} {action} {:?}: {answer:?}", by.arn(), self.state);
        if answer.status() == 200 {
            assert!(expected.is_none(), "leak: {what}");
            // What was taken away is put back.
            if operation == "DeleteStream" {
                self.root.until_gone(STREAM).await;
            }
            if operation.starts_with("Delete") || operation.starts_with("Deregister") {
                self.set(self.state, (action, *about), by.number).await;
            }
            return None;
        }
        assert!(answer.status().is_client_error(), "{what}");
        let refusal: Value = serde_json::from_slice(answer.body()).unwrap();
        let is_denied = refusal["__type"] == "AccessDeniedException";
        assert_eq!(is_denied, expected.is_some(), "{what}");
        let why = expected?;
        let on = match about.resource().as_str() {
            "*" => String::new(),
            resource => format!(" on resource: {resource}"),
        };
        let text = format!(
            "User: {} is not authorized to perform: {action}{on} {why}",
            by.arn()
        );
        assert_eq!(refusal["message"], text, "{what}");
        assert_eq!(answer.status(), 400, "{what}");
        Some(refusal)
    }
}

#[tokio::test]
async fn every_caller_may_do_what_the_policies_say_and_nothing_else() {
    let service = Service::start_with(Setting {
        credentials: credentials(),
        ..Setting::default()
    })
    .await;
    let root = service.client();
    root.create(STREAM, 1).await;
    root.create_delivery("clicks", json!({})).await;
    let latest = json!({
        "StreamName": STREAM, "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST",
    });
    let iterator = root.call("GetShardIterator", latest).await;
    let mut ground = Ground {
        service: &service,
        root,
        state: State::Bare,
        iterator: iterator["ShardIterator"].as_str().unwrap().to_owned(),
    };
    let (mut cases, mut denied) = (0, 0);
    for (number, operation) in operations().iter().enumerate() {
        let (action, about, _) = operation;
        // A policy of its own has only a stream, and an account's own names are not another's.
        let is_shared = match about {
            About::Stream(naming) => *naming != Naming::Name,
            About::Consumer => true,
            About::Account | About::Delivery(_) => false,
        };
        let states = if is_shared { &STATES[..] } else { &STATES[..1] };
        let mut to_strangers = BTreeSet::new();
        for state in states {
            ground.set(*state, (action, *about), number).await;
            for (account, kind, own) in CALLERS {
                let by = Asker {
                    account,
                    kind,
                    own,
                    number,
                };
                if account != ACCOUNT && !is_shared {
                    continue;
                }
                let refusal = ground.try_one(operation, by).await;
                cases += 1;
                denied += usize::from(refusal.is_some());
                // Whether the stream is there, and has a policy, is nothing that they can tell.
                if account != ACCOUNT && kind.is_empty() {
                    to_strangers.extend(refusal.map(|refusal| refusal.to_string()));
                }
            }
        }
        assert!(to_strangers.len() <= 1, "{action}: {to_strangers:?}");
    }
    assert!(cases > 2_000 && denied > 1_000, "{cases} {denied}");
    let metrics = service.client().metrics_of_all().await;
    for by in [
        "identity_deny",
        "identity_no_allow",
        "resource_deny",
        "resource_no_allow",
        "not_owner",
    ] {
        let name = format!("millrace_denied_total{{by=\"{by}\"}} ");
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix(&name)).unwrap();
        assert_ne!(count, "0", "{by}");
    }
    service.stop().await;
}

#[test]
fn every_operation_of_the_server_is_tried() {
    let tried: BTreeSet<String> = operations().iter().map(|(a, ..)| (*a).to_owned()).collect();
    let known = server::actions().map(|action| action.to_string());
    // Those about tables, and about what clients measure, are tried in `tests/tables`.
    let is_here = |action: &String| {
        ["firehose:", "kinesis:"]
            .iter()
            .any(|s| action.starts_with(s))
    };
    let known: BTreeSet<String> = known.filter(is_here).collect();
    assert_eq!(tried, known);
}

/// The pages of the server itself, with what policies call them and what they are about.
fn pages() -> Vec<(Method, &'static str, &'static str, String)> {
    let plugin = format!("arn:aws:millrace:{REGION}:{ACCOUNT}:plugin/p");
    let stream = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/gone");
    let get = [
        ("plugins", "ListPlugins", "*".to_owned()),
        ("plugins/p", "GetPlugin", plugin.clone()),
        ("plugins/p/history", "GetPluginHistory", plugin.clone()),
        ("delivery-streams", "ListDeliveryStreams", "*".to_owned()),
        (
            "delivery-streams/gone",
            "DescribeDeliveryStream",
            stream.clone(),
        ),
    ];
    let post = [
        ("delivery-streams/gone/flush", "FlushDeliveryStream"),
        ("delivery-streams/gone/retry", "RetryDelivery"),
        ("delivery-streams/gone/skip", "SkipDelivery"),
        ("delivery-streams/gone/leave-out", "LeaveOutDelivery"),
        ("delivery-streams/gone/move/lane", "MoveDelivery"),
    ];
    let orders = [
        ("plugins/p/rollback", "RollbackPlugin"),
        ("plugins/p/pause", "PausePlugin"),
        ("plugins/p/resume", "ResumePlugin"),
        ("plugins/p/aliases/live/1", "SetPluginAlias"),
        ("plugins/p/aliases/live/delete", "DeletePluginAlias"),
        ("plugins/p/canary/1/10", "BeginPluginCanary"),
        ("plugins/p/canary/promote", "PromotePluginCanary"),
        ("plugins/p/canary/end", "EndPluginCanary"),
    ];
    let get = get.map(|(path, operation, about)| (Method::GET, path, operation, about));
    let post = post.map(|(path, operation)| (Method::POST, path, operation, stream.clone()));
    let orders = orders.map(|(path, operation)| (Method::POST, path, operation, plugin.clone()));
    get.into_iter().chain(post).chain(orders).collect()
}

#[tokio::test]
async fn the_pages_of_the_server_are_for_those_whose_policy_names_them() {
    let any = json!("*");
    let mut credentials = vec![user(
        ACCOUNT,
        "kinesis",
        Some(&statement(
            "Allow",
            &json!(["kinesis:*", "firehose:*"]),
            &any,
            None,
        )),
    )];
    for (number, (_, _, operation, about)) in pages().iter().enumerate() {
        let action = json!(format!("millrace:{operation}"));
        let policy = statement("Allow", &action, &json!(about), None);
        credentials.push(user(ACCOUNT, &name("page", number), Some(&policy)));
    }
    let metrics = statement("Allow", &json!("millrace:ReadMetrics"), &any, None);
    credentials.push(user(ACCOUNT, "metrics", Some(&metrics)));
    let service = Service::start_with(Setting {
        credentials,
        ..Setting::default()
    })
    .await;
    for (number, (method, path, operation, about)) in pages().into_iter().enumerate() {
        for (other, ..) in pages().iter().enumerate() {
            let caller = service.user(&name("page", other));
            let answer = caller.page(method.clone(), path).await;
            let is_denied = answer
                .body()
                .windows(12)
                .any(|text| text == b"AccessDenied");
            assert_eq!(is_denied, other != number, "{path} {other}: {answer:?}");
        }
        let answer = service.user("kinesis").page(method, path).await;
        let refusal: Value = serde_json::from_slice(answer.body()).unwrap();
        let on = if about == "*" {
            String::new()
        } else {
            format!(" on resource: {about}")
        };
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/kinesis is not authorized to perform: \
             millrace:{operation}{on} because no identity-based policy allows the \
             millrace:{operation} action"
        );
        assert_eq!(refusal["message"], text);
    }
    assert!(
        service
            .user("kinesis")
            .metrics()
            .await
            .contains("AccessDeniedException")
    );
    assert!(
        !service
            .user("metrics")
            .metrics()
            .await
            .contains("AccessDeniedException")
    );
    service.stop().await;
}

#[tokio::test]
async fn temporary_credentials_need_their_token_and_end_in_time() {
    let any = json!("*");
    let policy = statement("Allow", &json!("kinesis:ListStreams"), &any, None);
    let service = Service::start_with(Setting {
        credentials: vec![until(user(ACCOUNT, "short", Some(&policy)), TOKEN, IN_TIME)],
        ..Setting::default()
    })
    .await;
    let bare = service.user("short");
    let short = bare.with_token(TOKEN);
    short.call("ListStreams", json!({})).await;
    assert_eq!(
        short.code("DescribeLimits", json!({})).await,
        "AccessDeniedException"
    );
    let invalid = "The security token included in the request is invalid.";
    for other in [
        bare.clone(),
        bare.with_token("the token of a sessioN"),
        bare.with_token(""),
        service.client().with_token(TOKEN),
    ] {
        let refusal = other.refusal("ListStreams", json!({})).await;
        assert_eq!(refusal.code, "UnrecognizedClientException");
        assert_eq!(refusal.message, invalid);
    }
    let forged = short.forging().code("ListStreams", json!({})).await;
    assert_eq!(forged, "InvalidSignatureException");
    service.set_clock(Timestamp(IN_TIME.0 - 1));
    short.call("ListStreams", json!({})).await;
    service.set_clock(IN_TIME);
    let refusal = short.refusal("ListStreams", json!({})).await;
    assert_eq!(
        (refusal.status, &*refusal.code),
        (400, "ExpiredTokenException")
    );
    assert_eq!(
        refusal.message,
        "The security token included in the request is expired"
    );
    service.stop().await;
}

/// Its credentials were looked at when it began, and never again.
#[tokio::test]
async fn a_subscription_ends_with_the_temporary_credentials_that_began_it() {
    let service = Service::start_with(Setting {
        credentials: vec![
            user(ACCOUNT, "long", None),
            until(user(ACCOUNT, "short", None), TOKEN, IN_TIME),
        ],
        ..Setting::default()
    })
    .await;
    let long = service.user("long");
    long.create("orders", 1).await;
    let consumer = long.register("orders", "app").await;
    let input = json!({
        "ConsumerARN": consumer, "ShardId": shard_id(0),
        "StartingPosition": {"Type": "TRIM_HORIZON"},
    });
    let short = service.user("short").with_token(TOKEN);
    let mut events = short
        .subscribe(Version::HTTP_11, input.clone())
        .await
        .unwrap();
    events.begins().await;
    long.put("orders", "MQ==").await;
    assert_eq!(events.data(1).await, ["MQ=="]);
    service.set_clock(IN_TIME);
    long.put("orders", "Mg==").await;
    assert_eq!(events.next().await, None);
    let refused = short.subscribe(Version::HTTP_11, input).await.err();
    assert_eq!(refused.unwrap().code, "ExpiredTokenException");
    service.stop().await;
}

#[tokio::test]
async fn another_account_cannot_tell_whether_a_consumer_of_that_name_is_there() {
    let service = Service::start().await;
    let (client, other) = (service.client(), service.other_client());
    client.create(STREAM, 1).await;
    client.register(STREAM, "app").await;
    for operation in ["DescribeStreamConsumer", "DeregisterStreamConsumer"] {
        let mut texts = BTreeSet::new();
        for consumer in ["app", "gone"] {
            let named = json!({"StreamARN": arn(ACCOUNT, STREAM), "ConsumerName": consumer});
            let refusal = other.refusal(operation, named).await;
            assert_eq!(refusal.code, "AccessDeniedException");
            texts.insert(refusal.message.replace(consumer, "NAME"));
        }
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
    service.stop().await;
}
