//! What a PostgreSQL database refuses, and what it leaves open: of a record alone whatever it calls
//! that, and of none that may be there.

use millrace_tests::{BUCKET, Client, Service, over};
use serde_json::{Value, json};

use crate::database::{Cut, Database, NAME, Relay, counts, flush_at_once};

fn retry(seconds: u32) -> Value {
    json!({"RetryOptions": {"DurationInSeconds": seconds}})
}

async fn with(name: &str, table: &str, more: Value) -> (Database, Service, Client) {
    let database = Database::new(name).await;
    database.run(table).await;
    let (service, client) = database.server().await;
    database.create(&client, NAME, more).await;
    (database, service, client)
}

/// Code and message of each line of the error output.
fn refusals(service: &Service) -> Vec<(String, String)> {
    let objects = service.objects(BUCKET).into_iter();
    let lines = objects.flat_map(|object| {
        let lines = object.text().lines();
        lines
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                let text = |name: &str| line[name].as_str().unwrap().to_owned();
                (text("errorCode"), text("errorMessage"))
            })
            .collect::<Vec<_>>()
    });
    lines.collect()
}

/// Their codes are those of a wrong statement, of an error that a trigger makes up, or of one of
/// the database's own. Each of them stopped its lane, or cost all others of its request their
/// place.
#[tokio::test]
async fn a_record_that_the_database_refuses_in_other_words_than_those_for_data_fails_alone() {
    for (name, kind, bad, code) in [
        ("refused_text", "tsvector", "'unclosed", "42601"),
        ("refused_class", "regclass", "no_such_table", "42P01"),
        ("refused_type", "regtype", "no_such_type", "42704"),
        ("refused_path", "jsonpath", "$[", "42601"),
        ("refused_made_up", "text", "made up", "U0001"),
    ] {
        let table = format!(
            "DROP TABLE events; CREATE TABLE events (id int, word {kind}); CREATE FUNCTION no() \
             RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.word::text = 'made up' THEN RAISE \
             EXCEPTION 'no' USING ERRCODE = 'U0001'; END IF; RETURN NEW; END $$; CREATE TRIGGER no \
             BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no()"
        );
        let (database, service, client) = with(name, &table, retry(0)).await;
        let record = |id: u32, word: &str| json!({"id": id, "word": word}).to_string();
        let mut records: Vec<_> = (0..200).map(|id| json!({"id": id}).to_string()).collect();
        records[70] = record(70, bad);
        client.put_delivery(NAME, &records).await;
        client.flush(NAME).await;
        let count = database.texts("SELECT count(*) FROM events").await;
        assert_eq!(count, ["199"], "{name}");
        let refused = refusals(&service);
        assert_eq!(refused.len(), 1, "{name}");
        assert_eq!(refused[0].0, "Redshift.DataLoadFailed");
        assert!(refused[0].1.starts_with(code), "{refused:?}");
        // Alone it has nobody beside it to show that others are taken.
        client.put_delivery(NAME, &[record(200, bad)]).await;
        client.flush(NAME).await;
        client
            .put_delivery(NAME, &[json!({"id": 201}).to_string()])
            .await;
        client.flush(NAME).await;
        let page = client.delivery(NAME).await;
        assert_eq!(counts(&page), [202, 200, 2, 0, 0], "{name}");
        service.stop().await;
    }
}

/// It repeats what it refuses, and a trigger tells stories.
#[tokio::test]
async fn a_database_that_says_much_costs_no_record_but_the_one_that_it_is_about() {
    let table = "DROP TABLE events; CREATE TABLE events (id int, word int); CREATE FUNCTION told() \
                 RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', repeat('x', \
                 100000); RETURN NEW; END $$; CREATE TRIGGER told BEFORE INSERT ON events FOR EACH \
                 ROW EXECUTE FUNCTION told()";
    let (database, service, client) = with("talkative", table, retry(0)).await;
    let record = |id: u32, word: &str| json!({"id": id, "word": word}).to_string();
    let mut records: Vec<_> = (0..100).map(|id| record(id, "1")).collect();
    records[40] = record(40, &"y".repeat(900_000));
    for part in records.chunks(50) {
        client.put_delivery(NAME, part).await;
    }
    let twice = "CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF \
                 NEW.id = 7 THEN RAISE EXCEPTION '%', repeat('x', 2000000); END IF; RETURN NEW; \
                 END $$";
    database.run(twice).await;
    client.flush(NAME).await;
    let count = database.texts("SELECT count(*) FROM events").await;
    assert_eq!(count, ["98"]);
    let refused = refusals(&service);
    assert_eq!(refused.len(), 2, "{refused:?}");
    let about = "the database says more than";
    assert!(refused[0].1.starts_with(about), "{refused:?}");
    assert_eq!(counts(&client.delivery(NAME).await), [100, 98, 2, 0, 0]);
    service.stop().await;
}

