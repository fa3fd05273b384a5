//! `RedshiftDestinationConfiguration` with a URL of PostgreSQL, over real sockets to a real server:
//! each record is a row once, and each that the database refuses is in the error output by itself.

use http::Method;
use millrace_tests::postgres::Postgres;
use millrace_tests::{BUCKET, Client, ROLE, Service, base64};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::database::{Cut, Database, NAME, Relay, counts, flush_at_once, update_of};
use crate::processing;

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";

fn object(id: impl std::fmt::Display) -> String {
    format!("{{\"id\":{id},\"word\":\"w{id}\"}}")
}

fn objects(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(object).collect()
}

fn rows(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| format!("{id} w{id}")).collect()
}

/// The lines of the error output.
fn lines(service: &Service) -> Vec<Value> {
    let objects = service.objects(BUCKET).into_iter();
    let lines = objects.flat_map(|object| {
        assert!(object.key.starts_with("redshift-failed/"), "{}", object.key);
        let lines = object.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    });
    lines.collect()
}

fn retry(seconds: u32) -> Value {
    json!({"RetryOptions": {"DurationInSeconds": seconds}})
}

fn copying(options: &str) -> Value {
    json!({"CopyCommand": {"DataTableName": "events", "CopyOptions": options}})
}

async fn with(name: &str, more: Value) -> (Database, Service, Client) {
    let database = Database::new(name).await;
    let (service, client) = database.server().await;
    database.create(&client, NAME, more).await;
    (database, service, client)
}

#[tokio::test]
async fn each_object_is_a_row_whose_columns_are_its_members() {
    let (database, service, client) = with("objects", json!({})).await;
    let records = [
        "{\"id\":1,\"word\":\"a\\tb\\\\\\n\"}",
        "{\"word\":null,\"id\":2,\"more\":[1]}\n",
        " {\"id\":3} {\"id\":4,\"word\":{\"a\": 1}}",
    ];
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    let wanted = ["1 a\tb\\\n", "2 NULL", "3 NULL", "4 {\"a\": 1}"];
    assert_eq!(database.events().await, wanted);
    let page = client.delivery(NAME).await;
    assert_eq!(
        (counts(&page), &page["endpoint"]),
        ([3, 3, 0, 0, 0], &json!(database.url()))
    );
    assert_eq!(service.objects(BUCKET), []);
}

#[tokio::test]
async fn each_line_is_a_row_of_its_fields() {
    let name = "lines_of_fields";
    let database = Database::new(name).await;
    database
        .run(
            "CREATE SCHEMA \"My Schema\"; CREATE TABLE \"My Schema\".\"T.1\" (\"Id\" int, at \
             timestamptz, tags text[], word text, given int GENERATED ALWAYS AS (\"Id\" + 1) \
             STORED, own int GENERATED ALWAYS AS IDENTITY)",
        )
        .await;
    let (service, client) = database.server().await;
    for (stream, columns, options, data) in [
        (
            "piped",
            None,
            "",
            "1|2026-09-30 22:00:00Z|{a,b}|x\\\n2|||\n",
        ),
        (
            "quoted",
            Some("word, \"Id\""),
            "CSV NULL AS 'none'",
            "\"a\n\"\"b\"\"\",3\r\nnone,4",
        ),
    ] {
        let mut command = json!({
            "DataTableName": "\"My Schema\".\"T.1\"", "CopyOptions": options,
        });
        if let Some(columns) = columns {
            command["DataTableColumns"] = json!(columns);
        }
        let more = json!({"CopyCommand": command});
        database.create(&client, stream, more).await;
        client.put_delivery(stream, &[data]).await;
        client.flush(stream).await;
    }
    let found = database
        .texts(
            "SELECT (\"Id\", at AT TIME ZONE 'UTC', tags, word, given) FROM \"My Schema\".\"T.1\" \
             ORDER BY \"Id\"",
        )
        .await;
    let wanted = [
        "(1,\"2026-09-30 22:00:00\",\"{a,b}\",\"x\\\\\",2)",
        "(2,,,\"\",3)",
        "(3,,,\"a\n\"\"b\"\"\",4)",
        "(4,,,,5)",
    ];
    assert_eq!(found, wanted);
    // What says what is there lies beside it, with a row for each lane.
    let ledger = database
        .texts("SELECT count(DISTINCT lane) FROM \"My Schema\".millrace_deliveries")
        .await;
    assert_eq!(ledger, ["2"]);
    assert_eq!(service.objects(BUCKET), []);
}

