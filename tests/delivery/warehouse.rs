//! `RedshiftDestinationConfiguration` with a URL of Redshift: records are staged in the bucket as
//! they came in, and loaded by COPY of a manifest, each once. The cluster is a double, whose rows a
//! real PostgreSQL keeps.

use std::io::Read;

use flate2::read::GzDecoder;
use http::Method;
use millrace_tests::redshift::{DENIED_ROLE, Redshift, Refusal};
use millrace_tests::{BUCKET, Client, Object, ROLE, Service, over};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::database::{Cut, Database, NAME, Relay, counts, flush_at_once, update_of};
use crate::processing;

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";

/// A double of Redshift, and the database that has its rows.
struct Cluster {
    rows: Database,
    redshift: Redshift,
}

impl Cluster {
    /// With the table `events (id int, word text)`, in which a row may be twice.
    async fn new(name: &str) -> Self {
        let rows = Database::new(name).await;
        rows.run(
            "ALTER TABLE events DROP CONSTRAINT events_pkey; \
             ALTER TABLE events ALTER id DROP NOT NULL",
        )
        .await;
        let redshift = Redshift::start(name).await;
        Self { rows, redshift }
    }

    async fn server(&self) -> (Service, Client) {
        self.server_to(&[self.redshift.port]).await
    }

    async fn server_to(&self, ports: &[u16]) -> (Service, Client) {
        let (service, client) = self.rows.server_to(ports).await;
        self.redshift.fetches_from(service.buckets());
        (service, client)
    }

    fn url(&self) -> String {
        self.url_at(self.redshift.port)
    }

    fn url_at(&self, port: u16) -> String {
        let name = &self.rows.name;
        format!("jdbc:redshift://127.0.0.1:{port}/{name}?sslmode=disable")
    }

    fn destination(&self, more: Value) -> Value {
        let usual = json!({"ClusterJDBCURL": self.url()});
        self.rows.destination(over(usual, more))
    }

    async fn create(&self, client: &Client, name: &str, more: Value) {
        let usual = json!({"ClusterJDBCURL": self.url()});
        self.rows.create(client, name, over(usual, more)).await;
    }
}

async fn with(name: &str, more: Value) -> (Cluster, Service, Client) {
    let cluster = Cluster::new(name).await;
    let (service, client) = cluster.server().await;
    cluster.create(&client, NAME, more).await;
    (cluster, service, client)
}

fn object(id: u32) -> String {
    format!("{{\"id\":{id},\"word\":\"w{id}\"}}")
}

fn objects(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(object).collect()
}

fn rows(ids: std::ops::Range<u32>) -> Vec<String> {
    ids.map(|id| format!("{id} w{id}")).collect()
}

fn retry(seconds: u32) -> Value {
    json!({"RetryOptions": {"DurationInSeconds": seconds}})
}

fn s3(more: Value) -> Value {
    let usual = json!({
        "RoleARN": ROLE,
        "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
        "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
    });
    json!({"S3Configuration": over(usual, more)})
}

fn copying(table: &str, options: &str) -> Value {
    json!({"CopyCommand": {"DataTableName": table, "CopyOptions": options}})
}

/// The objects of the bucket whose keys begin with this.
fn below(service: &Service, prefix: &str) -> Vec<Object> {
    let mut objects = service.objects(BUCKET);
    objects.retain(|object| object.key.starts_with(prefix));
    objects
}

/// The manifest of an object.
fn manifest_of(object: &Object) -> Value {
    json!({"entries": [{
        "url": format!("s3://{BUCKET}/{}", object.key),
        "mandatory": true,
        "meta": {"content_length": object.content.len()},
    }]})
}

async fn until_told(client: &Client, name: &str, told: &str) {
    let is_told = |page: &Value| {
        let trouble = page["trouble"].as_str().unwrap_or_default();
        trouble.contains(told)
    };
    client.delivery_until(name, is_told).await;
}

