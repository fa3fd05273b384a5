//! What is staged for Redshift in a real S3 server: each delivery is loaded once, wherever between
//! its objects the server that delivers ends.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::Method;
use millrace_tests::postgres::{Database, LOADER, Postgres};
use millrace_tests::redshift::Redshift;
use millrace_tests::{BUCKET, Client, ROLE, Service, Setting};
use serde_json::{Value, json};
use wasm::HostPattern;

use crate::endpoint::{Does, Endpoint};

struct Staged {
    rows: Database,
    endpoint: Endpoint,
    service: Service,
    client: Client,
}

/// A delivery stream into the table `events (id int)` of a double of Redshift, which tries no load
/// twice.
async fn staged(name: &str) -> Staged {
    let shared = tokio::task::spawn_blocking(Postgres::shared).await.unwrap();
    let rows = shared.new_database(name).await;
    let made = rows.client.batch_execute("CREATE TABLE events (id int)");
    made.await.unwrap();
    let redshift = Redshift::start(name).await;
    let endpoint = Endpoint::start(&[BUCKET]).await;
    redshift.fetches_from(endpoint.folder());
    let port = redshift.port;
    let service = Service::start_with(Setting {
        egress_allow: vec![HostPattern::parse(&format!("127.0.0.1:{port}")).unwrap()],
        ..endpoint.setting()
    })
    .await;
    let client = service.client();
    let input = json!({
        "DeliveryStreamName": "logs",
        "RedshiftDestinationConfiguration": {
            "RoleARN": ROLE,
            "ClusterJDBCURL": format!("jdbc:redshift://127.0.0.1:{port}/{name}?sslmode=disable"),
            "CopyCommand": {"DataTableName": "events", "CopyOptions": "CSV GZIP"},
            "Username": LOADER.0,
            "Password": LOADER.1,
            "RetryOptions": {"DurationInSeconds": 0},
            "S3Configuration": {
                "RoleARN": ROLE,
                "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
                "CompressionFormat": "GZIP",
            },
        },
    });
    client.call("Firehose.CreateDeliveryStream", input).await;
    client.delivery_is_active("logs").await;
    Staged {
        rows,
        endpoint,
        service,
        client,
    }
}

impl Staged {
    /// From now on the PUT of this number, counted from 1, and all after it end so.
    fn ends_from(&self, number: u64, does: Does) {
        let puts = Arc::new(AtomicU64::new(0));
        self.endpoint.rule(move |_, method| {
            let count = u64::from(method == Method::PUT);
            let so_far = puts.fetch_add(count, Ordering::SeqCst) + count;
            if count > 0 && so_far >= number {
                does
            } else {
                Does::Well
            }
        });
    }

    /// Restarts the server once a put was not answered well, before a store that works again.
    async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same after something was done with the bucket.
    async fn restart_after(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        let has_failed = |page: &Value| page["retries"].as_u64() > Some(0);
        self.client.delivery_until("logs", has_failed).await;
        let bucket = self.endpoint.folder().join(BUCKET);
        self.service = self.service.restart_after(|| meanwhile(&bucket)).await;
        self.endpoint.rule(|_, _| Does::Well);
        self.client = self.service.client();
        self.client.flush("logs").await;
        self
    }

    async fn ids(&self) -> Vec<i32> {
        let rows = self
            .rows
            .client
            .query("SELECT id FROM events ORDER BY id", &[]);
        rows.await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// How many objects there are, with manifests, and how many manifests of what was given up.
    fn objects(&self) -> (usize, usize) {
        let objects = self.endpoint.objects(BUCKET);
        let given_up = objects.iter();
        let given_up = given_up.filter(|object| object.key.starts_with("errors/manifests/"));
        (objects.len(), given_up.count())
    }
}

#[tokio::test]
async fn what_ends_between_the_object_and_its_manifest_is_loaded_once() {
    for (name, number, does) in [
        ("object_lost", 1, Does::Close),
        ("object_untold", 1, Does::BreakOff),
        ("manifest_lost", 2, Does::Close),
        ("manifest_untold", 2, Does::BreakOff),
    ] {
        let staged = staged(name).await;
        staged.ends_from(number, does);
        staged.client.put_delivery("logs", &["1\n", "2\n"]).await;
        let staged = staged.restart().await;
        assert_eq!(staged.ids().await, [1, 2], "{name}");
        assert_eq!(staged.objects(), (2, 0), "{name}");
        let page = staged.client.delivery("logs").await;
        assert_eq!(
            (&page["delivered"], &page["failed"]),
            (&json!(2), &json!(0))
        );
        staged.service.stop().await;
    }
}

/// It is decided that the delivery failed, and kept; the manifest of that is put later, once.
#[tokio::test]
async fn what_ends_before_the_manifest_of_a_failed_load_leaves_that_after_a_restart() {
    for (name, does) in [
        ("failed_lost", Does::Close),
        ("failed_untold", Does::BreakOff),
    ] {
        let staged = staged(name).await;
        // The object, its manifest, and both once more: the object is there then.
        staged.ends_from(4, does);
        staged.client.put_delivery("logs", &["1\n", "x\n"]).await;
        let staged = staged.restart().await;
        assert_eq!(staged.ids().await, [] as [i32; 0], "{name}");
        assert_eq!(staged.objects(), (3, 1), "{name}");
        let page = staged.client.delivery("logs").await;
        assert_eq!(
            (&page["delivered"], &page["failed"]),
            (&json!(0), &json!(2))
        );
        staged.client.put_delivery("logs", &["3\n"]).await;
        staged.client.flush("logs").await;
        assert_eq!(staged.ids().await, [3], "{name}");
        staged.service.stop().await;
    }
}

/// Another build had packed the object otherwise, and ended before its manifest.
#[tokio::test]
async fn a_manifest_says_how_long_the_object_is_that_is_there() {
    let staged = staged("repacked").await;
    staged.ends_from(2, Does::Close);
    staged.client.put_delivery("logs", &["1\n", "2\n"]).await;
    let has_failed = |page: &Value| page["retries"].as_u64() > Some(0);
    staged.client.delivery_until("logs", has_failed).await;
    let key = staged.endpoint.objects(BUCKET).remove(0).key;
    let staged = staged
        .restart_after(|bucket| {
            let path = bucket.join(&key);
            let packed = std::fs::read(&path).unwrap();
            let mut content = Vec::new();
            GzDecoder::new(&packed[..])
                .read_to_end(&mut content)
                .unwrap();
            let mut again = GzEncoder::new(Vec::new(), Compression::none());
            again.write_all(&content).unwrap();
            let again = again.finish().unwrap();
            assert_ne!(again.len(), packed.len());
            std::fs::write(&path, again).unwrap();
        })
        .await;
    // The double refuses a manifest with another length.
    assert_eq!(staged.ids().await, [1, 2]);
    assert_eq!(staged.objects(), (2, 0));
}
