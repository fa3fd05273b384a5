//! Dead letters of a delivery stream, of a stream and of a plugin: listed, shown, delivered once
//! more and discarded.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use millrace_tests::keys::KeyFiles;
use millrace_tests::{ACCOUNT, BUCKET, Client, REGION, Service, Setting, base64, statement, user};
use serde_json::{Value, json};

use crate::plugin_files::PluginFiles;
use crate::through;

mod let_go;

const CARD: &str = "4111 1111 1111 1111";
const LETTERS: &str = "delivery-streams/clicks/dead-letters";

/// Two records of the delivery stream `clicks` have failed in one object. From now on records go
/// through `redact-card-numbers` under the name of `mask`.
struct Failed {
    files: PluginFiles,
    service: Service,
    client: Client,
}

const RECORDS: [&str; 2] = ["no line, 4111 1111 1111 1111", "none either"];

impl Failed {
    async fn begin() -> Self {
        let files = PluginFiles::with(&["parse-access-log"]);
        files.add_redaction_as("mask");
        let service = files.start().await;
        let client = service.client();
        let more = json!({"ProcessingConfiguration": through("parse-access-log")});
        client.create_delivery("clicks", more).await;
        client.put_delivery("clicks", &RECORDS).await;
        client.flush("clicks").await;
        Self {
            files,
            service,
            client,
        }
    }

    /// The same with `mask` in force.
    async fn with_mask() -> Self {
        let failed = Self::begin().await;
        failed.goes_through("1", through("mask")).await;
        failed
    }

    async fn goes_through(&self, version: &str, processing: Value) {
        let input = json!({
            "DeliveryStreamName": "clicks",
            "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001",
            "ExtendedS3DestinationUpdate": {"ProcessingConfiguration": processing},
        });
        self.client.call("Firehose.UpdateDestination", input).await;
    }

    /// The keys of objects of failed records.
    fn failed(&self) -> Vec<String> {
        let keys = self.service.objects(BUCKET).into_iter().map(|it| it.key);
        keys.filter(|key| key.contains("processing-failed/"))
            .collect()
    }

    /// What is delivered, in order of the names.
    fn delivered(&self) -> Vec<String> {
        let objects = self.service.objects(BUCKET);
        let delivered = objects.iter();
        let delivered = delivered.filter(|it| !it.key.contains("processing-failed/"));
        delivered.map(|it| it.text().to_owned()).collect()
    }

    fn path(&self, key: &str) -> PathBuf {
        self.service.buckets().join(BUCKET).join(key)
    }
}

async fn listed(client: &Client, query: &str) -> Vec<Value> {
    let page = client.read_page(&format!("{LETTERS}{query}")).await;
    page["deadLetters"].as_array().unwrap().clone()
}

async fn order(client: &Client, order: &str, body: Value) -> (u16, Value) {
    client.post_page(&format!("{LETTERS}/{order}"), &body).await
}