#[tokio::test]
async fn records_are_staged_as_they_came_in_and_copied_by_a_manifest() {
    let (cluster, service, client) = with("staged", json!({})).await;
    let records = [
        objects(0..2),
        vec!["{\"word\":null,\"id\":2} \n{\"id\":3}".to_owned()],
    ];
    let records = records.concat();
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(
        cluster.rows.events().await,
        ["0 w0", "1 w1", "2 NULL", "3 NULL"]
    );
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 3, 0, 0, 0]);
    assert_eq!(page["endpoint"], cluster.url());
    let all = service.objects(BUCKET);
    let [staged, manifest] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(page["lastObject"], staged.key);
    assert_eq!(staged.text(), records.concat());
    assert!(
        staged
            .key
            .starts_with("2023/11/14/22/rows-1-2023-11-14-22-"),
        "{}",
        staged.key
    );
    assert_eq!(manifest.key, format!("manifests/{}", staged.key));
    let read: Value = serde_json::from_slice(&manifest.content).unwrap();
    assert_eq!(read, manifest_of(staged));
    assert_eq!(
        cluster.redshift.statements("COPY"),
        [format!(
            "COPY \"events\" FROM 's3://{BUCKET}/{}' CREDENTIALS 'aws_iam_role={ROLE}' MANIFEST \
             JSON 'auto'",
            manifest.key
        )]
    );
    let ledger =
        "SELECT manifest || ' ' || cut || ' ' || loaded_at FROM public.millrace_deliveries";
    let wanted = format!("s3://{BUCKET}/{} 0 2023-11-14 22:13:20", manifest.key);
    assert_eq!(cluster.rows.texts(ledger).await, [wanted]);
}

#[tokio::test]
async fn what_is_packed_is_unpacked_by_an_option_and_lies_below_the_prefix() {
    let command = json!({"CopyCommand": {
        "DataTableName": "\"My Schema\".\"T.1\"",
        "DataTableColumns": "word, id",
        "CopyOptions": "csv gzip;",
    }});
    let more = over(
        command,
        s3(json!({"CompressionFormat": "GZIP", "Prefix": "in/a b/"})),
    );
    let more = over(
        more,
        json!({"ProcessingConfiguration": processing(&[("AppendDelimiterToRecord", &[])])}),
    );
    let cluster = Cluster::new("packed").await;
    let table =
        "CREATE SCHEMA \"My Schema\"; CREATE TABLE \"My Schema\".\"T.1\" (id int, word text)";
    cluster.rows.run(table).await;
    let (service, client) = cluster.server().await;
    cluster.create(&client, NAME, more).await;
    client
        .put_delivery(NAME, &["a,1", "\"b\nc\",2\n", "d,3\ne,4"])
        .await;
    client.flush(NAME).await;
    let found = cluster
        .rows
        .texts("SELECT (id, word) FROM \"My Schema\".\"T.1\" ORDER BY id")
        .await;
    assert_eq!(found, ["(1,a)", "(2,\"b\nc\")", "(3,d)", "(4,e)"]);
    let [staged] = &below(&service, "in/a b/2023/")[..] else {
        panic!("{:?}", service.objects(BUCKET));
    };
    assert!(staged.key.ends_with(".gz"), "{}", staged.key);
    let mut content = String::new();
    GzDecoder::new(&staged.content[..])
        .read_to_string(&mut content)
        .unwrap();
    assert_eq!(content, "a,1\n\"b\nc\",2\nd,3\ne,4\n");
    let [manifest] = &below(&service, "in/a b/manifests/2023/")[..] else {
        panic!("{:?}", service.objects(BUCKET));
    };
    let read: Value = serde_json::from_slice(&manifest.content).unwrap();
    assert_eq!(read, manifest_of(staged));
    // What says what is there lies beside the table.
    let ledger = "SELECT count(*) FROM \"My Schema\".millrace_deliveries";
    assert_eq!(cluster.rows.texts(ledger).await, ["1"]);
    // What was packed stays so for COPY, whatever is configured by then.
    cluster
        .redshift
        .refuses_copies(Some(Refusal::of("42501", "permission denied")));
    client.put_delivery(NAME, &["f,5"]).await;
    let changing = async {
        until_told(&client, NAME, "Redshift.InsufficientPrivilege").await;
        let changes = json!({
            "CopyCommand": {
                "DataTableName": "\"My Schema\".\"T.1\"", "DataTableColumns": "word,id",
                "CopyOptions": "CSV",
            },
            "S3Update": {"CompressionFormat": "UNCOMPRESSED"},
        });
        client.call(UPDATE, update_of(NAME, "1", changes)).await;
        cluster.redshift.refuses_copies(None);
    };
    tokio::join!(flush_at_once(&client, NAME), changing);
    client.put_delivery(NAME, &["g,6"]).await;
    client.flush(NAME).await;
    let copies = cluster.redshift.statements("COPY");
    let ends: Vec<_> = copies
        .iter()
        .map(|it| it.rsplit("MANIFEST ").next().unwrap())
        .collect();
    assert_eq!(ends[ends.len() - 2..], ["CSV GZIP", "CSV"]);
    assert_eq!(counts(&client.delivery(NAME).await), [5, 5, 0, 0, 0]);
}

