//! Tables on a disk that loses power or whose process is killed after each of its calls: what was
//! answered is there, of what was not it is all or nothing, and every index says what its table
//! says.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use store::Engine;
use store::disk::simulated::{Random, SimulatedDisk, Survival};
use store::embedded::{Embedded, Options};
use tables::{Tables, ops};
use types::{AccountId, Caller, ManualClock, Region, Timestamp};
use wire::{Answer, ApiError, Call, Codec};

/// Changes of a run.
const CHANGES: usize = 60;
const KEYS: [&str; 6] = ["a", "b", "ba", "c", "d\u{0}", "e"];
const OWNERS: [&str; 3] = ["me", "you", "them"];

/// What a table should hold: items by key, and whether there is an index by owner. None: there is
/// no table.
type Model = Option<(BTreeMap<String, Value>, bool)>;

struct World {
    tables: Arc<Tables>,
    engine: Arc<dyn Engine>,
}

async fn open(disk: &SimulatedDisk) -> World {
    let options = Options {
        free_bytes_min: 0,
        ballast_bytes: 0,
        wal_files_ahead: 0,
        ..Options::default()
    };
    let engine: Arc<dyn Engine> = Embedded::open(Arc::new(disk.clone()), options).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
    let tables = Tables::open(Arc::clone(&engine), clock).await.unwrap();
    World { tables, engine }
}

fn call(input: &Value) -> Call {
    let caller = Caller {
        account: AccountId::parse("000000000000").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
    };
    Call {
        caller: caller.into(),
        codec: Codec::Json10,
        body: Bytes::from(input.to_string()),
    }
}

fn read(answer: Result<Answer, ApiError>) -> Result<Value, ApiError> {
    let chunks = answer?.into_chunks().unwrap();
    let body: Vec<u8> = chunks.flat_map(|chunk| chunk.to_vec()).collect();
    Ok(serde_json::from_slice(&body).unwrap())
}

impl World {
    async fn ask(&self, operation: &str, input: &Value) -> Result<Value, ApiError> {
        let (tables, call) = (&self.tables, call(input));
        read(match operation {
            "CreateTable" => ops::create_table::handle(tables, call).await,
            "DeleteTable" => ops::delete_table::handle(tables, call).await,
            "DescribeTable" => ops::describe_table::handle(tables, call).await,
            "UpdateTable" => ops::update_table::handle(tables, call).await,
            "PutItem" => ops::put_item::handle(tables, call).await,
            "UpdateItem" => ops::update_item::handle(tables, call).await,
            "DeleteItem" => ops::delete_item::handle(tables, call).await,
            "Query" => ops::query::handle(tables, call).await,
            "Scan" => ops::scan::handle(tables, call).await,
            other => panic!("{other}"),
        })
    }

    async fn close(self) {
        self.tables.close().await;
        self.engine.close().await.unwrap();
    }
}