async fn replayed(client: &Client, key: &str) -> Value {
    let (status, answer) = order(client, "replay", json!({"letter": key})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn failed_records_are_listed_and_shown() {
    let failed = Failed::begin().await;
    let [key] = &failed.failed()[..] else {
        panic!("one object has failed records");
    };
    let letters = listed(&failed.client, "").await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    for (member, wanted) in [
        ("object", json!(key)),
        ("records", json!(2)),
        ("codes", json!({"Lambda.ProcessingFailedStatus": 2})),
        ("state", json!("open")),
        ("replayed", json!(0)),
        (
            "bytes",
            json!(fs::metadata(failed.path(key)).unwrap().len()),
        ),
    ] {
        assert_eq!(letter[member], wanted, "{member}: {letter}");
    }
    let page = format!("{LETTERS}/one?letter={key}&limit=1");
    let shown = failed.client.read_page(&page).await;
    assert_eq!(
        (&shown["more"], &shown["object"]),
        (&json!(true), &json!(key))
    );
    let record = &shown["records"][0];
    for (member, wanted) in [
        ("data", json!(RECORDS[0])),
        ("bytes", json!(RECORDS[0].len())),
        ("attempts", json!(1)),
        ("code", json!("Lambda.ProcessingFailedStatus")),
        ("arrivalMs", json!(1_700_000_000_000_u64)),
        ("dataBase64", Value::Null),
    ] {
        assert_eq!(record[member], wanted, "{member}: {shown}");
    }
    // Of what is no text the bytes are shown.
    failed.client.put_delivery("clicks", &[b"\xff\xfe"]).await;
    failed.client.flush("clicks").await;
    let letters = listed(&failed.client, &format!("?after={key}")).await;
    let second = letters[0]["object"].as_str().unwrap();
    let shown = failed
        .client
        .read_page(&format!("{LETTERS}/one?letter={second}"))
        .await;
    assert_eq!(shown["records"][0]["dataBase64"], base64(b"\xff\xfe"));
    assert_eq!(shown["more"], false);
    // One at a time, and what is asked for below another prefix.
    let page = failed.client.read_page(&format!("{LETTERS}?limit=1")).await;
    assert_eq!(page["next"], json!(key));
    let next = format!("{LETTERS}?limit=1&after={key}");
    let page = failed.client.read_page(&next).await;
    assert_eq!(page["deadLetters"][0]["object"], second);
    assert_eq!(
        listed(&failed.client, "?prefix=processing-failed/2023")
            .await
            .len(),
        2
    );
    assert_eq!(
        listed(&failed.client, "?prefix=processing-failed/2024")
            .await
            .len(),
        0
    );
    failed.service.stop().await;
}

#[tokio::test]
async fn an_object_is_replayed_once_through_what_is_in_force_and_counted() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, &failed.failed()[0]);
    let answer = replayed(client, key).await;
    let wanted = json!({
        "object": key, "records": 2, "replayed": 2, "now": 2, "done": true,
    });
    assert_eq!(answer, wanted);
    // It waits as what is put does, and a restart changes nothing.
    let service = failed.service.restart().await;
    let client = service.client();
    client.delivery_is_active("clicks").await;
    let again = json!({"object": key, "records": 2, "replayed": 2, "now": 0, "done": true});
    assert_eq!(replayed(&client, key).await, again);
    let page = client.delivery("clicks").await;
    assert_eq!(page["waitingRecords"], 2);
    client.flush("clicks").await;
    assert_eq!(replayed(&client, key).await, again);
    let objects = service.objects(BUCKET);
    let delivered: Vec<_> = objects
        .iter()
        .filter(|it| !it.key.contains("processing-failed/"))
        .map(|it| it.text().to_owned())
        .collect();
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    assert!(delivered[0].starts_with("no line, ") && delivered[0].ends_with("none either"));
    assert!(
        !delivered[0].contains(CARD) && delivered[0].contains('*'),
        "{delivered:?}"
    );
    let page = client.delivery("clicks").await;
    for (member, wanted) in [
        ("recordsIn", 4),
        ("replayed", 2),
        ("delivered", 2),
        ("failed", 2),
        ("lost", 0),
        ("waitingRecords", 0),
    ] {
        assert_eq!(page[member], wanted, "{member}: {page}");
    }
    let lanes = page["lanes"].as_array().unwrap();
    let names: Vec<_> = lanes
        .iter()
        .map(|lane| lane["lane"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["replays", "direct"]);
    let letters = listed(&client, "").await;
    assert_eq!(
        (&letters[0]["state"], &letters[0]["replayed"]),
        (&json!("replayed"), &json!(2))
    );
    let metrics = client.metrics().await;
    assert!(
        metrics.contains("millrace_delivery_replayed_total"),
        "{metrics}"
    );
    service.stop().await;
}

#[tokio::test]
async fn what_fails_again_is_a_failed_record_again_with_all_its_attempts() {
    let failed = Failed::begin().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    assert_eq!(replayed(client, &key).await["done"], true);
    client.flush("clicks").await;
    let keys = failed.failed();
    assert_eq!(keys.len(), 2);
    let second = keys.iter().find(|it| **it != key).unwrap();
    let text = fs::read_to_string(failed.path(second)).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, record) in lines.iter().zip(RECORDS) {
        assert_eq!(line["attemptsMade"], 2, "{line}");
        assert_eq!(line["rawData"], base64(record));
        assert_eq!(line["arrivalTimestamp"], 1_700_000_000_000_u64);
    }
    let page = client.delivery("clicks").await;
    let counts = ["recordsIn", "replayed", "failed", "delivered"].map(|it| page[it].clone());
    assert_eq!(counts, [4, 2, 4, 0].map(|it| json!(it)));
    // And so on.
    assert_eq!(replayed(client, second).await["now"], 2);
    client.flush("clicks").await;
    let states: Vec<_> = listed(client, "").await;
    let open: Vec<_> = states.iter().filter(|it| it["state"] == "open").collect();
    assert_eq!((states.len(), open.len()), (3, 1));
    failed.service.stop().await;
}