#[tokio::test]
async fn a_record_that_does_not_fit_is_alone_in_the_error_output() {
    let (database, service, client) = with("misfits", json!({})).await;
    database
        .run("INSERT INTO events VALUES (7, 'before')")
        .await;
    let bad = [
        "{\"id\":\"text\"}",
        "{\"id\":7}",
        "{\"id\":null}",
        "{\"id\":99999999999}",
        "{\"id\":5,\"word\":\"\\u0000\"}",
        "no json",
        "{\"id\":6} and more",
        // Of its two objects one would fit.
        "{\"id\":8}{\"id\":8}",
    ];
    let mut records = objects(10..60);
    for (place, bad) in bad.iter().enumerate() {
        records.insert(place * 7, (*bad).to_owned());
    }
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    let mut wanted = rows(10..60);
    wanted.insert(0, "7 before".to_owned());
    assert_eq!(database.events().await, wanted);
    let lines = lines(&service);
    let told: Vec<_> = lines
        .iter()
        .map(|line| line["errorMessage"].as_str().unwrap())
        .collect();
    let begin = [
        "22P02: invalid input syntax for type integer: \"text\"",
        "23505: duplicate key value",
        "23502: null value in column",
        "22003: value \"99999999999\" is out of range",
        "22P05: unsupported Unicode escape sequence",
        "it holds something that is no object",
        "it holds something that is no object",
        "23505: duplicate key value",
    ];
    assert_eq!(told.len(), begin.len(), "{told:?}");
    for ((line, data), (told, begin)) in lines.iter().zip(bad).zip(told.iter().zip(begin)) {
        assert!(told.starts_with(begin), "{told}");
        assert_eq!(line["errorCode"], "Redshift.DataLoadFailed");
        assert_eq!(line["rawData"], base64(data));
        assert_eq!(line["attemptsMade"], 1);
    }
    assert_eq!(counts(&client.delivery(NAME).await), [58, 50, 8, 0, 0]);
    // It can be put right and replayed.
    let page = format!("delivery-streams/{NAME}/dead-letters");
    let letters = client.read_page(&page).await;
    let codes = &letters["deadLetters"][0]["codes"];
    assert_eq!(codes["Redshift.DataLoadFailed"], 8, "{letters}");
}

#[tokio::test]
async fn lines_that_do_not_fit_are_found_too_and_a_request_may_have_no_other() {
    let (database, service, client) = with("bad_lines", copying("CSV")).await;
    let records = ["1,a", "x,b", "2", "3,c\n3,d", "\"4,d", "5,\u{0}", "6,e"];
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(database.events().await, ["1 a", "6 e"]);
    client.put_delivery(NAME, &["no", "none"]).await;
    client.flush(NAME).await;
    assert_eq!(lines(&service).len(), 7);
    assert_eq!(counts(&client.delivery(NAME).await), [9, 2, 7, 0, 0]);
}

/// What is checked at the end of a transaction would cost all of it.
#[tokio::test]
async fn what_is_checked_late_fails_by_itself_too() {
    let database = Database::new("late_checks").await;
    database
        .run(
            "CREATE TABLE words (word text PRIMARY KEY); INSERT INTO words VALUES ('w1'), ('w3'); \
             ALTER TABLE events ADD FOREIGN KEY (word) REFERENCES words DEFERRABLE INITIALLY \
             DEFERRED; \
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION \
             'not three'; END $$; \
             CREATE TRIGGER three BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.id = 3) EXECUTE \
             FUNCTION refuse()",
        )
        .await;
    let (service, client) = database.server().await;
    database.create(&client, NAME, json!({})).await;
    client.put_delivery(NAME, &objects(1..4)).await;
    client.flush(NAME).await;
    assert_eq!(database.events().await, ["1 w1"]);
    let told: Vec<_> = lines(&service)
        .into_iter()
        .map(|line| line["errorMessage"].as_str().unwrap()[..6].to_owned())
        .collect();
    assert_eq!(told, ["23503:", "P0001:"]);
}

