//! What an endpoint's answer to a request means (developer guide, "HTTP endpoint delivery request
//! and response specifications"). Pure.

use serde::Deserialize;

use super::verdict::{Verdict, said, words};
use crate::answers::Fault;
use crate::endpoints::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, NoReply, Reply};

/// Characters of `errorMessage` in an answer; one with more does not conform.
const ERROR_MESSAGE_CHARS_MAX: usize = 8_192;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    request_id: String,
    #[serde(rename = "timestamp")]
    _timestamp: u64,
    #[serde(default)]
    error_message: Option<String>,
}

/// The verdict on the request of this id.
pub fn judge(answered: &Result<Reply, NoReply>, request_id: &str) -> Verdict {
    let reply = match answered {
        Ok(reply) => reply,
        Err(no_reply) => return judge_none(no_reply),
    };
    match reply.status {
        200 => match conforms(reply, request_id) {
            Ok(()) => Verdict::Taken,
            Err(why) => Verdict::Again(Fault {
                code: "HttpEndpoint.InvalidResponseFromDestination",
                message: format!("The response received from the endpoint is invalid: {why}"),
            }),
        },
        // The same request is too large whenever it is sent.
        413 => Verdict::Never(fault_of(reply)),
        401 | 403 | 404 => Verdict::Misconfigured(said(reply)),
        _ => Verdict::Again(fault_of(reply)),
    }
}

fn judge_none(no_reply: &NoReply) -> Verdict {
    let (code, message) = match no_reply {
        NoReply::Forbidden(why) => return Verdict::Misconfigured(why.clone()),
        NoReply::NotConnected(why) => (
            "HttpEndpoint.ConnectionFailed",
            format!("Unable to connect to the endpoint: {}", words(why)),
        ),
        NoReply::Broken(why) => (
            "HttpEndpoint.ConnectionReset",
            format!("The connection to the endpoint ended: {}", words(why)),
        ),
        NoReply::Late => {
            let seconds = ANSWER_TIME_MAX.as_secs();
            let message = format!("The endpoint did not answer within {seconds} s");
            ("HttpEndpoint.RequestTimeout", message)
        }
        NoReply::TooLarge => {
            let message = format!("The endpoint's answer has more than {ANSWER_BYTES_MAX} bytes");
            ("HttpEndpoint.ResponseTooLarge", message)
        }
    };
    Verdict::Again(Fault { code, message })
}

/// Whether an answer of status 200 is one that says that the request was taken.
fn conforms(reply: &Reply, request_id: &str) -> Result<(), String> {
    let kind = reply.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err("its Content-Type is not application/json".to_owned());
    }
    if reply.is_encoded {
        return Err("it has a Content-Encoding".to_owned());
    }
    if !reply.has_length {
        return Err("it has no Content-Length".to_owned());
    }
    let body: Body = serde_json::from_slice(&reply.body)
        .map_err(|error| format!("its body is not what is expected: {error}"))?;
    if body.request_id != request_id {
        return Err("its requestId is not that of the request".to_owned());
    }
    let message = body.error_message.unwrap_or_default();
    if message.chars().count() > ERROR_MESSAGE_CHARS_MAX {
        let max = ERROR_MESSAGE_CHARS_MAX;
        return Err(format!("its errorMessage has more than {max} characters"));
    }
    Ok(())
}

fn fault_of(reply: &Reply) -> Fault {
    Fault {
        code: "HttpEndpoint.DestinationException",
        message: format!(
            "The following response was received from the endpoint destination. {}",
            said(reply)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Reply {
        Reply {
            status: 200,
            content_type: Some("application/json; charset=utf-8".to_owned()),
            is_encoded: false,
            has_length: true,
            body: br#"{"requestId":"a-1","timestamp":1578090903599}"#.to_vec(),
            ..Reply::default()
        }
    }

    #[test]
    fn only_an_answer_that_conforms_says_that_records_were_taken() {
        assert_eq!(judge(&Ok(good()), "a-1"), Verdict::Taken);
        let body = |text: &str| Reply {
            body: text.as_bytes().to_vec(),
            ..good()
        };
        let long = "x".repeat(ERROR_MESSAGE_CHARS_MAX + 1);
        let long = format!(r#"{{"requestId":"a-1","timestamp":1,"errorMessage":"{long}"}}"#);
        for (other, told) in [
            (body(""), "its body"),
            (body(r#"{"requestId":"a-1"}"#), "timestamp"),
            (body(r#"{"requestId":"a-2","timestamp":1}"#), "requestId"),
            (body(&long), "errorMessage"),
            (
                Reply {
                    content_type: None,
                    ..good()
                },
                "Content-Type",
            ),
            (
                Reply {
                    is_encoded: true,
                    ..good()
                },
                "Content-Encoding",
            ),
            (
                Reply {
                    has_length: false,
                    ..good()
                },
                "Content-Length",
            ),
        ] {
            let Verdict::Again(fault) = judge(&Ok(other), "a-1") else {
                panic!("{told}");
            };
            assert_eq!(fault.code, "HttpEndpoint.InvalidResponseFromDestination");
            assert!(fault.message.contains(told), "{}", fault.message);
        }
    }

    #[test]
    fn each_status_means_what_the_contract_says() {
        let of = |status| {
            let reply = Reply { status, ..good() };
            judge(&Ok(reply), "a-1")
        };
        assert!(matches!(of(413), Verdict::Never(_)));
        for status in [401, 403, 404] {
            assert!(matches!(of(status), Verdict::Misconfigured(_)), "{status}");
        }
        for status in [
            100, 201, 204, 301, 302, 307, 400, 408, 409, 429, 500, 503, 599,
        ] {
            assert!(matches!(of(status), Verdict::Again(_)), "{status}");
        }
    }

    #[test]
    fn what_an_endpoint_says_is_kept_on_one_bounded_line() {
        let reply = Reply {
            status: 500,
            body: format!("a\nb\x1b[31m{}", "c".repeat(10_000)).into_bytes(),
            ..good()
        };
        let Verdict::Again(fault) = judge(&Ok(reply), "") else {
            panic!("a 500 is tried again");
        };
        let start = "The following response was received from the endpoint destination. 500: a b ";
        assert!(fault.message.starts_with(start), "{}", fault.message);
        assert!(!fault.message.contains(char::is_control));
        assert!(fault.message.chars().count() < 300);
    }
}
