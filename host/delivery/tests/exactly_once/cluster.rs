//! A cluster of OpenSearch that knows `_bulk`: each document that it has taken lies in the bucket
//! `endpoint`, under its id. It refuses some documents, the same ones whenever they come.

use bytes::Bytes;
use delivery::endpoints::{EndpointRequest, NoReply, Reply};
use serde_json::{Value, json};

use crate::buckets::{Buckets, Took};
use crate::endpoint::{ENDPOINT, PLACE};
use crate::ledger::id_in;
use crate::world::{destination, processing};

/// Of so many records one is refused.
const REFUSED_EVERY: u64 = 4;

/// A destination at the cluster, with what it refuses in `bucket`.
pub fn cluster_destination(bucket: &str, plugin: Option<&str>) -> Value {
    let mut s3 = destination(bucket, "a/");
    s3.as_object_mut()
        .unwrap()
        .remove("ProcessingConfiguration");
    json!({
        "RoleARN": "arn:aws:iam::000000000000:role/any",
        "ClusterEndpoint": PLACE,
        "IndexName": "logs",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "ProcessingConfiguration": processing(plugin),
        "S3Configuration": s3,
    })
}

/// Whether a request is one to a cluster.
pub fn is_asked(request: &EndpointRequest) -> bool {
    request.url.contains("/_bulk?")
}

/// Answers a request.
pub async fn answer(buckets: &Buckets, request: EndpointRequest) -> Result<Reply, NoReply> {
    let body = String::from_utf8(request.body.concat()).unwrap();
    assert!(body.ends_with('\n'));
    let lines: Vec<&str> = body.lines().collect();
    let (mut taken, mut items) = (Vec::new(), Vec::new());
    for pair in lines.chunks(2) {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let id = action["create"]["_id"].as_str().unwrap();
        let is_refused = id_in(pair[1]) % REFUSED_EVERY == 1;
        if !is_refused {
            taken.push((in_order(id), Bytes::from(pair[1].to_owned())));
        }
        // Whether it was there before is nothing to go by.
        let status = if is_refused { 400 } else { 409 };
        items.push(json!({"create": {"status": status}}));
    }
    match buckets.take_all(ENDPOINT, taken).await {
        Took::Well(_) => Ok(said(200, &json!({"items": items}))),
        Took::Not => Ok(said(503, &json!({}))),
        Took::Broken => Err(NoReply::Broken("reset by peer".to_owned())),
        Took::Never => Ok(said(413, &json!({}))),
        Took::Misconfigured => Ok(said(403, &json!({}))),
    }
}

/// An id in whose order as text records are in theirs: `<cut>.<record>.<document>`.
fn in_order(id: &str) -> String {
    let parts: Vec<&str> = id.split('.').collect();
    let [cut, record, document] = parts[..] else {
        panic!("{id}");
    };
    format!("{cut}.{record:0>9}.{document}")
}

fn said(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        body: body.to_string().into_bytes(),
        ..Reply::default()
    }
}
