//! A line of an object of failed records becomes a failed record, whoever wrote it: AWS's service
//! and this one write the same members (`failed_record`).

use std::borrow::Cow;

use serde::Deserialize;
use types::Timestamp;

use crate::replayed::History;

/// A record that failed, as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// When it arrived, and how often it was tried.
    pub history: History,
    /// One of AWS's words.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Why the plugin failed it, where it said so.
    pub reason: Option<String>,
    /// When it was given up.
    pub ended_at: Option<Timestamp>,
    /// What it holds.
    pub data: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    attempts_made: u32,
    arrival_timestamp: u64,
    #[serde(borrow, alias = "lastErrorCode")]
    error_code: Cow<'a, str>,
    #[serde(default, borrow, alias = "lastErrorMessage")]
    error_message: Cow<'a, str>,
    #[serde(default)]
    attempt_ending_timestamp: Option<u64>,
    #[serde(borrow)]
    raw_data: Cow<'a, str>,
    #[serde(default, borrow)]
    reason: Option<Cow<'a, str>>,
}

impl FailedRecord {
    /// Reads a line.
    ///
    /// # Errors
    /// Why it is none, as a sentence's end.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let data = base64_simd::STANDARD.decode_to_vec(line.raw_data.as_bytes());
        Ok(Self {
            history: History {
                arrival: Timestamp(line.arrival_timestamp),
                attempts: line.attempts_made,
            },
            code: line.error_code.into_owned(),
            message: line.error_message.into_owned(),
            reason: line.reason.map(Cow::into_owned),
            ended_at: line.attempt_ending_timestamp.map(Timestamp),
            data: data.map_err(|error| format!("rawData is not base64: {error}"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failed_record::{Failure, Origin, write_line};

    #[test]
    fn what_is_written_reads_back_and_so_does_what_aws_writes() {
        for reason in [None, Some("because \"so\"\t")] {
            let mut line = Vec::new();
            let failure = Failure {
                code: "Lambda.FunctionError",
                message: "a \"quote\"",
                reason,
                attempts: 4,
            };
            let record = (&b"\xff\n"[..], Timestamp(7));
            write_line(
                &mut line,
                record,
                failure,
                Timestamp(9),
                Origin::Function("arn:x"),
            );
            let read = FailedRecord::read(&line).unwrap();
            let history = History {
                arrival: Timestamp(7),
                attempts: 4,
            };
            assert_eq!((read.history, &read.data[..]), (history, &b"\xff\n"[..]));
            assert_eq!(read.reason.as_deref(), reason);
            let words = (read.code.as_str(), read.message.as_str(), read.ended_at);
            assert_eq!(
                words,
                ("Lambda.FunctionError", "a \"quote\"", Some(Timestamp(9)))
            );
        }
        let aws = r#"{"attemptsMade":4,"arrivalTimestamp":1,"errorCode":"Lambda.FunctionError",
            "errorMessage":"no","attemptEndingTimestamp":2,"rawData":"YQ==","lambdaArn":"arn"}"#;
        assert_eq!(FailedRecord::read(aws.as_bytes()).unwrap().data, b"a");
    }

    #[test]
    fn what_is_no_failed_record_is_told() {
        for (line, told) in [
            ("", "EOF"),
            ("hello", "expected value"),
            ("{}", "missing field `attemptsMade`"),
            (
                r#"{"attemptsMade":-1,"arrivalTimestamp":1,"errorCode":"","rawData":""}"#,
                "invalid value",
            ),
            (
                r#"{"attemptsMade":1,"arrivalTimestamp":1,"errorCode":"","rawData":"?"}"#,
                "rawData is not base64",
            ),
        ] {
            let why = FailedRecord::read(line.as_bytes()).unwrap_err();
            assert!(why.contains(told), "{line}: {why}");
        }
    }
}
