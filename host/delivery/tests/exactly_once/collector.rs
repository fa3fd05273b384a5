//! A Splunk event collector that knows its protocol: what it has taken lies in the bucket
//! `endpoint`, in the order in which it came. It knows nothing again: that a request came once more
//! is seen by its body, which no other request has.

use bytes::Bytes;
use delivery::endpoints::{EndpointRequest, NoReply, Reply};
use serde_json::{Value, json};

use crate::buckets::{Buckets, Took};
use crate::endpoint::{ENDPOINT, PLACE};
use crate::world::{destination, processing};

pub const TOKEN: &str = "let me in";

/// A destination at the collector, with what it refuses in `bucket`.
pub fn splunk_destination(bucket: &str, plugin: Option<&str>) -> Value {
    let mut s3 = destination(bucket, "a/");
    s3.as_object_mut()
        .unwrap()
        .remove("ProcessingConfiguration");
    json!({
        "HECEndpoint": PLACE,
        "HECEndpointType": "Raw",
        "HECToken": TOKEN,
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "ProcessingConfiguration": processing(plugin),
        "S3Configuration": s3,
    })
}

/// Whether a request is one to a collector.
pub fn is_asked(request: &EndpointRequest) -> bool {
    request.url.contains("/services/collector/")
}

/// Answers a request.
pub async fn answer(buckets: &Buckets, request: EndpointRequest) -> Result<Reply, NoReply> {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(header("authorization"), Some("Splunk let me in"));
    let channel = header("x-splunk-request-channel").unwrap();
    assert!(request.url.ends_with(&format!("?channel={channel}")));
    let body = Bytes::from(request.body.concat());
    if request.url.contains("/ack?") {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let number = asked["acks"][0].as_u64().unwrap();
        // Whatever was taken is indexed at once.
        return Ok(said(200, &json!({"acks": {number.to_string(): true}})));
    }
    assert!(request.url.contains("/raw?") && !body.is_empty());
    match buckets.take_anew(ENDPOINT, body).await {
        Took::Well(_) => Ok(said(
            200,
            &json!({"text": "Success", "code": 0, "ackId": 7}),
        )),
        Took::Not => Ok(said(503, &json!({"text": "Server is busy", "code": 9}))),
        Took::Broken => Err(NoReply::Broken("reset by peer".to_owned())),
        Took::Never => Ok(said(
            400,
            &json!({"text": "Invalid data format", "code": 6}),
        )),
        Took::Misconfigured => Ok(said(403, &json!({"text": "Invalid token", "code": 4}))),
    }
}

fn said(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        body: body.to_string().into_bytes(),
        ..Reply::default()
    }
}
