//! A record that could not be worked on, as AWS writes it (developer guide, "Data Transformation
//! Failure Handling"): one JSON object a line. The guide ends it with `lambdaArn`; what the service
//! writes is `lambdaARN`.

use types::Timestamp;
use wire::json::{write_base64, write_string};

/// Why a record is not delivered.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// One of AWS's words.
    pub code: &'a str,
    /// AWS's sentence for the code, or what happened in words.
    pub message: &'a str,
    /// Why the plugin failed the record, where it said so: a member of ours.
    pub reason: Option<&'a str>,
    /// How often it was tried.
    pub attempts: u32,
}

/// What failed a record.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// The function of its transform, or an operator where it has no name.
    Function(&'a str),
    /// The cluster that it was to be a document of (developer guide, "OpenSearch Service data
    /// delivery failure handling").
    Cluster {
        /// The index.
        index: &'a str,
        /// The id of the document, if it has one.
        id: Option<&'a str>,
        /// Its type; empty where there are none.
        type_name: &'a str,
    },
    /// The table that it was to be a row of: `dataCatalogTable`, as JSON (developer guide, "Error
    /// handling for data format conversion").
    Table(&'a [u8]),
    /// Another destination.
    Destination,
}

/// Appends the line of a record. `ended_at` is the same whenever the line is written again.
pub fn write_line(
    out: &mut Vec<u8>,
    record: (&[u8], Timestamp),
    failure: Failure<'_>,
    ended_at: Timestamp,
    origin: Origin<'_>,
) {
    let (data, arrival) = record;
    let [code, message] = match origin {
        Origin::Table(_) => ["lastErrorCode", "lastErrorMessage"],
        Origin::Function(_) | Origin::Cluster { .. } | Origin::Destination => {
            ["errorCode", "errorMessage"]
        }
    };
    let head = format!(
        "{{\"attemptsMade\":{},\"arrivalTimestamp\":{},\"{code}\":",
        failure.attempts, arrival.0
    );
    out.extend_from_slice(head.as_bytes());
    write_string(out, failure.code);
    out.extend_from_slice(format!(",\"{message}\":").as_bytes());
    write_string(out, failure.message);
    out.extend_from_slice(format!(",\"attemptEndingTimestamp\":{}", ended_at.0).as_bytes());
    out.extend_from_slice(b",\"rawData\":\"");
    write_base64(out, data);
    out.push(b'"');
    if let Some(reason) = failure.reason {
        out.extend_from_slice(b",\"reason\":");
        write_string(out, reason);
    }
    let member = |out: &mut Vec<u8>, name: &[u8], value: &str| {
        out.extend_from_slice(name);
        write_string(out, value);
    };
    match origin {
        Origin::Function(arn) => member(out, b",\"lambdaARN\":", arn),
        Origin::Cluster {
            index,
            id,
            type_name,
        } => {
            // Where the cluster gives ids, one that it refused has none.
            member(out, b",\"esDocumentId\":", id.unwrap_or(""));
            member(out, b",\"esIndexName\":", index);
            member(out, b",\"esTypeName\":", type_name);
        }
        Origin::Table(table) => {
            out.extend_from_slice(b",\"dataCatalogTable\":");
            out.extend_from_slice(table);
        }
        Origin::Destination => {}
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_whatever_the_record_and_the_reason_hold() {
        let mut out = Vec::new();
        let failure = Failure {
            code: "Lambda.FunctionError",
            message: "a \"quote\"\nand a line",
            reason: Some("because \"so\"\t"),
            attempts: 4,
        };
        write_line(
            &mut out,
            (b"\xffraw", Timestamp(7)),
            failure,
            Timestamp(9),
            Origin::Function("arn:x"),
        );
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let wanted = serde_json::json!({
            "attemptsMade": 4,
            "arrivalTimestamp": 7,
            "errorCode": "Lambda.FunctionError",
            "errorMessage": "a \"quote\"\nand a line",
            "attemptEndingTimestamp": 9,
            "rawData": "/3Jhdw==",
            "reason": "because \"so\"\t",
            "lambdaARN": "arn:x",
        });
        assert_eq!(line, wanted);
        assert!(out.ends_with(b",\"lambdaARN\":\"arn:x\"}\n"));
    }
}
