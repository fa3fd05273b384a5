//! What the answer of a cluster to `_bulk` means for each of its documents (OpenSearch, "Bulk").
//! Pure.

use std::fmt;

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

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

/// What an answer tells, judged as it is read: nothing of a document is kept that was taken, and no
/// more is read than of the documents that were sent.
#[derive(Default)]
struct Told {
    /// Of so many documents.
    documents: usize,
    faults: Vec<RecordFault>,
    again: Option<Fault>,
    /// One of them is there.
    is_any_there: bool,
    /// What becomes of all records, whatever is told of other documents.
    whole: Option<Whole>,
}

/// What one document says of all.
enum Whole {
    /// Nobody may write, or there is no place to write to.
    Misconfigured(String),
    /// The answer is none.
    Untold(Fault),
}

/// The whole of an answer.
struct Answer<'a> {
    sent: Sent<'a>,
    told: &'a mut Told,
}

/// What it tells of each document.
struct Items<'a> {
    sent: Sent<'a>,
    told: &'a mut Told,
}

/// What it tells of one: of the one thing that was done.
struct Did(Option<Item>);

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
        200 => match Told::read(&reply.body, sent) {
            Ok(told) if told.documents == records.len() => return told.judged(),
            Ok(told) => {
                let (told, sent) = (told.documents, records.len());
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

impl Told {
    fn read(body: &[u8], sent: Sent<'_>) -> Result<Self, serde_json::Error> {
        let mut told = Self::default();
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_map(Answer {
            sent,
            told: &mut told,
        })?;
        json.end()?;
        Ok(told)
    }

    fn judged(self) -> Judged {
        match self.whole {
            Some(Whole::Misconfigured(what)) if self.is_any_there => {
                return Judged::Whole(Verdict::MisconfiguredInPart(what));
            }
            Some(Whole::Misconfigured(what)) => {
                return Judged::Whole(Verdict::Misconfigured(what));
            }
            Some(Whole::Untold(fault)) => return Judged::Whole(Verdict::Again(fault)),
            None => {}
        }
        if self.faults.is_empty() {
            return Judged::Whole(Verdict::Taken);
        }
        Judged::InPart {
            faults: self.faults,
            again: self.again,
        }
    }

    /// Takes in what is told of the next document, which is of this record.
    fn add(&mut self, item: Option<&Item>, record: u16, sent: Sent<'_>) {
        self.documents += 1;
        let Some(item) = item else {
            let message = "The response tells nothing of a document".to_owned();
            let code = code_of(sent.product, Wrong::Answer);
            let untold = Whole::Untold(Fault { code, message });
            self.whole.get_or_insert(untold);
            return;
        };
        // A document of this id is there: it is this one, taken before.
        let is_there = matches!(item.status, 200..=299 | 409);
        self.is_any_there |= is_there;
        if is_there || self.whole.is_some() {
            return;
        }
        let message = item.message();
        match item.status {
            // It is tried for as long as it takes, which would make documents without ids again and
            // again.
            401 | 403 | 404 if sent.has_ids => {
                self.whole = Some(Whole::Misconfigured(message));
                return;
            }
            401 | 403 | 404 | 429 | 500..=599 => {
                let code = code_of(sent.product, Wrong::Service);
                self.again.get_or_insert_with(|| Fault {
                    code,
                    message: message.clone(),
                });
            }
            _ => {}
        }
        // A record may be several documents.
        if self.faults.last().is_none_or(|last| last.record != record) {
            self.faults.push(RecordFault {
                record,
                code: item.status.to_string(),
                message,
            });
        }
    }
}

impl<'de> Visitor<'de> for Answer<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an answer with items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sent, told } = self;
        let mut has_items = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != "items" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(&mut has_items, true) {
                return Err(A::Error::duplicate_field("items"));
            }
            map.next_value_seed(Items {
                sent,
                told: &mut *told,
            })?;
        }
        if has_items {
            Ok(())
        } else {
            Err(A::Error::missing_field("items"))
        }
    }
}

impl<'de> de::DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an item for each document")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { sent, told } = self;
        while let Some(Did(item)) = items.next_element()? {
            let Some(record) = sent.records.get(told.documents) else {
                let count = sent.records.len();
                let why = format!("it tells of more than the {count} documents that were sent");
                return Err(A::Error::custom(why));
            };
            told.add(item.as_ref(), *record, sent);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Did {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Things;

        impl<'de> Visitor<'de> for Things {
            type Value = Did;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("what was done with a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Did, A::Error> {
                let first = map.next_entry::<IgnoredAny, Item>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Did(first.map(|(_, item)| item)))
            }
        }

        json.deserialize_map(Things)
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
            for there in [201, 409] {
                for items in [[(there, ""), (status, "no")], [(status, "no"), (there, "")]] {
                    let Judged::Whole(verdict) = of(200, &body(&items), &[0, 1]) else {
                        panic!("it is told of each");
                    };
                    let what = "t: no".to_owned();
                    assert_eq!(verdict, Verdict::MisconfiguredInPart(what));
                }
            }
            // Nothing of it is there, so that the next configuration may say where it goes.
            let judged = of(200, &body(&[(400, "bad"), (status, "no")]), &[0, 1]);
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

    /// Eighteen bytes of an answer took 920 in memory, before their number was compared.
    #[test]
    fn no_more_is_read_of_an_answer_than_of_the_documents_that_were_sent() {
        let item = r#"{"create":{"status":201}}"#;
        let text = format!("{{\"items\":[{item},{item},{item},and so on");
        let Judged::Whole(Verdict::Again(fault)) = of(200, &text, &[0, 1]) else {
            panic!("it is not an answer");
        };
        assert_eq!(fault.code, "OS.ParseException");
        let why = "more than the 2 documents";
        assert!(fault.message.contains(why), "{}", fault.message);
        // One thing was done with each, and what else is told is passed over.
        let more = format!("{{\"took\":{{\"a\":[1]}},\"items\":[{item}],\"errors\":false}}");
        assert_eq!(of(200, &more, &[3]), Judged::Whole(Verdict::Taken));
        for bad in [
            format!("{{\"items\":[{item}]}} and more"),
            format!("{{\"items\":[{item}],\"items\":[{item}]}}"),
            "{}".to_owned(),
            "[]".to_owned(),
        ] {
            let judged = of(200, &bad, &[0]);
            assert!(matches!(judged, Judged::Whole(Verdict::Again(_))), "{bad}");
        }
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