/// The connection breaks at each message of a delivery, before it comes to the server, and once the
/// server has done what it asks for and cannot say so.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_connection_breaks_each_record_is_there_once() {
    let database = Database::new("cuts").await;
    let (bad, plain) = ("{\"id\":\"x\"}".to_owned(), Relay::cutting(None).await);
    let mut cuts = Vec::new();
    // The first round finds out what there is to break.
    for round in 0_usize.. {
        let relays = plain.next_round(round == 0, &mut cuts).await;
        if relays.is_empty() {
            break;
        }
        let ports: Vec<u16> = relays.iter().map(|relay| relay.port).collect();
        let (service, client) = database.server_to(&ports).await;
        let mut deliveries = JoinSet::new();
        for (number, relay) in relays.into_iter().enumerate() {
            let name = format!("t_{round}_{number}");
            let table = format!("{name}.events");
            // A ledger of its own is made, too.
            let made = format!("CREATE SCHEMA {name}; CREATE TABLE {table} (LIKE public.events)");
            database.run(&made).await;
            let more = json!({
                "ClusterJDBCURL": database.url_at(relay.port),
                "CopyCommand": {"DataTableName": table, "CopyOptions": "JSON 'auto'"},
            });
            database.create(&client, &name, more).await;
            let (client, bad) = (service.client(), bad.clone());
            deliveries.spawn(async move {
                let records = [objects(0..1), vec![bad], objects(1..2)].concat();
                client.put_delivery(&name, &records).await;
                flush_at_once(&client, &name).await;
                (name, relay)
            });
        }
        while let Some(delivered) = deliveries.join_next().await {
            let (name, relay) = delivered.unwrap();
            assert!(relay.has_cut(), "{name}");
            if round == 0 {
                cuts = relay.cuts();
                assert!(cuts.len() > 40, "{cuts:?}");
            }
            let ids = format!("SELECT id FROM {name}.events ORDER BY id");
            assert_eq!(database.texts(&ids).await, ["0", "1"], "{name}");
            let page = client.delivery(&name).await;
            assert_eq!(counts(&page), [3, 2, 1, 0, 0], "{name}");
        }
        service.stop().await;
    }
}

/// The database has it and could not say so; then the process ends.
#[tokio::test]
async fn what_was_committed_and_not_answered_is_there_once_also_after_a_restart() {
    let database = Database::new("unanswered").await;
    let relay = Relay::cutting(Some(Cut::AfterText("COMMIT\0"))).await;
    let (service, client) = database.server_to(&[relay.port]).await;
    let more = json!({"ClusterJDBCURL": database.url_at(relay.port)});
    database.create(&client, NAME, more).await;
    let records = [objects(0..3), vec!["no json".to_owned()]].concat();
    client.put_delivery(NAME, &records).await;
    {
        let flushing = client.flush(NAME);
        let failed = client.delivery_until(NAME, |page| page["retries"].as_u64() > Some(0));
        tokio::pin!(flushing, failed);
        tokio::select! {
            page = &mut failed => assert_eq!(counts(&page)[1..3], [0, 0]),
            _ = &mut flushing => panic!("it is not delivered"),
        }
    }
    assert!(relay.has_cut());
    assert_eq!(database.events().await, rows(0..3));
    let service = service.restart().await;
    let client = service.client();
    client.flush(NAME).await;
    assert_eq!(database.events().await, rows(0..3));
    assert_eq!(lines(&service).len(), 1);
    assert_eq!(counts(&client.delivery(NAME).await), [4, 3, 1, 0, 0]);
}