#[tokio::test]
async fn a_named_version_is_gone_through_whatever_is_in_force() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    let before = client.read_page("plugins/mask").await["hash"].clone();
    let manifest = "name = 'mask'\nversion = '2'\n[config]\nmask = '#'\n";
    failed.files.write("mask", "plugin.toml", manifest);
    client
        .page_until("plugins/mask", |page| page["version"] == "2")
        .await;
    let version = before.as_str().unwrap();
    let (status, answer) =
        order(client, "replay", json!({"letter": key, "version": version})).await;
    assert_eq!(status, 200, "{answer}");
    // Beside it something that goes through the version in force.
    client.put_delivery("clicks", &[CARD]).await;
    client.flush("clicks").await;
    let delivered = failed.delivered();
    assert_eq!(delivered.len(), 2, "{delivered:?}");
    let of = |sign: char| delivered.iter().filter(|it| it.contains(sign)).count();
    assert_eq!((of('*'), of('#')), (1, 1), "{delivered:?}");
    let star = delivered.iter().find(|it| it.contains('*')).unwrap();
    assert!(star.contains("none either"), "{star}");
    let page = client.delivery("clicks").await;
    let versions = page["versions"].as_array().unwrap();
    let of_old = versions.iter().find(|it| it["hash"] == before).unwrap();
    assert_eq!(of_old["delivered"], 2);

    // A version that there is not, and one where there is no plugin.
    failed.client.put_delivery("clicks", &["x"]).await;
    let unknown = "0".repeat(64);
    let body = json!({"letter": key, "version": unknown});
    // The object is done, whatever is named.
    assert_eq!(order(client, "replay", body).await.1["now"], 0);
    failed.service.stop().await;
}

#[tokio::test]
async fn a_version_that_is_not_there_is_refused_and_changes_nothing() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    for (version, told) in [
        ("0".repeat(64), "There is no version"),
        ("latest".to_owned(), "64 hexadecimal digits"),
    ] {
        let body = json!({"letter": key, "version": version});
        let (status, answer) = order(client, "replay", body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains(told),
            "{answer}"
        );
    }
    failed.goes_through("2", json!({"Enabled": false})).await;
    let body = json!({"letter": key, "version": "0".repeat(64)});
    let (status, answer) = order(client, "replay", body).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("has no plugin"),
        "{answer}"
    );
    let page = client.delivery("clicks").await;
    assert_eq!(
        (&page["replayed"], &page["recordsIn"]),
        (&json!(0), &json!(2))
    );
    // Without a plugin they are delivered as they are.
    assert_eq!(replayed(client, &key).await["now"], 2);
    client.flush("clicks").await;
    assert_eq!(failed.delivered(), [RECORDS.concat()]);
    failed.service.stop().await;
}

#[tokio::test]
async fn what_is_discarded_is_not_listed_until_all_is_asked_for() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    let (status, answer) = order(client, "discard", json!({"letter": key})).await;
    assert_eq!((status, answer), (200, json!({"done": true})));
    assert_eq!(listed(client, "").await, [] as [Value; 0]);
    let all = listed(client, "?all=true").await;
    assert_eq!(
        (&all[0]["state"], &all[0]["records"]),
        (&json!("discarded"), &json!(2))
    );
    assert!(failed.path(&key).exists(), "the object stays");
    // Whoever names it wants it all the same.
    assert_eq!(replayed(client, &key).await["now"], 2);
    assert_eq!(
        order(client, "discard", json!({"letter": key})).await.0,
        200
    );
    assert_eq!(
        replayed(client, &key).await["now"],
        0,
        "that was done before"
    );
    client.flush("clicks").await;
    assert_eq!(failed.delivered().len(), 1);
    failed.service.stop().await;
}

/// Neither is done with an object of that name, and the reason is told.
async fn are_refused(client: &Client, name: &str, (status, told): (u16, &str)) {
    for what in ["replay", "discard"] {
        let (is, answer) = order(client, what, json!({"letter": name})).await;
        let said = answer["message"].as_str().unwrap();
        assert_eq!(is, status, "{what} {name}: {answer}");
        assert!(said.contains(told), "{what} {name}: {said}");
    }
}

