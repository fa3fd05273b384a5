//! Delivery streams in the tests: made in one line, put to, waited for by asking, and what they
//! delivered.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use crate::{Client, REGION, Service};

/// The bucket that [`destination`] names.
pub const BUCKET: &str = "logs";
/// The role that [`destination`] names; roles mean nothing here.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/delivery";
/// Questions until a page says what is waited for, at most: enough for what the server itself
/// waits for by the clock on the wall, such as files that settle.
const QUESTIONS_MAX: usize = 100_000;

/// An object as it lies in its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name below the bucket.
    pub key: String,
    /// What it holds.
    pub content: Vec<u8>,
}

impl Object {
    /// What it holds, as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.content).expect("the object is text")
    }
}

impl Service {
    /// The objects of a bucket in order of their names, where no S3 endpoint was named.
    pub fn objects(&self, bucket: &str) -> Vec<Object> {
        let root = self.buckets().join(bucket);
        let mut found = Vec::new();
        if root.exists() {
            gather(&root, &root, &mut found);
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }

    /// What the objects of [`BUCKET`] hold, in order of their names.
    pub fn delivered(&self) -> Vec<String> {
        let objects = self.objects(BUCKET);
        objects.iter().map(|o| o.text().to_owned()).collect()
    }
}

fn gather(root: &Path, folder: &Path, found: &mut Vec<Object>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, found);
            continue;
        }
        let key = path.strip_prefix(root).unwrap().to_str().unwrap();
        found.push(Object {
            key: key.to_owned(),
            content: std::fs::read(&path).unwrap(),
        });
    }
}

/// Members of an extended S3 destination that delivers nothing unless it is flushed, and those of
/// `more` over them.
pub fn destination(more: Value) -> Value {
    let patient = json!({
        "RoleARN": ROLE,
        "BucketARN": format!("arn:aws:s3:::{BUCKET}"),
        "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
    });
    over(patient, more)
}

/// What a destination has whose records go through a function of an account, named with its
/// version or alias, if it has one: its objects are in the bucket `name`, below `delivered/` and
/// `failed/`.
pub fn through(name: &str, account: &str, function: &str) -> Value {
    let function = format!("arn:aws:lambda:{REGION}:{account}:function:{function}");
    let parameters = json!([{"ParameterName": "LambdaArn", "ParameterValue": function}]);
    let processors = json!([{"Type": "Lambda", "Parameters": parameters}]);
    json!({
        "BucketARN": format!("arn:aws:s3:::{name}"),
        "Prefix": "delivered/",
        "ErrorOutputPrefix": "failed/",
        "ProcessingConfiguration": {"Enabled": true, "Processors": processors},
    })
}

/// `members` with those of `more` added or in the place of those of the same name.
pub fn over(mut members: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("{more} has no members");
    };
    members.as_object_mut().unwrap().extend(more);
    members
}

/// Base64 of bytes, as blobs are written.
pub fn base64(data: impl AsRef<[u8]>) -> String {
    let mut out = Vec::new();
    wire::json::write_base64(&mut out, data.as_ref());
    String::from_utf8(out).unwrap()
}

impl Client {
    /// Creates a delivery stream for direct puts with `more` over [`destination`], and waits until
    /// it is ACTIVE.
    pub async fn create_delivery(&self, name: &str, more: Value) {
        let input = json!({
            "DeliveryStreamName": name,
            "ExtendedS3DestinationConfiguration": destination(more),
        });
        self.call("Firehose.CreateDeliveryStream", input).await;
        self.delivery_is_active(name).await;
    }

    /// Creates a delivery stream that reads `stream`, and waits until it is ACTIVE.
    pub async fn create_delivery_of(&self, name: &str, stream: &str, more: Value) {
        let input = json!({
            "DeliveryStreamName": name,
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": self.summary(stream).await["StreamARN"],
                "RoleARN": ROLE,
            },
            "ExtendedS3DestinationConfiguration": destination(more),
        });
        self.call("Firehose.CreateDeliveryStream", input).await;
        self.delivery_is_active(name).await;
    }

    /// Waits until a delivery stream is ACTIVE.
    pub async fn delivery_is_active(&self, name: &str) {
        let page = format!("delivery-streams/{name}");
        self.page_until(&page, |page| page["status"] == "ACTIVE")
            .await;
    }

    /// Deletes a delivery stream and waits until it is gone.
    pub async fn delete_delivery(&self, name: &str) {
        let input = json!({"DeliveryStreamName": name});
        self.call("Firehose.DeleteDeliveryStream", input).await;
        let gone = |page: &Value| {
            let mut left = page["deliveryStreams"].as_array().unwrap().iter();
            left.all(|stream| stream["name"] != name)
        };
        self.page_until("delivery-streams", gone).await;
    }

    /// DescribeDeliveryStream's description.
    pub async fn describe_delivery(&self, name: &str) -> Value {
        let input = json!({"DeliveryStreamName": name});
        let answer = self.call("Firehose.DescribeDeliveryStream", input).await;
        answer["DeliveryStreamDescription"].clone()
    }

    /// Puts records of this data to a delivery stream in one call.
    pub async fn put_delivery(&self, name: &str, data: &[impl AsRef<[u8]>]) {
        let records = data.iter().map(|data| json!({"Data": base64(data)}));
        let records: Vec<_> = records.collect();
        let input = json!({"DeliveryStreamName": name, "Records": records});
        let answer = self.call("Firehose.PutRecordBatch", input).await;
        assert_eq!(answer["FailedPutCount"], 0);
    }

    /// Lets a delivery stream deliver everything that waits.
    pub async fn flush(&self, name: &str) {
        let page = format!("delivery-streams/{name}/flush");
        let answer = self.page(Method::POST, &page).await;
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(body, "{\"delivered\":true}", "{name}");
    }

    /// How a delivery stream is, by its page.
    pub async fn delivery(&self, name: &str) -> Value {
        self.read_page(&format!("delivery-streams/{name}")).await
    }

    /// Waits until the page of a delivery stream is as it should be.
    pub async fn delivery_until(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.page_until(&format!("delivery-streams/{name}"), wanted)
            .await
    }

    /// A page that must be there.
    pub async fn read_page(&self, page: &str) -> Value {
        let answer = self.page(Method::GET, page).await;
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), 200, "{page}: {body}");
        serde_json::from_str(&body).expect("a page is JSON")
    }

    /// Waits until a page that is there is as it should be.
    pub async fn page_until(&self, page: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..QUESTIONS_MAX {
            last = self.read_page(page).await;
            if wanted(&last) {
                return last;
            }
        }
        panic!("{page} does not become as it should be: {last}");
    }
}