/// The connection breaks at each message of a delivery, before it comes to the cluster, and once
/// the cluster has done what it asks for and cannot say so.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_connection_breaks_each_record_is_there_once() {
    let cluster = Cluster::new("breaks").await;
    let plain = Relay::before(cluster.redshift.port, None).await;
    let mut cuts = Vec::new();
    // The first round finds out what there is to break.
    for round in 0_usize.. {
        let relays = plain.next_round(round == 0, &mut cuts).await;
        if relays.is_empty() {
            break;
        }
        let ports: Vec<u16> = relays.iter().map(|relay| relay.port).collect();
        let (service, client) = cluster.server_to(&ports).await;
        let mut deliveries = JoinSet::new();
        for (number, relay) in relays.into_iter().enumerate() {
            let name = format!("t_{round}_{number}");
            let table = format!("{name}.events");
            // A ledger of its own is made, too.
            let made = format!("CREATE SCHEMA {name}; CREATE TABLE {table} (LIKE public.events)");
            cluster.rows.run(&made).await;
            let more = over(
                json!({"ClusterJDBCURL": cluster.url_at(relay.port)}),
                copying(&table, "JSON 'auto'"),
            );
            cluster.create(&client, &name, more).await;
            let client = service.client();
            deliveries.spawn(async move {
                client.put_delivery(&name, &objects(0..2)).await;
                flush_at_once(&client, &name).await;
                (name, relay)
            });
        }
        while let Some(delivered) = deliveries.join_next().await {
            let (name, relay) = delivered.unwrap();
            assert!(relay.has_cut(), "{name}");
            if round == 0 {
                cuts = relay.cuts();
                assert!(cuts.len() > 15, "{cuts:?}");
            }
            let ids = format!("SELECT id FROM {name}.events ORDER BY id");
            assert_eq!(cluster.rows.texts(&ids).await, ["0", "1"], "{name}");
            let page = client.delivery(&name).await;
            assert_eq!(counts(&page), [2, 2, 0, 0, 0], "{name}");
        }
        service.stop().await;
    }
}

/// The cluster has lost the transaction, or has it and could not say so; then the process ends. No
/// time is left to try again, and nothing fails: it is not known yet whether it is there.
#[tokio::test]
async fn what_ends_around_the_commit_is_there_once_also_after_a_restart() {
    for (name, cut, before) in [
        ("unloaded", Cut::BeforeText("LOCK TABLE"), 0),
        ("uncopied", Cut::BeforeText("COPY "), 0),
        ("uncommitted", Cut::BeforeText("COMMIT\0"), 0),
        ("untold", Cut::AfterText("COMMIT\0"), 3),
    ] {
        let cluster = Cluster::new(name).await;
        let is_at_commit = matches!(
            cut,
            Cut::BeforeText("COMMIT\0") | Cut::AfterText("COMMIT\0")
        );
        let relay = Relay::before(cluster.redshift.port, Some(cut)).await;
        let (service, client) = cluster.server_to(&[relay.port]).await;
        let url = json!({"ClusterJDBCURL": cluster.url_at(relay.port)});
        let time = if is_at_commit { retry(0) } else { json!({}) };
        cluster.create(&client, NAME, over(url, time)).await;
        client.put_delivery(NAME, &objects(0..3)).await;
        {
            let flushing = client.flush(NAME);
            let failed = client.delivery_until(NAME, |page| page["retries"].as_u64() > Some(0));
            tokio::pin!(flushing, failed);
            tokio::select! {
                page = &mut failed => assert_eq!(counts(&page)[1..3], [0, 0], "{name}"),
                () = &mut flushing => panic!("it is not delivered"),
            }
        }
        assert!(relay.has_cut(), "{name}");
        assert_eq!(cluster.rows.events().await, rows(0..before), "{name}");
        let service = service.restart().await;
        let client = service.client();
        client.flush(NAME).await;
        assert_eq!(cluster.rows.events().await, rows(0..3), "{name}");
        assert_eq!(
            counts(&client.delivery(NAME).await),
            [3, 3, 0, 0, 0],
            "{name}"
        );
        let all = service.objects(BUCKET);
        assert_eq!(all.len(), 2, "{name}: an object and its manifest");
        service.stop().await;
    }
}