#[tokio::test]
async fn what_is_no_object_of_failed_records_is_refused_and_changes_nothing() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    let line = fs::read_to_string(failed.path(&key)).unwrap();
    for (content, told) in [
        (
            format!("{line}no line\n").into_bytes(),
            "line 3 is no failed record",
        ),
        (b"\x1f".to_vec(), "line 1 is no failed record"),
        (vec![0x1f, 0x8b, 0, 0], "cannot be unpacked"),
    ] {
        fs::write(failed.path(&key), content).unwrap();
        are_refused(client, &key, (400, told)).await;
        let letters = listed(client, "").await;
        let why = letters[0]["why"].as_str().unwrap();
        assert!(why.contains(told), "{why}");
    }
    fs::remove_file(failed.path(&key)).unwrap();
    are_refused(client, &key, (404, "is not there, or not any more")).await;
    fs::create_dir(failed.path(&key)).unwrap();
    are_refused(client, &key, (404, "is not there, or not any more")).await;
    fs::remove_dir(failed.path(&key)).unwrap();
    fs::write(failed.path(&key), &line).unwrap();
    client.put_delivery("clicks", &["delivered"]).await;
    client.flush("clicks").await;
    let objects = failed.service.objects(BUCKET);
    let delivered = objects
        .iter()
        .find(|it| !it.key.contains("processing-failed/"));
    // What nobody here has named is nobody's here, whatever it holds.
    let forged = format!("{}0001", &key[..key.len() - 4]);
    let strange = key.replace("clicks", "visits");
    for other in [&forged, &strange] {
        fs::copy(failed.path(&key), failed.path(other)).unwrap();
    }
    for name in [
        delivered.unwrap().key.as_str(),
        &forged,
        &strange,
        "../../etc/passwd",
        "",
    ] {
        let told = "is not the name of an object of failed";
        are_refused(client, name, (400, told)).await;
    }
    let letters = listed(client, "").await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0]["why"].is_null(), "{letters:?}");
    let page = client.delivery("clicks").await;
    assert_eq!(page["replayed"], 0);
    for (page, status) in [
        ("delivery-streams/none/dead-letters", 404),
        ("delivery-streams/clicks/dead-letters/one", 400),
        ("delivery-streams/clicks/dead-letters/none", 404),
        ("delivery-streams/clicks/dead-letters?limit=0", 400),
        ("delivery-streams/clicks/dead-letters?limit=101", 400),
        ("delivery-streams/clicks/dead-letters?limit=x", 400),
        ("delivery-streams/clicks/dead-letters?all=x", 400),
        ("delivery-streams/clicks/dead-letters?prefix=elsewhere", 400),
        ("delivery-streams/clicks/dead-letters/replay", 405),
    ] {
        let answer = client.page(Method::GET, page).await;
        assert_eq!(answer.status(), status, "{page}: {:?}", answer.body());
    }
    failed.service.stop().await;
}

#[tokio::test]
async fn a_body_that_names_no_letter_is_refused() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    for body in [
        json!({}),
        json!({"letter": 5}),
        json!({"letter": key, "x": 1}),
    ] {
        assert_eq!(order(client, "replay", body.clone()).await.0, 400, "{body}");
    }
    failed.service.stop().await;
}

#[tokio::test]
async fn an_object_that_its_owner_has_packed_is_replayed_and_the_same_content_only_once() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    let mut packing = GzEncoder::new(Vec::new(), Compression::default());
    packing
        .write_all(&fs::read(failed.path(&key)).unwrap())
        .unwrap();
    fs::remove_file(failed.path(&key)).unwrap();
    let packed = format!("{key}.gz");
    fs::write(failed.path(&packed), packing.finish().unwrap()).unwrap();
    assert_eq!(replayed(client, &packed).await["now"], 2);
    // The same bytes under the same name are the same object, whenever they were written.
    let bytes = fs::read(failed.path(&packed)).unwrap();
    fs::remove_file(failed.path(&packed)).unwrap();
    fs::write(failed.path(&packed), bytes).unwrap();
    assert_eq!(replayed(client, &packed).await["now"], 0);
    client.flush("clicks").await;
    assert_eq!(failed.delivered().len(), 1);
    failed.service.stop().await;
}

#[tokio::test]
async fn an_object_that_its_owner_packs_after_its_replay_is_not_replayed_again() {
    let failed = Failed::with_mask().await;
    let (client, key) = (&failed.client, failed.failed()[0].clone());
    assert_eq!(replayed(client, &key).await["now"], 2);
    let mut packing = GzEncoder::new(Vec::new(), Compression::default());
    packing
        .write_all(&fs::read(failed.path(&key)).unwrap())
        .unwrap();
    fs::remove_file(failed.path(&key)).unwrap();
    let packed = format!("{key}.gz");
    fs::write(failed.path(&packed), packing.finish().unwrap()).unwrap();
    assert_eq!(replayed(client, &packed).await["now"], 0);
    failed.service.stop().await;
}

