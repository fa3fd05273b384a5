//! What a Splunk event collector's answers mean (Splunk, "Troubleshoot HTTP Event Collector";
//! developer guide, "Splunk data delivery errors"). Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::verdict::{Verdict, said, words};
use crate::answers::Fault;
use crate::endpoints::{ANSWER_BYTES_MAX, NoReply, Reply};
use crate::splunk::EventForm;

/// The usual word for a request that was not taken.
pub const SERVER_ERROR: &str = "Splunk.ServerError";
/// The word for records that are no events.
pub const INVALID_DATA_FORMAT: &str = "Splunk.InvalidDataFormat";
const INDEXER_BUSY: &str = "Splunk.IndexerBusy";
const ACKNOWLEDGEMENTS_DISABLED: &str = "Splunk.AcknowledgementsDisabled";
const ACK_TIMEOUT: &str = "Splunk.AckTimeout";

/// How a question for an acknowledgement was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// What was sent is indexed.
    Yes,
    /// Not at the moment, and what was said instead, if that was something else than no.
    NotYet(Option<String>),
    /// It is not found out.
    Unknown(Verdict),
}

/// An answer of the collector.
#[derive(Deserialize)]
struct Told {
    code: u64,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
}

/// Its answer to a question for acknowledgements.
#[derive(Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

/// Whether the collector answers questions for acknowledgements of this token, which were asked
/// for before anything was sent: what nobody acknowledges would be sent again and again.
///
/// # Errors
/// What becomes of the records otherwise.
pub fn answers(asked: &Result<Reply, NoReply>, form: EventForm) -> Result<(), Verdict> {
    match asked {
        Ok(reply) if reply.status == 200 => match serde_json::from_slice::<Acks>(&reply.body) {
            Ok(_) => Ok(()),
            Err(error) => Err(Verdict::Again(not_understood(&error.to_string()))),
        },
        Ok(reply) => Err(match refusal(reply, form) {
            // That was said of the question, and not of records.
            Verdict::Never(fault) => Verdict::Again(fault),
            other => other,
        }),
        Err(no_reply) => Err(judge_none(no_reply)),
    }
}

/// The number by which the acknowledgement of what was sent can be asked for.
///
/// # Errors
/// What becomes of the records otherwise.
pub fn sent(answered: &Result<Reply, NoReply>, form: EventForm) -> Result<u64, Verdict> {
    let reply = match answered {
        Ok(reply) => reply,
        Err(no_reply) => return Err(judge_none(no_reply)),
    };
    if reply.status != 200 {
        return Err(refusal(reply, form));
    }
    let told: Told = serde_json::from_slice(&reply.body)
        .map_err(|error| Verdict::Again(not_understood(&error.to_string())))?;
    match (told.code, told.ack_id) {
        (0, Some(ack_id)) => Ok(ack_id),
        // They were taken, and are there once more with each try: that is done for its time only.
        (0, None) => Err(Verdict::Again(fault(ACKNOWLEDGEMENTS_DISABLED, reply))),
        _ => Err(refusal(reply, form)),
    }
}

/// What is known of a request by an answer to the question for its number.
pub fn acknowledged(
    asked: &Result<Reply, NoReply>,
    (ack_id, form): (u64, EventForm),
) -> Acknowledged {
    let reply = match asked {
        Ok(reply) => reply,
        Err(no_reply) => {
            return match judge_none(no_reply) {
                Verdict::Again(fault) => Acknowledged::NotYet(Some(fault.message)),
                other => Acknowledged::Unknown(taken_already(other)),
            };
        }
    };
    if reply.status != 200 {
        return match refusal(reply, form) {
            wrong @ Verdict::Misconfigured(_) => Acknowledged::Unknown(taken_already(wrong)),
            _ => Acknowledged::NotYet(Some(said(reply))),
        };
    }
    match serde_json::from_slice::<Acks>(&reply.body) {
        Ok(Acks { acks }) if acks.get(&ack_id.to_string()) == Some(&true) => Acknowledged::Yes,
        Ok(_) => Acknowledged::NotYet(None),
        Err(error) => Acknowledged::NotYet(Some(not_understood(&error.to_string()).message)),
    }
}

/// What becomes of records that were taken when they cannot be asked about any more. They are there
/// once more with each try: that is done for its time only.
fn taken_already(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Misconfigured(message) => Verdict::Again(Fault {
            code: ACK_TIMEOUT,
            message,
        }),
        other => other,
    }
}

/// What becomes of records for which no acknowledgement came within so many seconds.
pub fn not_acknowledged(seconds: u64, instead: Option<&str>) -> Verdict {
    let told = instead.map_or(String::new(), |told| format!(" The last answer: {told}"));
    Verdict::Again(Fault {
        code: ACK_TIMEOUT,
        message: format!(
            "Did not receive an acknowledgement from HEC before the acknowledgement timeout of \
             {seconds} s expired. Despite that it's possible the data was indexed successfully in \
             Splunk.{told}"
        ),
    })
}