#[tokio::test]
async fn what_the_configuration_is_wrong_about_pauses_and_drops_nothing() {
    let database = Database::new("paused").await;
    let (service, client) = database.server().await;
    let table = |name: &str| json!({"CopyCommand": {"DataTableName": name, "CopyOptions": "CSV"}});
    let columns = json!({
        "CopyCommand": {"DataTableName": "events", "DataTableColumns": "id,none"},
    });
    let other = database.url().replace("/paused?", "/none?");
    for (name, more, told, cure) in [
        (
            "no-table",
            table("later"),
            "42P01",
            "CREATE TABLE later (id int)",
        ),
        (
            "no-schema",
            table("s.later"),
            "42P01",
            "CREATE SCHEMA s; CREATE TABLE s.later (id int)",
        ),
        (
            "no-column",
            columns,
            "42703",
            "ALTER TABLE events ADD none int",
        ),
        ("no-database", json!({"ClusterJDBCURL": other}), "3D000", ""),
        (
            "no-password",
            json!({"Password": "another one"}),
            "28P01",
            "",
        ),
    ] {
        let more = millrace_tests::over(retry(0), more);
        database.create(&client, name, more).await;
        client.put_delivery(name, &["1"]).await;
        let curing = async {
            let is_told = |page: &Value| {
                let trouble = page["trouble"].as_str().unwrap_or_default();
                trouble.contains(told) && trouble.contains("Nothing is dropped")
            };
            client.delivery_until(name, is_told).await;
            if cure.is_empty() {
                // What waits goes by the configuration that puts it right.
                let right = millrace_tests::over(database.destination(json!({})), table("later"));
                let changes = json!({
                    "ClusterJDBCURL": right["ClusterJDBCURL"],
                    "Password": right["Password"],
                    "CopyCommand": right["CopyCommand"],
                });
                client.call(UPDATE, update_of(name, "1", changes)).await;
            } else {
                database.run(cure).await;
            }
        };
        if name == "no-column" {
            // A row of two columns.
            client.put_delivery(name, &["1|2"]).await;
        }
        tokio::join!(flush_at_once(&client, name), curing);
        let page = client.delivery(name).await;
        let failed = u64::from(name == "no-column");
        assert_eq!(counts(&page)[1..], [1, failed, 0, 0], "{name}");
    }
    assert_eq!(database.texts("SELECT id FROM later").await.len(), 3);
    assert_eq!(database.texts("SELECT id FROM s.later").await, ["1"]);
    assert_eq!(database.texts("SELECT none FROM events").await, ["2"]);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_in_the_error_output_after_its_time() {
    let database = Database::new("unreachable").await;
    let relay = Relay::cutting(Some(Cut::Before(0))).await;
    let (service, client) = database.server_to(&[relay.port]).await;
    let more = json!({"ClusterJDBCURL": database.url_at(relay.port)});
    let more = millrace_tests::over(retry(0), more);
    database.create(&client, NAME, more).await;
    client.put_delivery(NAME, &objects(0..2)).await;
    client.flush(NAME).await;
    let lines = lines(&service);
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["errorCode"], "Redshift.ConnectionFailed", "{line}");
    }
    client.put_delivery(NAME, &objects(2..4)).await;
    client.flush(NAME).await;
    assert_eq!(database.events().await, rows(2..4));
    assert_eq!(counts(&client.delivery(NAME).await), [4, 2, 2, 0, 0]);
}

/// A table that somebody else has locked.
#[tokio::test]
async fn what_hangs_is_shown_and_obeys_and_leaves_nothing_behind() {
    let (database, service, client) = with("locked", json!({})).await;
    let locking = Postgres::shared().database("locked").await;
    let lock = "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE";
    locking.client.batch_execute(lock).await.unwrap();
    client.put_delivery(NAME, &objects(0..2)).await;
    let skipping = async {
        let is_told = |page: &Value| {
            let trouble = page["trouble"].as_str().unwrap_or_default();
            trouble.contains("the destination has not answered for")
        };
        client.delivery_until(NAME, is_told).await;
        let skip = format!("delivery-streams/{NAME}/skip");
        client.page(Method::POST, &skip).await;
    };
    tokio::join!(client.flush(NAME), skipping);
    assert_eq!(counts(&client.delivery(NAME).await), [2, 0, 2, 0, 0]);
    // The database looks whether somebody is still there, and gives up what it did for nobody.
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'millrace' AND \
                datname = 'locked'";
    while database.texts(left).await != ["0"] {}
    locking.client.batch_execute("ROLLBACK").await.unwrap();
    client.put_delivery(NAME, &objects(2..4)).await;
    client.flush(NAME).await;
    assert_eq!(database.events().await, rows(2..4));
    service.stop().await;
}

#[tokio::test]
async fn more_records_than_one_request_holds_are_several_transactions() {
    let (database, service, client) = with("many", copying("")).await;
    let record = |id: u32| format!("{id}|{}\n", "x".repeat(700));
    for part in 0..25 {
        let records: Vec<_> = (part * 500..(part + 1) * 500).map(record).collect();
        client.put_delivery(NAME, &records).await;
    }
    client.flush(NAME).await;
    let sums = "SELECT count(*) || ' ' || sum(id) || ' ' || sum(length(word)) FROM events";
    let wanted = format!("12500 {} {}", 12_499 * 12_500 / 2, 12_500 * 700);
    assert_eq!(database.texts(sums).await, [wanted]);
    let requests = database
        .texts("SELECT count(DISTINCT xmin::text) FROM millrace_deliveries")
        .await;
    assert_eq!(requests, ["2"]);
    assert_eq!(service.objects(BUCKET), []);
}

