//! An HTTP endpoint that knows the contract: what it has taken lies in the bucket `endpoint`, under
//! the request's id.

use std::io::Read;

use async_trait::async_trait;
use bytes::Bytes;
use delivery::endpoints::{EndpointRequest, Endpoints, NoReply, Reply};
use delivery::objects::Created;
use serde_json::{Value, json};
use types::Invalid;

use crate::buckets::{Buckets, Took};
use crate::world::{destination, processing};
use crate::{cluster, collector};

/// Where requests lie.
pub const ENDPOINT: &str = "endpoint";
pub const URL: &str = "https://endpoint.example/take?it=all";
/// What all URLs begin with that are called by somebody.
pub const PLACE: &str = "https://endpoint.example/";
pub const KEY: &str = "let me in";

/// A destination at the endpoint, with what it refuses in `bucket`.
pub fn http_destination(bucket: &str, plugin: Option<&str>) -> Value {
    let mut s3 = destination(bucket, "a/");
    s3.as_object_mut()
        .unwrap()
        .remove("ProcessingConfiguration");
    json!({
        "EndpointConfiguration": {"Url": URL, "Name": "mine", "AccessKey": KEY},
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "ProcessingConfiguration": processing(plugin),
        "S3Configuration": s3,
    })
}

/// The data of all records of a request.
pub fn records_of(body: &[u8]) -> Vec<String> {
    let text = text_of(body);
    if !text.starts_with("{\"requestId\"") {
        // A collector has them one after the other.
        return text.split_inclusive('\n').map(str::to_owned).collect();
    }
    let body: Value = serde_json::from_str(&text).unwrap();
    let records = body["records"].as_array().unwrap().iter();
    let data = records.map(|record| {
        let data = record["data"].as_str().unwrap();
        let data = base64_simd::STANDARD.decode_to_vec(data).unwrap();
        String::from_utf8(data).unwrap()
    });
    data.collect()
}

fn text_of(body: &[u8]) -> String {
    let mut text = String::new();
    let read = if body.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text)
    } else {
        (&body[..]).read_to_string(&mut text)
    };
    read.unwrap();
    text
}

/// What every request is held to, whatever becomes of it; its id.
fn check(request: &EndpointRequest, body: &[u8]) -> String {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert!(request.url.starts_with(PLACE));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("x-amz-firehose-protocol-version"), Some("1.0"));
    let arn = "arn:aws:firehose:eu-west-1:000000000000:deliverystream/hose";
    assert_eq!(header("x-amz-firehose-source-arn"), Some(arn));
    assert!(header("x-amz-firehose-access-key").is_some());
    let is_packed = body.starts_with(&[0x1f, 0x8b]);
    assert_eq!(header("content-encoding"), is_packed.then_some("gzip"));
    let id = header("x-amz-firehose-request-id").unwrap();
    let read: Value = serde_json::from_str(&text_of(body)).unwrap();
    assert_eq!(read["requestId"], id);
    assert!(read["timestamp"].is_u64());
    let records = read["records"].as_array().unwrap().len();
    assert!((1..=10_000).contains(&records));
    id.to_owned()
}

#[async_trait]
impl Endpoints for Buckets {
    fn permits(&self, url: &str) -> Result<(), Invalid> {
        if url.starts_with(PLACE) {
            Ok(())
        } else {
            Err(Invalid(format!("{url} is called by nobody")))
        }
    }

    async fn post(&self, request: EndpointRequest) -> Result<Reply, NoReply> {
        if cluster::is_asked(&request) {
            return cluster::answer(self, request).await;
        }
        if collector::is_asked(&request) {
            return collector::answer(self, request).await;
        }
        let body = Bytes::from(request.body.concat());
        let id = check(&request, &body);
        let answer = |status, id: &str| Reply {
            status,
            content_type: Some("application/json".to_owned()),
            is_encoded: false,
            has_length: true,
            body: json!({"requestId": id, "timestamp": 1, "errorMessage": "told"})
                .to_string()
                .into_bytes(),
            ..Reply::default()
        };
        match self.take((ENDPOINT.to_owned(), id.clone()), body).await {
            Took::Well(Created::New | Created::There) => Ok(answer(200, &id)),
            // It is noted as a clash.
            Took::Well(Created::Different) => Ok(answer(500, &id)),
            Took::Not => Ok(answer(503, &id)),
            Took::Broken => Err(NoReply::Broken("reset by peer".to_owned())),
            Took::Never => Ok(answer(413, &id)),
            Took::Misconfigured => Ok(answer(401, &id)),
        }
    }
}