/// What an answer that is no success says of the records.
fn refusal(reply: &Reply, form: EventForm) -> Verdict {
    let told = serde_json::from_slice::<Told>(&reply.body);
    let code = told.ok().map(|told| told.code).filter(|code| *code != 0);
    match (code, reply.status) {
        (Some(1 | 22), _) => misconfigured("Splunk.DisabledToken", reply),
        (Some(2..=4 | 16 | 21), _) => misconfigured("Splunk.InvalidToken", reply),
        (Some(5 | 6 | 12 | 13 | 15), _) => Verdict::Never(fault(INVALID_DATA_FORMAT, reply)),
        // An event may name its own index: a wrong one must not stop the others for ever.
        (Some(7), _) => match form {
            EventForm::Raw => misconfigured("Splunk.InvalidIndex", reply),
            EventForm::Event => Verdict::Again(fault("Splunk.InvalidIndex", reply)),
        },
        // The channel is with every request: something on its way takes it out.
        (Some(10 | 11), _) => misconfigured(SERVER_ERROR, reply),
        (Some(14), _) => misconfigured("Splunk.DisabledAck", reply),
        (None, 401 | 403) => misconfigured("Splunk.InvalidToken", reply),
        (_, 404) => misconfigured("Splunk.URLNotFound", reply),
        // The same request is too large whenever it is sent.
        (_, 413) => Verdict::Never(fault("Splunk.ServerError.ContentTooLarge", reply)),
        (_, 429 | 503) => Verdict::Again(fault(INDEXER_BUSY, reply)),
        _ => Verdict::Again(fault(SERVER_ERROR, reply)),
    }
}

fn judge_none(no_reply: &NoReply) -> Verdict {
    let (code, message) = match no_reply {
        NoReply::Forbidden(why) => return Verdict::Misconfigured(why.clone()),
        NoReply::NotConnected(why) => (
            "Splunk.InvalidEndpoint",
            format!("Could not connect to the HEC endpoint: {}", words(why)),
        ),
        NoReply::Broken(why) => (
            "Splunk.ConnectionClosed",
            format!(
                "Unable to send data to Splunk due to a connection failure: {}",
                words(why)
            ),
        ),
        NoReply::Late => (
            "Splunk.ConnectionTimeout",
            "The connection to Splunk timed out".to_owned(),
        ),
        NoReply::TooLarge => {
            let why = format!("it has more than {ANSWER_BYTES_MAX} bytes");
            return Verdict::Again(not_understood(&why));
        }
    };
    Verdict::Again(Fault { code, message })
}

fn not_understood(why: &str) -> Fault {
    Fault {
        code: "Splunk.InvalidHecResponseCharacter",
        message: format!("The HEC response is not what is expected: {}", words(why)),
    }
}

fn misconfigured(code: &str, reply: &Reply) -> Verdict {
    let (sentence, said) = (sentence(code), said(reply));
    Verdict::Misconfigured(format!("{code}: {sentence} {said}"))
}

fn fault(code: &'static str, reply: &Reply) -> Fault {
    let (sentence, said) = (sentence(code), said(reply));
    Fault {
        code,
        message: format!("{sentence} {said}"),
    }
}

