//! What the answer of a cluster to `_bulk` means for each of its documents (OpenSearch, "Bulk").
//! Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::verdict::{Verdict, said, words};
use crate::answers::Fault;
use crate::answers::records::RecordFault;
use crate::endpoints::{NoReply, Reply};
use crate::search::Product;

/// What went wrong, in AWS's words (developer guide, "OpenSearch Service data delivery errors").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There was no connection, or it ended.
    Connection,
    /// The answer did not come in time.
    Late,
    /// The answer cannot be understood.
    Answer,
    /// A record is no document.
    Document,
    /// The cluster says so.
    Service,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The same for all of its records.
    Whole(Verdict),
    /// These records are not taken, and all others are there.
    InPart {
        /// Each once, in order.
        faults: Vec<RecordFault>,
        /// Why they may be taken later, if one of them may.
        again: Option<Fault>,
    },
}

#[derive(Deserialize)]
struct Answered {
    items: Vec<BTreeMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    status: u16,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "type")]
    kind: Option<String>,
    reason: Option<String>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Whose words stand in the error output.
    pub product: Product,
    /// Whether its documents have ids: then one that is sent again is not there twice.
    pub has_ids: bool,
    /// Of which record of it each document is.
    pub records: &'a [u16],
}

/// What becomes of a request.
pub fn judge(answered: &Result<Reply, NoReply>, sent: Sent<'_>) -> Judged {
    let Sent {
        product, records, ..
    } = sent;
    let reply = match answered {
        Ok(reply) => reply,
        Err(no_reply) => return Judged::Whole(judge_none(no_reply, product)),
    };
    let fault = |wrong: Wrong, message: String| Fault {
        code: code_of(product, wrong),
        message,
    };
    let whole = match reply.status {
        200 => match serde_json::from_slice::<Answered>(&reply.body) {
            Ok(answered) if answered.items.len() == records.len() => {
                return items(answered.items, sent);
            }
            Ok(answered) => {
                let (told, sent) = (answered.items.len(), records.len());
                let why = format!("The response tells of {told} documents, and {sent} were sent");
                Verdict::Again(fault(Wrong::Answer, why))
            }
            Err(error) => {
                let why = words(&error.to_string());
                let why = format!("The response is not what is expected: {why}");
                Verdict::Again(fault(Wrong::Answer, why))
            }
        },
        401 | 403 | 404 => Verdict::Misconfigured(said(reply)),
        // The same request is too large whenever it is sent.
        413 => Verdict::Never(fault(Wrong::Service, said(reply))),
        _ => Verdict::Again(fault(Wrong::Service, said(reply))),
    };
    Judged::Whole(whole)
}

fn items(items: Vec<BTreeMap<String, Item>>, sent: Sent<'_>) -> Judged {
    let Sent {
        product,
        has_ids,
        records,
    } = sent;
    let (mut faults, mut again): (Vec<RecordFault>, _) = (Vec::new(), None);
    for (item, record) in items.into_iter().zip(records) {
        // Each tells of one thing that was done.
        let Some(item) = item.into_values().next() else {
            let why = "The response tells nothing of a document".to_owned();
            let code = code_of(product, Wrong::Answer);
            return Judged::Whole(Verdict::Again(Fault { code, message: why }));
        };
        let message = item.message();
        match item.status {
            // A document of this id is there: it is this one, taken before.
            200..=299 | 409 => continue,
            // It is tried for as long as it takes, which would make documents without ids again and
            // again.
            401 | 403 | 404 if has_ids => {
                return Judged::Whole(Verdict::Misconfigured(message));
            }
            401 | 403 | 404 | 429 | 500..=599 => {
                let code = code_of(product, Wrong::Service);
                again.get_or_insert(Fault {
                    code,
                    message: message.clone(),
                });
            }
            _ => {}
        }
        // A record may be several documents.
        if faults.last().is_none_or(|last| last.record != *record) {
            faults.push(RecordFault {
                record: *record,
                code: item.status.to_string(),
                message,
            });
        }
    }
    if faults.is_empty() {
        Judged::Whole(Verdict::Taken)
    } else {
        Judged::InPart { faults, again }
    }
}

impl Item {
    /// What is wrong with the document, in one bounded line.
    fn message(&self) -> String {
        let error = self.error.as_ref();
        let kind = error.and_then(|error| error.kind.as_deref());
        let reason = error.and_then(|error| error.reason.as_deref());
        let text = format!(
            "{}: {}",
            kind.unwrap_or("error"),
            reason.unwrap_or_default()
        );
        words(&text)
    }
}