#[tokio::test]
async fn a_request_that_the_ledger_has_with_other_records_is_left_to_an_operator() {
    let database = Database::new("others").await;
    let relay = Relay::cutting(Some(Cut::AfterText("COMMIT\0"))).await;
    let (_service, client) = database.server_to(&[relay.port]).await;
    let more = json!({"ClusterJDBCURL": database.url_at(relay.port)});
    database.create(&client, NAME, more).await;
    // As if another process had been at the same with other records.
    client.put_delivery(NAME, &objects(0..1)).await;
    let deciding = async {
        while database.texts("SELECT id FROM events").await.is_empty() {}
        database
            .run("UPDATE millrace_deliveries SET content = '\\x00'; DELETE FROM events")
            .await;
        let is_told = |page: &Value| {
            let trouble = page["trouble"].as_str().unwrap_or_default();
            trouble.contains("its ledger has this request with other records")
        };
        client.delivery_until(NAME, is_told).await;
        let order = format!("delivery-streams/{NAME}/move");
        client.page(Method::POST, &order).await;
    };
    tokio::join!(client.flush(NAME), deciding);
    assert_eq!(database.events().await, rows(0..1));
}

#[tokio::test]
async fn records_go_through_processing_and_into_a_backup_as_they_came_in() {
    let backup = json!({"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::all", "Prefix": "in/"});
    let more = json!({
        "CopyCommand": {"DataTableName": "events", "CopyOptions": "DELIMITER ','"},
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": backup,
        "ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])]),
    });
    let (database, service, client) = with("backed_up", more).await;
    client.put_delivery(NAME, &["1,a", "2,b\n", "no"]).await;
    client.flush(NAME).await;
    assert_eq!(database.events().await, ["1 a", "2 b"]);
    assert_eq!(lines(&service).len(), 1);
    let all = service.objects("all");
    assert_eq!((all.len(), all[0].text()), (1, "1,a2,b\nno"));
    let refused = client
        .refusal(
            UPDATE,
            update_of(NAME, "1", json!({"S3BackupMode": "Disabled"})),
        )
        .await;
    assert!(refused.message.contains("cannot be changed to Disabled"));
}

#[tokio::test]
async fn a_destination_is_described_without_its_password_and_updated_member_by_member() {
    let (database, _service, client) = with("described", json!({})).await;
    let described = client.describe_delivery(NAME).await;
    let destination = &described["Destinations"][0];
    assert_eq!(destination.as_object().unwrap().len(), 2);
    let logging = json!({"Enabled": false});
    let mut wanted = json!({
        "RoleARN": ROLE,
        "ClusterJDBCURL": database.url(),
        "CopyCommand": {"DataTableName": "events", "CopyOptions": "JSON 'auto'"},
        "Username": "loader",
        "RetryOptions": {"DurationInSeconds": 3600},
        "S3DestinationDescription": {
            "RoleARN": ROLE,
            "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
            "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
            "CompressionFormat": "UNCOMPRESSED",
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            "CloudWatchLoggingOptions": logging,
        },
        "S3BackupMode": "Disabled",
        "CloudWatchLoggingOptions": logging,
    });
    let member = "RedshiftDestinationDescription";
    assert_eq!(destination[member], wanted);
    let command = json!({"DataTableName": "others", "DataTableColumns": "id, word"});
    let changes = json!({
        "CopyCommand": command,
        "S3Update": {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}},
        "RetryOptions": {"DurationInSeconds": 60},
    });
    client.call(UPDATE, update_of(NAME, "1", changes)).await;
    wanted["CopyCommand"] = command;
    wanted["RetryOptions"]["DurationInSeconds"] = json!(60);
    wanted["S3DestinationDescription"]["BufferingHints"] =
        json!({"SizeInMBs": 1, "IntervalInSeconds": 60});
    let described = client.describe_delivery(NAME).await;
    assert_eq!(described["Destinations"][0][member], wanted);
    // Another database gets no password that was not given for it.
    let url = database.url().replace("sslmode=disable", "sslmode=require");
    let changes = update_of(NAME, "2", json!({"ClusterJDBCURL": url}));
    let refused = client.refusal(UPDATE, changes).await;
    assert!(
        refused.message.contains("Password must be provided"),
        "{refused:?}"
    );
    let other = json!({
        "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": "2",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"Prefix": "b/"},
    });
    let refused = client.refusal(UPDATE, other).await;
    let told = "The destination is Redshift and cannot become S3";
    assert!(refused.message.contains(told), "{refused:?}");
}