/// AWS's sentence for its word.
fn sentence(code: &str) -> &'static str {
    match code {
        "Splunk.DisabledToken" => {
            "The HEC token is disabled. Enable the token to allow data delivery to Splunk."
        }
        "Splunk.InvalidToken" => {
            "The HEC token is invalid. Update Amazon Data Firehose with a valid HEC token."
        }
        INVALID_DATA_FORMAT => "The data is not formatted correctly.",
        "Splunk.InvalidIndex" => {
            "The HEC token or input is configured with an invalid index. Check your index \
             configuration and try again."
        }
        "Splunk.DisabledAck" => {
            "Indexer acknowledgement is disabled for the HEC token. Enable indexer \
             acknowledgement and try again."
        }
        ACKNOWLEDGEMENTS_DISABLED => {
            "Could not get acknowledgements on POST. Make sure that acknowledgements are enabled \
             on HEC endpoint."
        }
        "Splunk.URLNotFound" => {
            "The requested URL was not found on the Splunk server. Check the Splunk cluster and \
             make sure it is configured correctly."
        }
        _ => "Data delivery to Splunk failed due to a server error from the HEC node.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Result<Reply, NoReply> {
        Ok(Reply {
            status,
            body: body.as_bytes().to_vec(),
            ..Reply::default()
        })
    }

    fn refused(status: u16, code: u64, form: EventForm) -> Verdict {
        let body = format!("{{\"text\":\"told\",\"code\":{code}}}");
        sent(&reply(status, &body), form).unwrap_err()
    }

    #[test]
    fn only_an_answer_with_a_number_is_a_success() {
        let good = r#"{"text":"Success","code":0,"ackId":7}"#;
        assert_eq!(sent(&reply(200, good), EventForm::Raw), Ok(7));
        let without = sent(
            &reply(200, r#"{"text":"Success","code":0}"#),
            EventForm::Raw,
        );
        // It has them: they are not sent for as long as it takes.
        let Err(Verdict::Again(fault)) = without else {
            panic!("{without:?}");
        };
        assert_eq!(fault.code, "Splunk.AcknowledgementsDisabled");
        for body in ["", "ok", "{}", r#"{"ackId":7}"#] {
            let Err(Verdict::Again(fault)) = sent(&reply(200, body), EventForm::Raw) else {
                panic!("{body}");
            };
            assert_eq!(fault.code, "Splunk.InvalidHecResponseCharacter");
        }
        assert!(sent(&reply(201, good), EventForm::Raw).is_err());
    }

    #[test]
    fn each_code_of_the_collector_says_what_becomes_of_records() {
        for (status, code, told) in [
            (403, 1, "Splunk.DisabledToken"),
            (401, 2, "Splunk.InvalidToken"),
            (401, 3, "Splunk.InvalidToken"),
            (403, 4, "Splunk.InvalidToken"),
            (400, 7, "Splunk.InvalidIndex"),
            (400, 10, "Splunk.ServerError"),
            (400, 11, "Splunk.ServerError"),
            (400, 14, "Splunk.DisabledAck"),
            (404, 404, "Splunk.URLNotFound"),
        ] {
            let verdict = refused(status, code, EventForm::Raw);
            let Verdict::Misconfigured(why) = verdict else {
                panic!("{code}: {verdict:?}");
            };
            let start = format!("{told}: ");
            assert!(why.starts_with(&start) && why.contains("told"), "{why}");
        }
        for code in [5, 6, 12, 13, 15] {
            let verdict = refused(400, code, EventForm::Event);
            let Verdict::Never(fault) = verdict else {
                panic!("{code}: {verdict:?}");
            };
            assert_eq!(fault.code, "Splunk.InvalidDataFormat");
        }
        for (status, code, told) in [
            (503, 9, "Splunk.IndexerBusy"),
            (429, 24, "Splunk.IndexerBusy"),
            (500, 8, "Splunk.ServerError"),
            (400, 7, "Splunk.InvalidIndex"),
            (400, 99, "Splunk.ServerError"),
        ] {
            let verdict = refused(status, code, EventForm::Event);
            let Verdict::Again(fault) = verdict else {
                panic!("{code}: {verdict:?}");
            };
            assert_eq!(fault.code, told);
        }
    }

    #[test]
    fn what_says_no_code_is_judged_by_its_status() {
        let of = |status| sent(&reply(status, "<html>"), EventForm::Raw).unwrap_err();
        for status in [401, 403, 404] {
            assert!(matches!(of(status), Verdict::Misconfigured(_)), "{status}");
        }
        let Verdict::Never(fault) = of(413) else {
            panic!("the same is too large again");
        };
        assert_eq!(fault.code, "Splunk.ServerError.ContentTooLarge");
        for status in [204, 302, 400, 408, 429, 500, 502, 503] {
            assert!(matches!(of(status), Verdict::Again(_)), "{status}");
        }
    }

    #[test]
    fn a_question_is_never_judged_as_records() {
        let good = reply(200, r#"{"acks":{"0":false}}"#);
        assert_eq!(answers(&good, EventForm::Raw), Ok(()));
        for bad in [
            reply(400, r#"{"text":"Invalid data format","code":6}"#),
            reply(413, ""),
            reply(200, "[]"),
            Err(NoReply::Late),
        ] {
            let verdict = answers(&bad, EventForm::Raw).unwrap_err();
            assert!(matches!(verdict, Verdict::Again(_)), "{bad:?}");
        }
        let off = reply(400, r#"{"text":"ACK is disabled","code":14}"#);
        let verdict = answers(&off, EventForm::Raw).unwrap_err();
        assert!(matches!(verdict, Verdict::Misconfigured(_)));
    }

    #[test]
    fn only_the_number_that_was_asked_for_is_an_acknowledgement() {
        let of = |asked: &Result<Reply, NoReply>| acknowledged(asked, (7, EventForm::Raw));
        assert_eq!(of(&reply(200, r#"{"acks":{"7":true}}"#)), Acknowledged::Yes);
        for body in [
            r#"{"acks":{"7":false}}"#,
            r#"{"acks":{"8":true}}"#,
            r#"{"acks":{}}"#,
        ] {
            assert_eq!(of(&reply(200, body)), Acknowledged::NotYet(None), "{body}");
        }
        for other in [
            reply(200, "x"),
            reply(503, r#"{"code":9}"#),
            Err(NoReply::Late),
            Err(NoReply::NotConnected("no".to_owned())),
        ] {
            let told = of(&other);
            assert!(matches!(told, Acknowledged::NotYet(Some(_))), "{other:?}");
        }
        // It has the records: they are not sent for as long as it takes.
        for status in [401, 403, 404] {
            let revoked = of(&reply(status, r#"{"text":"no","code":4}"#));
            let Acknowledged::Unknown(Verdict::Again(fault)) = revoked else {
                panic!("{revoked:?}");
            };
            assert_eq!(fault.code, "Splunk.AckTimeout");
        }
    }
}