/// The names of objects end with the delivery stream's; a prefix can make up for the beginning.
#[tokio::test]
async fn another_account_does_not_see_them_by_a_name_that_theirs_ends_with() {
    let failed = Failed::with_mask().await;
    let key = failed.failed()[0].clone();
    let other = failed.service.other_client();
    let prefix = "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/c";
    let more = json!({"Prefix": "ok/", "ErrorOutputPrefix": prefix});
    other.create_delivery("licks", more).await;
    let page = "delivery-streams/licks/dead-letters";
    let listed = other.read_page(page).await;
    assert_eq!(listed["deadLetters"], json!([]), "{listed}");
    for what in ["replay", "discard"] {
        let page = format!("{page}/{what}");
        let (status, answer) = other.post_page(&page, &json!({"letter": key})).await;
        assert_eq!(status, 400, "{answer}");
    }
    failed.service.stop().await;
}

#[tokio::test]
async fn another_account_neither_sees_nor_replays_them_though_it_has_the_same_names() {
    let failed = Failed::with_mask().await;
    let key = failed.failed()[0].clone();
    let other = failed.service.other_client();
    let page = other.page(Method::GET, LETTERS).await;
    assert_eq!(page.status(), 404);
    // The other account's delivery stream puts into the bucket of that name, too.
    other.create_delivery("clicks", json!({})).await;
    assert_eq!(listed(&other, "").await, [] as [Value; 0]);
    for what in ["replay", "discard"] {
        let (status, answer) = order(&other, what, json!({"letter": key})).await;
        assert_eq!(status, 400, "{answer}");
    }
    let page = other
        .page(Method::GET, &format!("{LETTERS}/one?letter={key}"))
        .await;
    assert_eq!(page.status(), 400);
    assert_eq!(listed(&failed.client, "").await.len(), 1);
    assert_eq!(replayed(&failed.client, &key).await["now"], 2);
    failed.service.stop().await;
}