fn judge_none(no_reply: &NoReply, product: Product) -> Verdict {
    let (wrong, message) = match no_reply {
        NoReply::Forbidden(why) => return Verdict::Misconfigured(why.clone()),
        NoReply::NotConnected(why) => (
            Wrong::Connection,
            format!("Unable to connect to the cluster: {}", words(why)),
        ),
        NoReply::Broken(why) => (
            Wrong::Connection,
            format!("The connection to the cluster ended: {}", words(why)),
        ),
        NoReply::Late => (Wrong::Late, "The cluster did not answer".to_owned()),
        NoReply::TooLarge => (Wrong::Answer, "The response is too large".to_owned()),
    };
    let code = code_of(product, wrong);
    Verdict::Again(Fault { code, message })
}

/// AWS's word for what went wrong.
pub fn code_of(product: Product, wrong: Wrong) -> &'static str {
    match (product, wrong) {
        (Product::Elasticsearch, Wrong::Connection) => "ES.ConnectionError",
        (Product::Elasticsearch, Wrong::Late) => "ES.ConnectionTimeout",
        (Product::Elasticsearch, Wrong::Answer) => "ES.ParseException",
        (Product::Elasticsearch, Wrong::Document) => "ES.MalformedData",
        (Product::Elasticsearch, Wrong::Service) => "ES.ServiceException",
        (Product::OpenSearch, Wrong::Connection) => "OS.ConnectionError",
        (Product::OpenSearch, Wrong::Late) => "OS.ConnectionTimeout",
        (Product::OpenSearch, Wrong::Answer) => "OS.ParseException",
        (Product::OpenSearch, Wrong::Document) => "OS.MalformedData",
        (Product::OpenSearch, Wrong::Service) => "OS.ServiceException",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(status: u16, body: &str, records: &[u16]) -> Judged {
        let reply = Reply {
            status,
            body: body.as_bytes().to_vec(),
            ..Reply::default()
        };
        judge(
            &Ok(reply),
            Sent {
                product: Product::OpenSearch,
                has_ids: true,
                records,
            },
        )
    }

    fn body(items: &[(u16, &str)]) -> String {
        let items = items.iter().map(|(status, why)| match *why {
            "" => json!({"create": {"status": status}}),
            why => json!({"create": {"status": status, "error": {"type": "t", "reason": why}}}),
        });
        json!({"items": items.collect::<Vec<_>>()}).to_string()
    }

    #[test]
    fn a_document_that_is_there_was_taken_whenever_that_was() {
        let all = body(&[(201, ""), (200, ""), (409, "version conflict")]);
        assert_eq!(of(200, &all, &[0, 1, 2]), Judged::Whole(Verdict::Taken));
    }

    #[test]
    fn each_document_is_judged_by_itself() {
        let some = body(&[(201, ""), (400, "bad"), (400, "worse"), (429, "busy")]);
        let Judged::InPart { faults, again } = of(200, &some, &[0, 1, 1, 2]) else {
            panic!("some were taken");
        };
        let told: Vec<_> = faults
            .iter()
            .map(|it| (it.record, it.code.as_str(), it.message.as_str()))
            .collect();
        assert_eq!(told, [(1, "400", "t: bad"), (2, "429", "t: busy")]);
        assert_eq!(again.unwrap().code, "OS.ServiceException");
        let never = of(200, &body(&[(400, "bad")]), &[7]);
        assert!(matches!(never, Judged::InPart { again: None, .. }));
        // It holds for all: the index, or who may write there.
        for status in [401, 403, 404] {
            let judged = of(200, &body(&[(201, ""), (status, "no")]), &[0, 1]);
            assert!(matches!(judged, Judged::Whole(Verdict::Misconfigured(_))));
        }
    }

    #[test]
    fn documents_without_ids_are_not_sent_for_as_long_as_it_takes() {
        let reply = Reply {
            status: 200,
            body: body(&[(201, ""), (403, "no")]).into_bytes(),
            ..Reply::default()
        };
        let sent = Sent {
            product: Product::OpenSearch,
            has_ids: false,
            records: &[0, 1],
        };
        let judged = judge(&Ok(reply), sent);
        assert!(matches!(judged, Judged::InPart { again: Some(_), .. }));
    }

    #[test]
    fn an_answer_that_is_none_says_nothing_of_documents() {
        for (status, text) in [
            (200, "x"),
            (200, "{\"items\":[]}"),
            (200, "{\"items\":[{}]}"),
            (400, ""),
            (429, ""),
            (503, ""),
        ] {
            let judged = of(status, text, &[0]);
            assert!(matches!(judged, Judged::Whole(Verdict::Again(_))), "{text}");
        }
        assert!(matches!(
            of(413, "", &[0]),
            Judged::Whole(Verdict::Never(_))
        ));
        for status in [401, 403, 404] {
            let judged = of(status, "", &[0]);
            assert!(matches!(judged, Judged::Whole(Verdict::Misconfigured(_))));
        }
    }
}