/// They counted as failed, were rows all the same, and were rows twice once they were replayed.
#[tokio::test]
async fn what_may_be_there_is_not_given_up_before_the_ledger_was_asked() {
    let database = Database::new("unknown_commit").await;
    for is_restarted in [false, true] {
        let relay = Relay::cutting(Some(Cut::AfterText("COMMIT\0"))).await;
        let relay = relay.then(Cut::Next);
        let (service, client) = database.server_to(&[relay.port]).await;
        let more = json!({"ClusterJDBCURL": database.url_at(relay.port)});
        let more = over(retry(0), more);
        database.create(&client, NAME, more).await;
        let id = u32::from(is_restarted);
        client
            .put_delivery(NAME, &[json!({"id": id}).to_string()])
            .await;
        let (service, client) = if is_restarted {
            {
                let flushing = client.flush(NAME);
                let failed = client.delivery_until(NAME, |page| page["retries"] == 1);
                tokio::pin!(flushing, failed);
                tokio::select! {
                    _ = &mut failed => {}
                    () = &mut flushing => panic!("nobody knows that it is there"),
                }
            }
            let service = service.restart().await;
            let client = service.client();
            (service, client)
        } else {
            (service, client)
        };
        flush_at_once(&client, NAME).await;
        assert!(relay.has_cut());
        assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
        assert_eq!(refusals(&service), []);
        service.stop().await;
    }
    assert_eq!(database.events().await, ["0 NULL", "1 NULL"]);
}

#[tokio::test]
async fn a_password_that_the_database_repeats_is_told_to_nobody() {
    let table = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION \
                 'no user with %', current_setting('millrace.told'); END $$; CREATE TRIGGER no \
                 BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no()";
    let database = Database::new("repeated_password").await;
    database.run(table).await;
    let (service, client) = database.server().await;
    let destination = database.destination(json!({}));
    let password = destination["Password"]
        .as_str()
        .unwrap()
        .replace('\'', "''");
    let name = &database.name;
    let told = format!("ALTER DATABASE {name} SET millrace.told = '{password}'");
    database.run(&told).await;
    database.create(&client, NAME, json!({})).await;
    client.put_delivery(NAME, &["{\"id\":1}"]).await;
    client.flush(NAME).await;
    let refused = refusals(&service);
    assert_eq!(refused[0].1, "P0001: no user with [secret]");
    service.stop().await;
}

#[tokio::test]
async fn a_table_that_counts_its_rows_by_itself_takes_objects_without_a_number() {
    let table = "DROP TABLE events; CREATE TABLE events (id serial PRIMARY KEY, other int \
                 GENERATED BY DEFAULT AS IDENTITY, word text)";
    let (database, service, client) = with("counted_rows", table, json!({})).await;
    client
        .put_delivery(NAME, &["{\"word\":\"a\"}", "{\"word\":\"b\"}"])
        .await;
    client.flush(NAME).await;
    let rows = "SELECT id || ' ' || other || ' ' || word FROM events ORDER BY id";
    assert_eq!(database.texts(rows).await, ["1 1 a", "2 2 b"]);
    assert_eq!(counts(&client.delivery(NAME).await), [2, 2, 0, 0, 0]);
    service.stop().await;
}

/// Both counted as delivered, and were nowhere.
#[tokio::test]
async fn an_empty_record_is_no_row_and_an_empty_text_is_one() {
    for (name, options, delivered) in [
        ("empty_csv", "CSV", 2),
        ("empty_skipped", "CSV IGNOREBLANKLINES", 3),
    ] {
        let table = "DROP TABLE events; CREATE TABLE events (word text)";
        let copy = json!({"CopyCommand": {"DataTableName": "events", "CopyOptions": options}});
        let (database, service, client) = with(name, table, copy).await;
        client.put_delivery(NAME, &["", "\"\"", "x"]).await;
        client.flush(NAME).await;
        let rows = database
            .texts("SELECT quote_literal(word) FROM events ORDER BY 1")
            .await;
        assert_eq!(rows, ["''", "'x'"], "{name}");
        let page = client.delivery(NAME).await;
        assert_eq!(counts(&page), [3, delivered, 3 - delivered, 0, 0], "{name}");
        service.stop().await;
    }
}