#[tokio::test]
async fn each_act_is_one_that_policies_know() {
    let arn = format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/clicks");
    let acts = ["List", "Get", "Replay", "Discard"];
    let mut credentials = vec![user(ACCOUNT, "owner", None)];
    for act in acts {
        let letters = if act == "List" {
            "DeadLetters"
        } else {
            "DeadLetter"
        };
        let policy = statement(
            "Allow",
            &json!(format!("millrace:{act}{letters}")),
            &json!(arn),
            None,
        );
        credentials.push(user(ACCOUNT, &act.to_lowercase(), Some(&policy)));
    }
    let files = PluginFiles::with(&["parse-access-log"]);
    let service = Service::start_with(Setting {
        plugins: Some(files.path().to_owned()),
        credentials,
        ..Setting::default()
    })
    .await;
    let owner = service.user("owner");
    let more = json!({"ProcessingConfiguration": through("parse-access-log")});
    owner.create_delivery("clicks", more).await;
    owner.put_delivery("clicks", &RECORDS).await;
    owner.flush("clicks").await;
    let key = listed(&owner, "").await[0]["object"].clone();
    let key = key.as_str().unwrap();
    for act in acts {
        let client = service.user(&act.to_lowercase());
        let list = client.page(Method::GET, LETTERS).await.status().as_u16();
        let one = format!("{LETTERS}/one?letter={key}");
        let get = client.page(Method::GET, &one).await.status().as_u16();
        let (replay, _) = order(&client, "replay", json!({"letter": key})).await;
        let (discard, _) = order(&client, "discard", json!({"letter": key})).await;
        let wanted = acts.map(|it| if it == act { 200 } else { 400 });
        assert_eq!([list, get, replay, discard], wanted, "{act}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_letters_of_all_that_read_a_stream_or_go_through_a_plugin_are_shown_together() {
    let files = PluginFiles::with(&["parse-access-log"]);
    let service = files.start().await;
    let client = service.client();
    client.create("orders", 1).await;
    client.create("others", 1).await;
    let more = json!({"ProcessingConfiguration": through("parse-access-log")});
    client
        .create_delivery_of("clicks", "orders", more.clone())
        .await;
    client
        .create_delivery_of("plain", "orders", json!({"Prefix": "plain/"}))
        .await;
    client.create_delivery("direct", more).await;
    client.put("orders", &base64("no line")).await;
    client.flush("clicks").await;
    let readers = |page: Value| -> Vec<(String, usize)> {
        assert_eq!(page["denied"], 0);
        let readers = page["readers"].as_array().unwrap().iter();
        let readers = readers.map(|it| {
            let name = it["deliveryStream"].as_str().unwrap().to_owned();
            (name, it["deadLetters"].as_array().unwrap().len())
        });
        readers.collect()
    };
    let of = |name: &str, letters: usize| (name.to_owned(), letters);
    let page = client.read_page("streams/orders/dead-letters").await;
    let key = page["readers"][0]["deadLetters"][0]["object"].clone();
    assert_eq!(readers(page), [of("clicks", 1), of("plain", 0)]);
    let page = client
        .read_page("plugins/parse-access-log/dead-letters")
        .await;
    assert_eq!(readers(page), [of("clicks", 1), of("direct", 0)]);
    let page = client.read_page("streams/others/dead-letters").await;
    assert_eq!(readers(page), []);

    let name = key.as_str().unwrap();
    let one = format!("plugins/parse-access-log/dead-letters/one?letter={name}");
    let shown = client
        .read_page(&format!("{one}&deliveryStream=clicks"))
        .await;
    assert_eq!(shown["records"][0]["data"], "no line");
    let body = json!({"letter": key, "deliveryStream": "clicks"});
    // It does not read that stream.
    let (status, _) = client
        .post_page("streams/others/dead-letters/replay", &body)
        .await;
    assert_eq!(status, 404);
    let (status, _) = client
        .post_page(
            "streams/orders/dead-letters/replay",
            &json!({"letter": key}),
        )
        .await;
    assert_eq!(status, 400);
    let page = "streams/orders/dead-letters/replay";
    let (status, answer) = client.post_page(page, &body).await;
    assert_eq!((status, &answer["now"]), (200, &json!(1)), "{answer}");
    client.flush("clicks").await;
    let page = client.delivery("clicks").await;
    let counts = ["recordsIn", "replayed", "failed"].map(|it| page[it].clone());
    assert_eq!(counts, [2, 1, 2].map(|it| json!(it)));
    let page = "plugins/parse-access-log/dead-letters/discard";
    let (status, answer) = client.post_page(page, &body).await;
    assert_eq!((status, answer), (200, json!({"done": true})));
    service.stop().await;
}

#[tokio::test]
async fn what_was_replayed_of_an_encrypted_stream_is_on_the_disk_but_sealed() {
    const SECRET: &str = "a secret that is no line of a log";
    for is_encrypted in [true, false] {
        let (files, keys) = (PluginFiles::with(&["parse-access-log"]), KeyFiles::new());
        let service = Service::start_with(Setting {
            plugins: Some(files.path().to_owned()),
            kms: keys.settings(),
            ..Setting::default()
        })
        .await;
        let client = service.client();
        client.create("orders", 1).await;
        if is_encrypted {
            let input = json!({
                "StreamName": "orders", "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis",
            });
            client.call("StartStreamEncryption", input).await;
            client.until_active("orders").await;
        }
        let more = json!({"ProcessingConfiguration": through("parse-access-log")});
        client.create_delivery_of("clicks", "orders", more).await;
        client.put("orders", &base64(SECRET)).await;
        client.flush("clicks").await;
        let key = listed(&client, "").await[0]["object"].clone();
        let path = service.buckets().join(BUCKET).join(key.as_str().unwrap());
        let count = |service: &Service| {
            let found = service.files_with(&[SECRET, &base64(SECRET)]);
            found
                .into_iter()
                .filter(|it| !format!("{it:?}").contains("processing-failed"))
                .count()
        };
        assert_eq!(count(&service) == 0, is_encrypted);
        assert!(path.exists());
        assert_eq!(replayed(&client, key.as_str().unwrap()).await["now"], 1);
        assert_eq!(count(&service) == 0, is_encrypted);
        let service = service.restart().await;
        let client = service.client();
        assert_eq!(count(&service) == 0, is_encrypted);
        client.delivery_is_active("clicks").await;
        // Nobody asked for an encryption of the delivery stream.
        let described = client.describe_delivery("clicks").await;
        let told = &described["DeliveryStreamEncryptionConfiguration"]["Status"];
        assert_eq!(told, "DISABLED");
        client.flush("clicks").await;
        let page = client.delivery("clicks").await;
        let counts = ["replayed", "failed", "waitingRecords"].map(|it| page[it].clone());
        assert_eq!(counts, [1, 2, 0].map(|it| json!(it)));
        service.stop().await;
    }
}
