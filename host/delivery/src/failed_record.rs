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

/// Appends the line of a record. `ended_at` is the same whenever the line is written again; the
/// function is that of the transform that failed the record, if one did.
pub fn write_line(
    out: &mut Vec<u8>,
    record: (&[u8], Timestamp),
    failure: Failure<'_>,
    ended_at: Timestamp,
    function_arn: Option<&str>,
) {
    let (data, arrival) = record;
    let head = format!(
        "{{\"attemptsMade\":{},\"arrivalTimestamp\":{},\"errorCode\":",
        failure.attempts, arrival.0
    );
    out.extend_from_slice(head.as_bytes());
    write_string(out, failure.code);
    out.extend_from_slice(b",\"errorMessage\":");
    write_string(out, failure.message);
    out.extend_from_slice(format!(",\"attemptEndingTimestamp\":{}", ended_at.0).as_bytes());
    out.extend_from_slice(b",\"rawData\":\"");
    write_base64(out, data);
    out.push(b'"');
    if let Some(reason) = failure.reason {
        out.extend_from_slice(b",\"reason\":");
        write_string(out, reason);
    }
    if let Some(arn) = function_arn {
        out.extend_from_slice(b",\"lambdaARN\":");
        write_string(out, arn);
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
            Some("arn:x"),
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