fn creation(database: &Database, more: Value) -> Value {
    json!({
        "DeliveryStreamName": NAME,
        "RedshiftDestinationConfiguration": database.destination(more),
    })
}

fn command(more: Value) -> Value {
    let usual = json!({"DataTableName": "events"});
    json!({"CopyCommand": millrace_tests::over(usual, more)})
}

#[tokio::test]
async fn numbers_and_words_are_held_to_the_model() {
    let database = Database::new("refusals").await;
    let (_service, client) = database.server().await;
    for (more, member) in [
        (retry(7_201), "durationInSeconds"),
        (json!({"S3BackupMode": "AllData"}), "s3BackupMode"),
        (json!({"RoleARN": null}), "roleARN"),
        (json!({"S3Configuration": null}), "s3Configuration"),
        (json!({"ClusterJDBCURL": null}), "clusterJDBCURL"),
        (
            json!({"ClusterJDBCURL": "postgresql://a:1/b"}),
            "clusterJDBCURL",
        ),
        (json!({"CopyCommand": null}), "copyCommand"),
        (json!({"CopyCommand": {}}), "dataTableName"),
        (
            command(json!({"CopyOptions": "x".repeat(10_241)})),
            "copyOptions",
        ),
        (json!({"Password": "short"}), "password"),
        (json!({"Username": ""}), "username"),
    ] {
        let refused = client.refusal(CREATE, creation(&database, more)).await;
        let message = &refused.message;
        assert_eq!(refused.code, "ValidationException", "{member}: {message}");
        assert!(message.contains(member), "{member}: {message}");
    }
}

#[tokio::test]
async fn what_is_not_served_or_cannot_be_meant_is_refused_by_name() {
    let database = Database::new("not_served").await;
    let (_service, client) = database.server().await;
    let s3 = |more: Value| {
        let usual = database.destination(json!({}))["S3Configuration"].clone();
        json!({"S3Configuration": millrace_tests::over(usual, more)})
    };
    let url = |url: &str| json!({"ClusterJDBCURL": url});
    for (more, told) in [
        (url("jdbc:postgresql://10.0.0.1:5432/dev"), "[egress] allow"),
        (
            url("jdbc:postgresql://db.example:5432/dev?sslmode=disable"),
            "can be read on its way",
        ),
        (
            url("jdbc:postgresql://db.example:5432"),
            "ClusterJDBCURL: it is not",
        ),
        (
            url("jdbc:postgresql://db.example:5432/dev?user=a"),
            "a parameter besides sslmode",
        ),
        (json!({"Username": null}), "Username must be provided"),
        (json!({"Password": null}), "Password must be provided"),
        (
            json!({"SecretsManagerConfiguration": {"Enabled": true}}),
            "SecretARN must be provided",
        ),
        (
            command(json!({"DataTableName": "events; DROP TABLE events"})),
            "DataTableName: ; DROP TABLE events is not expected",
        ),
        (
            command(json!({"DataTableColumns": "id)"})),
            "DataTableColumns: ) is",
        ),
        (
            command(json!({"CopyOptions": "GZIP"})),
            "CopyOptions: GZIP is not",
        ),
        (
            s3(json!({"CompressionFormat": "ZIP"})),
            "SNAPPY or ZIP cannot",
        ),
        (
            s3(json!({"CompressionFormat": "Snappy"})),
            "SNAPPY or ZIP cannot",
        ),
        (
            s3(json!({"Prefix": "!{timestamp:yyyy}/", "ErrorOutputPrefix": "e/"})),
            "Prefix has an expression",
        ),
        (json!({"S3BackupMode": "Enabled"}), "needs a BucketARN"),
    ] {
        let refused = client.refusal(CREATE, creation(&database, more)).await;
        assert_eq!(refused.code, "InvalidArgumentException", "{told}");
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
    }
}