#[tokio::test]
async fn a_batch_that_is_not_loaded_in_its_time_fails_as_a_whole_and_stays_staged() {
    let (cluster, service, client) = with("failed", retry(0)).await;
    let records = [objects(0..2), vec!["{\"id\":\"text\"}".to_owned()]].concat();
    client.put_delivery(NAME, &records).await;
    client.flush(NAME).await;
    assert_eq!(cluster.rows.events().await, [] as [String; 0]);
    let page = client.delivery(NAME).await;
    assert_eq!(counts(&page), [3, 0, 3, 0, 0]);
    let all = service.objects(BUCKET);
    let [staged, given_up, manifest] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(staged.text(), records.concat());
    assert_eq!(given_up.key, format!("errors/manifests/{}", staged.key));
    assert_eq!(manifest.key, format!("manifests/{}", staged.key));
    assert_eq!(given_up.content, manifest.content);
    let logs = client
        .read_page(&format!("delivery-streams/{NAME}/logs"))
        .await;
    let line = &logs["lines"][0];
    assert_eq!(line["errorCode"], "Redshift.DataLoadFailed", "{logs}");
    let told = line["message"].as_str().unwrap();
    assert!(told.contains("Load into table 'events' failed"), "{told}");
    assert!(
        told.contains("(line 1, column id: invalid input syntax for type"),
        "{told}"
    );
    // A manifest is no object of records that could be replayed.
    let letters = client
        .read_page(&format!("delivery-streams/{NAME}/dead-letters"))
        .await;
    assert_eq!(letters["deadLetters"], json!([]));
    // What comes after it is loaded, and the restart brings nothing again.
    client.put_delivery(NAME, &objects(5..7)).await;
    client.flush(NAME).await;
    let service = service.restart().await;
    let client = service.client();
    client.put_delivery(NAME, &objects(7..8)).await;
    client.flush(NAME).await;
    assert_eq!(cluster.rows.events().await, rows(5..8));
    assert_eq!(counts(&client.delivery(NAME).await), [6, 3, 3, 0, 0]);
}

#[tokio::test]
async fn data_is_tried_for_its_time_and_loaded_once_the_table_takes_it() {
    let (cluster, service, client) = with("mended", retry(7_200)).await;
    client.put_delivery(NAME, &["{\"id\":\"text\"}"]).await;
    let mending = async {
        until_told(&client, NAME, "Load into table").await;
        cluster
            .rows
            .run("ALTER TABLE events ALTER id TYPE text")
            .await;
    };
    tokio::join!(flush_at_once(&client, NAME), mending);
    assert_eq!(cluster.rows.texts("SELECT id FROM events").await, ["text"]);
    assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    assert_eq!(below(&service, "errors/"), []);
}