fn definition() -> Value {
    json!({
        "TableName": "leases",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

fn index_creation() -> Value {
    let index = json!({
        "IndexName": "by-owner",
        "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    });
    json!({
        "TableName": "leases",
        "AttributeDefinitions": [{"AttributeName": "owner", "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": index}],
    })
}

fn index_deletion() -> Value {
    let delete = json!({"Delete": {"IndexName": "by-owner"}});
    json!({"TableName": "leases", "GlobalSecondaryIndexUpdates": [delete]})
}

/// A change of the table, drawn.
fn draw(random: &mut Random, model: &Model) -> (&'static str, Value) {
    let Some((_, has_index)) = model else {
        return ("CreateTable", definition());
    };
    let key = json!({"pk": {"S": random.pick(&KEYS).unwrap()}});
    let owner = json!({"S": random.pick(&OWNERS).unwrap()});
    match random.below(20) {
        0 => ("DeleteTable", json!({"TableName": "leases"})),
        1..=3 if *has_index => ("UpdateTable", index_deletion()),
        1..=5 if !*has_index => ("UpdateTable", index_creation()),
        6..=8 => ("DeleteItem", json!({"TableName": "leases", "Key": key})),
        9..=13 => {
            let mut item = key;
            if !random.one_in(4) {
                item["owner"] = owner;
            }
            let input = json!({
                "TableName": "leases", "Item": item, "ConditionExpression": "#o <> :o",
                "ExpressionAttributeNames": {"#o": "owner"},
                "ExpressionAttributeValues": {":o": {"S": "me"}},
            });
            ("PutItem", input)
        }
        _ => {
            let input = json!({
                "TableName": "leases", "Key": key, "UpdateExpression": "SET #o = :o ADD n :n",
                "ExpressionAttributeNames": {"#o": "owner"},
                "ExpressionAttributeValues": {":o": owner, ":n": {"N": "1"}},
            });
            ("UpdateItem", input)
        }
    }
}

/// What a change makes of a model: told in words of its own, knowing nothing of the crate.
fn apply(model: &mut Model, operation: &str, input: &Value) {
    let key = |of: &Value| of["pk"]["S"].as_str().unwrap().to_owned();
    match (operation, model.as_mut()) {
        ("CreateTable", None) => *model = Some((BTreeMap::new(), false)),
        ("DeleteTable", Some(_)) => *model = None,
        ("UpdateTable", Some((_, has_index))) => *has_index = !*has_index,
        ("DeleteItem", Some((items, _))) => {
            items.remove(&key(&input["Key"]));
        }
        ("PutItem", Some((items, _))) => {
            let item = &input["Item"];
            let there = items.get(&key(item));
            if there.is_none_or(|it| it["owner"]["S"] != "me") {
                items.insert(key(item), item.clone());
            }
        }
        ("UpdateItem", Some((items, _))) => {
            let id = key(&input["Key"]);
            let item = items.entry(id).or_insert_with(|| input["Key"].clone());
            item["owner"] = input["ExpressionAttributeValues"][":o"].clone();
            let counted = item["n"]["N"]
                .as_str()
                .map_or(0, |n| n.parse::<u64>().unwrap());
            item["n"] = json!({"N": (counted + 1).to_string()});
        }
        other => panic!("{other:?}"),
    }
}

/// What the tables hold, checked against itself: every index says what its table says.
async fn look(world: &World) -> Model {
    let named = json!({"TableName": "leases"});
    let mut described = match world.ask("DescribeTable", &named).await {
        Ok(answer) => answer,
        Err(error) => {
            assert_eq!(error.code(), "ResourceNotFoundException");
            return None;
        }
    };
    // An index that was being filled is filled anew.
    while described["Table"]["TableStatus"] != "ACTIVE" {
        tokio::task::yield_now().await;
        described = world.ask("DescribeTable", &named).await.unwrap();
    }
    let scanned = world.ask("Scan", &named).await.unwrap();
    let mut items = BTreeMap::new();
    for item in scanned["Items"].as_array().unwrap() {
        items.insert(item["pk"]["S"].as_str().unwrap().to_owned(), item.clone());
    }
    let has_index = described["Table"].get("GlobalSecondaryIndexes").is_some();
    for owner in OWNERS.iter().filter(|_| has_index) {
        let query = json!({
            "TableName": "leases", "IndexName": "by-owner", "KeyConditionExpression": "#o = :o",
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":o": {"S": owner}},
        });
        let found = world.ask("Query", &query).await.unwrap();
        let own = items.values().filter(|item| item["owner"]["S"] == *owner);
        let own: Vec<_> = own.cloned().collect();
        assert_eq!(found["Items"], json!(own), "{owner}");
    }
    Some((items, has_index))
}

/// A run of changes on a recording disk: the models after each, and how much was recorded when it
/// was answered.
async fn run(seed: u64) -> (SimulatedDisk, Vec<(usize, Model)>) {
    let disk = SimulatedDisk::new(seed);
    let world = open(&disk).await;
    disk.record();
    let mut random = Random::new(seed);
    let mut model = None;
    let mut models = vec![(0, None)];
    for _ in 0..CHANGES {
        let (operation, input) = draw(&mut random, &model);
        match world.ask(operation, &input).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.code(), "ConditionalCheckFailedException"),
        }
        apply(&mut model, operation, &input);
        models.push((disk.recorded(), model.clone()));
        assert_eq!(look(&world).await, model);
    }
    world.close().await;
    (disk, models)
}

#[tokio::test]
async fn after_a_crash_tables_hold_what_was_answered_and_indexes_agree() {
    let mut opened = 0;
    for seed in 1..=3 {
        println!("seed {seed}");
        let (disk, models) = run(seed).await;
        let mut random = Random::new(seed << 16);
        let mut replay = disk.trace().unwrap().replay();
        loop {
            let done = replay.done();
            let image = match done % 4 {
                0 => replay.after_kill(&mut random),
                1 => replay.after_power_cut(&mut random, Survival::Nothing),
                _ => replay.after_power_cut(&mut random, Survival::Random),
            };
            let world = open(&image).await;
            let found = look(&world).await;
            let answered = models.iter().rposition(|(at, _)| *at <= done).unwrap();
            let may = [Some(answered), Some(answered + 1)].into_iter().flatten();
            let mut may = may
                .filter_map(|place| models.get(place))
                .map(|(_, model)| model);
            assert!(
                may.any(|model| *model == found),
                "seed {seed}, step {done}: {found:?}"
            );
            world.close().await;
            opened += 1;
            if !replay.advance() {
                break;
            }
        }
    }
    assert!(opened > 300, "{opened}");
}

#[tokio::test]
async fn what_was_deleted_leaves_no_rows_behind() {
    let disk = SimulatedDisk::new(7);
    let world = open(&disk).await;
    world.ask("CreateTable", &definition()).await.unwrap();
    world.ask("UpdateTable", &index_creation()).await.unwrap();
    for key in 0..100 {
        let item = json!({"pk": {"S": format!("k{key}")}, "owner": {"S": "me"}});
        let input = json!({"TableName": "leases", "Item": item});
        world.ask("PutItem", &input).await.unwrap();
    }
    let rows = async |engine: &Arc<dyn Engine>| {
        let mut count = 0;
        // The tables of items, of those of indexes, and of what is to be purged.
        for table in [34, 35, 36] {
            let table = store::TableId(table);
            count += engine
                .scan(table, Bytes::new(), None, 1_000)
                .await
                .unwrap()
                .len();
        }
        count
    };
    assert_eq!(rows(&world.engine).await, 200);
    world
        .ask("DeleteTable", &json!({"TableName": "leases"}))
        .await
        .unwrap();
    // The server stops before all is removed; the next one goes on.
    world.close().await;
    let world = open(&disk.after_kill()).await;
    while rows(&world.engine).await > 0 {
        tokio::task::yield_now().await;
    }
    world.close().await;
}

#[tokio::test]
async fn an_index_of_which_a_part_was_filled_is_whole_after_the_next_start() {
    let disk = SimulatedDisk::new(11);
    let world = open(&disk).await;
    world.ask("CreateTable", &definition()).await.unwrap();
    // More than is put into an index at once.
    for key in 0..40 {
        let item = json!({
            "pk": {"S": format!("k{key:02}")}, "owner": {"S": "me"},
            "fill": {"S": "x".repeat(150_000)},
        });
        let input = json!({"TableName": "leases", "Item": item});
        world.ask("PutItem", &input).await.unwrap();
    }
    let answer = world.ask("UpdateTable", &index_creation()).await.unwrap();
    let index = &answer["TableDescription"]["GlobalSecondaryIndexes"][0];
    assert_eq!(index["IndexStatus"], "CREATING");
    let killed = disk.after_kill();
    world.close().await;
    let world = open(&killed).await;
    let named = json!({"TableName": "leases"});
    let query = json!({
        "TableName": "leases", "IndexName": "by-owner", "KeyConditionExpression": "#o = :o",
        "ExpressionAttributeNames": {"#o": "owner"}, "Select": "COUNT",
        "ExpressionAttributeValues": {":o": {"S": "me"}},
    });
    let refused = world.ask("Query", &query).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "Cannot read from backfilling global secondary index: by-owner"
    );
    while world.ask("DescribeTable", &named).await.unwrap()["Table"]["TableStatus"] != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    let (mut count, mut query) = (0, query);
    loop {
        let page = world.ask("Query", &query).await.unwrap();
        count += page["Count"].as_u64().unwrap();
        match page.get("LastEvaluatedKey") {
            Some(last) => query["ExclusiveStartKey"] = last.clone(),
            None => break,
        }
    }
    assert_eq!(count, 40);
    world.close().await;
}