#[tokio::test]
async fn what_the_configuration_is_wrong_about_pauses_and_drops_nothing() {
    let cluster = Cluster::new("awry").await;
    let (service, client) = cluster.server().await;
    let right = json!({
        "ClusterJDBCURL": cluster.url(),
        "Password": cluster.destination(json!({}))["Password"],
        "RoleARN": ROLE,
        "CopyCommand": copying("later", "CSV")["CopyCommand"],
    });
    let other = cluster.url().replace("/awry?", "/none?");
    let columns = json!({"CopyCommand": {
        "DataTableName": "later", "DataTableColumns": "id,none", "CopyOptions": "CSV",
    }});
    cluster.rows.run("CREATE TABLE later (id int)").await;
    for (name, more, told) in [
        (
            "no-table",
            copying("none", "CSV"),
            "Redshift.TableNotFound: 42P01",
        ),
        (
            "no-schema",
            copying("s.later", "CSV"),
            "Redshift.TableNotFound: 3F000",
        ),
        ("no-column", columns, "Redshift.ColumnNotFound: 42703"),
        (
            "no-option",
            copying("later", "CSV QUIETLY"),
            "Redshift.SyntaxError: 42601",
        ),
        (
            "no-database",
            json!({"ClusterJDBCURL": other}),
            "Redshift.DatabaseNotFound: 3D000",
        ),
        (
            "no-password",
            json!({"Password": "another one"}),
            "Redshift.AuthenticationFailed: 28000",
        ),
        (
            "no-role",
            json!({"RoleARN": format!("{ROLE}/{DENIED_ROLE}")}),
            "Redshift.AccessDenied: XX000",
        ),
    ] {
        let usual = over(retry(0), copying("later", "CSV"));
        cluster.create(&client, name, over(usual, more)).await;
        client.put_delivery(name, &["1\n"]).await;
        let curing = async {
            until_told(&client, name, told).await;
            until_told(&client, name, "Nothing is dropped").await;
            client
                .call(UPDATE, update_of(name, "1", right.clone()))
                .await;
        };
        tokio::join!(flush_at_once(&client, name), curing);
        assert_eq!(
            counts(&client.delivery(name).await),
            [1, 1, 0, 0, 0],
            "{name}"
        );
    }
    assert_eq!(
        cluster.rows.texts("SELECT count(*) FROM later").await,
        ["7"]
    );
    assert_eq!(below(&service, "errors/"), []);
    service.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_given_up_after_its_time() {
    let cluster = Cluster::new("away").await;
    let relay = Relay::before(cluster.redshift.port, Some(Cut::Before(0))).await;
    let (service, client) = cluster.server_to(&[relay.port]).await;
    let url = json!({"ClusterJDBCURL": cluster.url_at(relay.port)});
    cluster.create(&client, NAME, over(url, retry(0))).await;
    client.put_delivery(NAME, &objects(0..2)).await;
    client.flush(NAME).await;
    let logs = client
        .read_page(&format!("delivery-streams/{NAME}/logs"))
        .await;
    assert_eq!(
        logs["lines"][0]["errorCode"], "Redshift.ConnectionFailed",
        "{logs}"
    );
    assert_eq!(below(&service, "errors/manifests/").len(), 1);
    client.put_delivery(NAME, &objects(2..4)).await;
    client.flush(NAME).await;
    assert_eq!(cluster.rows.events().await, rows(2..4));
    assert_eq!(counts(&client.delivery(NAME).await), [4, 2, 2, 0, 0]);
}

/// An order makes another delivery of the records: what was staged before stays, and nobody loads
/// it.
#[tokio::test]
async fn a_delivery_that_is_stuck_obeys() {
    let (cluster, service, client) = with("orders", json!({})).await;
    for (order, ids, failed) in [("move", 0..2, 0), ("skip", 2..4, 2)] {
        cluster
            .redshift
            .refuses_copies(Some(Refusal::of("42501", "permission denied")));
        client.put_delivery(NAME, &objects(ids)).await;
        let ordering = async {
            until_told(&client, NAME, "Redshift.InsufficientPrivilege").await;
            cluster.redshift.refuses_copies(None);
            let page = format!("delivery-streams/{NAME}/{order}");
            client.page(Method::POST, &page).await;
        };
        tokio::join!(client.flush(NAME), ordering);
        let page = client.delivery(NAME).await;
        assert_eq!(page["failed"], failed, "{order}");
    }
    assert_eq!(cluster.rows.events().await, rows(0..2));
    assert_eq!(counts(&client.delivery(NAME).await), [4, 2, 2, 0, 0]);
    assert_eq!(below(&service, "processing-failed/").len(), 1);
    assert_eq!(below(&service, "errors/"), []);
    // One was staged for the delivery that was moved, one for what it became, one for the skipped.
    assert_eq!(below(&service, "2023/").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_loaded_one_after_the_other() {
    let cluster = Cluster::new("shards").await;
    let (service, client) = cluster.server().await;
    client.create("clicks", 4).await;
    let input = json!({
        "DeliveryStreamName": NAME,
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": client.summary("clicks").await["StreamARN"],
            "RoleARN": ROLE,
        },
        "RedshiftDestinationConfiguration": cluster.destination(json!({})),
    });
    client.call(CREATE, input).await;
    client.delivery_is_active(NAME).await;
    for round in 0..3 {
        let records = (0..40).map(|id| {
            let id = round * 40 + id;
            let data = millrace_tests::base64(object(id));
            json!({"Data": data, "PartitionKey": id.to_string()})
        });
        let records: Vec<_> = records.collect();
        let input = json!({"StreamName": "clicks", "Records": records});
        client.call("PutRecords", input).await;
        client.flush(NAME).await;
    }
    assert_eq!(
        cluster
            .rows
            .texts("SELECT count(*) || ' ' || count(DISTINCT id) FROM events")
            .await,
        ["120 120"]
    );
    assert_eq!(cluster.redshift.copies_at_once(), 1);
    let lanes = "SELECT count(DISTINCT lane) FROM millrace_deliveries";
    assert_eq!(cluster.rows.texts(lanes).await, ["4"]);
    assert_eq!(counts(&client.delivery(NAME).await), [120, 120, 0, 0, 0]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_that_the_ledger_has_as_another_is_left_to_an_operator() {
    let cluster = Cluster::new("another").await;
    let relay = Relay::before(cluster.redshift.port, Some(Cut::AfterText("COMMIT\0"))).await;
    let (_service, client) = cluster.server_to(&[relay.port]).await;
    let url = json!({"ClusterJDBCURL": cluster.url_at(relay.port)});
    cluster.create(&client, NAME, url).await;
    client.put_delivery(NAME, &objects(0..1)).await;
    let deciding = async {
        while cluster.rows.events().await.is_empty() {}
        cluster
            .rows
            .run("UPDATE millrace_deliveries SET manifest = 's3://a/b'; DELETE FROM events")
            .await;
        until_told(&client, NAME, "the ledger has this delivery as s3://a/b").await;
        let order = format!("delivery-streams/{NAME}/move");
        client.page(Method::POST, &order).await;
    };
    tokio::join!(client.flush(NAME), deciding);
    assert_eq!(cluster.rows.events().await, rows(0..1));
}

#[tokio::test]
async fn what_is_not_served_or_cannot_be_meant_is_refused_by_name() {
    let cluster = Cluster::new("unmeant").await;
    let (_service, client) = cluster.server().await;
    for (more, told) in unmeant() {
        let input = json!({
            "DeliveryStreamName": NAME,
            "RedshiftDestinationConfiguration": cluster.destination(more),
        });
        let refused = client.refusal(CREATE, input).await;
        assert_eq!(refused.code, "InvalidArgumentException", "{told}");
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
    }
    cluster.create(&client, NAME, json!({})).await;
    for (changes, told) in [
        (
            json!({"S3Update": {"CompressionFormat": "GZIP"}}),
            "GZIP is missing",
        ),
        (
            json!({"ClusterJDBCURL": cluster.rows.url(), "Password": "another one"}),
            "cannot be changed to jdbc:postgresql://",
        ),
    ] {
        let refused = client.refusal(UPDATE, update_of(NAME, "1", changes)).await;
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
    }
    let described = client.describe_delivery(NAME).await;
    let described = &described["Destinations"][0]["RedshiftDestinationDescription"];
    assert_eq!(described["ClusterJDBCURL"], cluster.url());
    assert_eq!(described["Password"], Value::Null);
}

/// Members that are refused, and what is said of them.
fn unmeant() -> Vec<(Value, &'static str)> {
    let options = |options: &str| copying("events", options);
    let packed = s3(json!({"CompressionFormat": "GZIP"}));
    vec![
        (
            json!({"ClusterJDBCURL": "jdbc:redshift://10.0.0.1:5439/dev"}),
            "[egress] allow",
        ),
        (
            json!({"ClusterJDBCURL": "jdbc:redshift://c.redshift.amazonaws.com/dev"}),
            "it is not jdbc:redshift://host:port/database",
        ),
        (
            options("CSV; DROP TABLE events"),
            "CopyOptions: ; is not expected",
        ),
        (options("CSV -- all"), "CopyOptions: - is not expected"),
        (options("NULL 'a"), "CopyOptions: a quote is not closed"),
        (
            options("NULL '\\' CSV NULL ' ; --'"),
            "CopyOptions: a backslash stands",
        ),
        (
            options("MANIFEST"),
            "CopyOptions: MANIFEST is not an option here",
        ),
        (
            options("CREDENTIALS 'a'"),
            "CopyOptions: CREDENTIALS is not",
        ),
        (options("IAM_ROLE default"), "CopyOptions: IAM_ROLE is not"),
        (options("NOLOAD"), "CopyOptions: NOLOAD is not supported"),
        (
            over(options("CSV"), packed.clone()),
            "CopyOptions: GZIP is missing",
        ),
        (
            copying("events; DROP", "CSV"),
            "DataTableName: ; DROP is not expected",
        ),
        (
            s3(json!({"CompressionFormat": "ZIP"})),
            "SNAPPY or ZIP cannot",
        ),
        (
            s3(json!({"Prefix": "it's/"})),
            "Prefix: \"it's/\" has a quote",
        ),
        (
            json!({"RoleARN": "arn:aws':iam::000000000000:role/a"}),
            "RoleARN: ",
        ),
    ]
}
