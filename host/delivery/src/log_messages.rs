//! The messages of what CloudWatch Logs sends to a subscription (its user guide, "Real-time
//! processing of log data with subscriptions"; developer guide of Firehose, "Extract message after
//! decompression of CloudWatch Logs"):
//!
//! ```text
//! {"messageType":"DATA_MESSAGE","owner":...,"logGroup":...,"logStream":...,
//!  "subscriptionFilters":[...],"logEvents":[{"id":...,"timestamp":...,"message":"..."},...]}
//! ```
//!
//! Only the messages are left, a line each. `CONTROL_MESSAGE` asks whether the destination can be
//! reached and has no logs; AWS does not say what becomes of it, and here it is left out. Pure:
//! what is read is written at once, so that there is never more than the text and its lines.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extracted {
    /// Messages, if maybe none.
    Messages,
    /// It has no logs.
    NoLogs,
}

/// Writes the messages of a text of one or more documents, in order, each ended by a line feed
/// unless it ends with one. `None` if it is none of CloudWatch Logs; then `lines` means nothing.
///
/// `lines` becomes no longer than the text: each message had two quotes there.
pub fn extract(text: &[u8], lines: &mut Vec<u8>) -> Option<Extracted> {
    lines.clear();
    lines.reserve_exact(text.len());
    let mut documents = serde_json::Deserializer::from_slice(text);
    let mut extracted = Extracted::NoLogs;
    loop {
        match Document(lines).deserialize(&mut documents).ok()? {
            MessageType::DataMessage => extracted = Extracted::Messages,
            MessageType::ControlMessage => {}
        }
        if documents.end().is_ok() {
            return Some(extracted);
        }
    }
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageType {
    DataMessage,
    ControlMessage,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    MessageType,
    LogEvents,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EventMember {
    Message,
    #[serde(other)]
    Other,
}

/// One document, whose messages are written here.
struct Document<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = MessageType;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<MessageType, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = MessageType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what CloudWatch Logs sends")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<MessageType, A::Error> {
        let Self(lines) = self;
        let before = lines.len();
        let (mut message_type, mut has_events) = (None, false);
        // Members may come in any order.
        while let Some(member) = members.next_key()? {
            match member {
                Member::MessageType if message_type.is_none() => {
                    message_type = Some(members.next_value()?);
                }
                Member::LogEvents if !has_events => {
                    members.next_value_seed(Events(lines))?;
                    has_events = true;
                }
                Member::MessageType => return Err(Error::duplicate_field("messageType")),
                Member::LogEvents => return Err(Error::duplicate_field("logEvents")),
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        match message_type {
            None => Err(Error::missing_field("messageType")),
            Some(MessageType::DataMessage) if !has_events => Err(Error::missing_field("logEvents")),
            Some(MessageType::DataMessage) => Ok(MessageType::DataMessage),
            Some(MessageType::ControlMessage) => {
                lines.truncate(before);
                Ok(MessageType::ControlMessage)
            }
        }
    }
}

struct Events<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Events<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Events<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("log events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<(), A::Error> {
        let Self(lines) = self;
        while events.next_element_seed(Event(&mut *lines))?.is_some() {}
        Ok(())
    }
}

struct Event<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Event<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Event<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(lines) = self;
        let mut has_message = false;
        while let Some(member) = members.next_key()? {
            match member {
                EventMember::Message if has_message => {
                    return Err(Error::duplicate_field("message"));
                }
                EventMember::Message => {
                    members.next_value_seed(Message(&mut *lines))?;
                    has_message = true;
                }
                EventMember::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        if has_message {
            Ok(())
        } else {
            Err(Error::missing_field("message"))
        }
    }
}

struct Message<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_str<E: Error>(self, message: &str) -> Result<(), E> {
        let Self(lines) = self;
        lines.extend_from_slice(message.as_bytes());
        if !message.ends_with('\n') {
            lines.push(b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Option<(Extracted, String)> {
        let mut lines = b"of the one before".to_vec();
        let extracted = extract(text.as_bytes(), &mut lines)?;
        assert!(lines.len() <= text.len());
        Some((extracted, String::from_utf8(lines).unwrap()))
    }

    fn messages(lines: &str) -> Option<(Extracted, String)> {
        Some((Extracted::Messages, lines.to_owned()))
    }

    /// The example of AWS's page.
    const SENT: &str = r#"{
        "owner": "111111111111",
        "logGroup": "CloudTrail/logs",
        "logStream": "111111111111_CloudTrail/logs_us-east-1",
        "subscriptionFilters": ["Destination"],
        "messageType": "DATA_MESSAGE",
        "logEvents": [
            {"id": "3195310660696698337880902507980421114328961542429EXAMPLE",
             "timestamp": 1432826855000,
             "message": "{\"eventVersion\":\"1.03\",\"userIdentity\":{\"type\":\"Root1\"}"},
            {"id": "3195310660696698337880902507980421114328961542429EXAMPLE",
             "timestamp": 1432826855000,
             "message": "{\"eventVersion\":\"1.03\",\"userIdentity\":{\"type\":\"Root2\"}"}
        ]
    }"#;

    #[test]
    fn each_message_becomes_a_line() {
        let wanted = "{\"eventVersion\":\"1.03\",\"userIdentity\":{\"type\":\"Root1\"}\n\
            {\"eventVersion\":\"1.03\",\"userIdentity\":{\"type\":\"Root2\"}\n";
        assert_eq!(lines(SENT), messages(wanted));
        let twice = [SENT, SENT].concat();
        assert_eq!(lines(&twice), messages(&wanted.repeat(2)));
    }

    #[test]
    fn a_line_ends_once_and_a_message_may_have_any_characters() {
        let of = |message: &str| {
            let text = format!(
                r#"{{"logEvents":[{{"message":"{message}","x":[{{}}]}}],"messageType":"DATA_MESSAGE"}}"#
            );
            lines(&text)
        };
        for (message, line) in [
            ("", "\n"),
            ("START\\n", "START\n"),
            ("a\\r\\n", "a\r\n"),
            ("a\\n\\n", "a\n\n"),
            ("\\u00fc \\ud83d\\ude00 ü", "ü 😀 ü\n"),
            ("\\u0000", "\0\n"),
        ] {
            assert_eq!(of(message), messages(line), "{message}");
        }
        assert_eq!(of("\\ud83d"), None, "half of a character");
    }

    #[test]
    fn a_control_message_has_no_logs() {
        let control = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs",
            "logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE"}]}"#;
        let data = r#" {"messageType":"DATA_MESSAGE","logEvents":[{"message":"a"}]} "#;
        let none = r#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#;
        let no_logs = |text: &str| lines(text) == Some((Extracted::NoLogs, String::new()));
        assert!(no_logs(control));
        assert!(no_logs(&[control, control].concat()));
        assert!(no_logs(r#"{"messageType":"CONTROL_MESSAGE"}"#));
        assert_eq!(lines(&[control, data, control].concat()), messages("a\n"));
        assert_eq!(lines(none), messages(""));
    }

    #[test]
    fn what_cloudwatch_logs_does_not_send_has_no_messages() {
        let data = r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a"}]}"#;
        let deep = "[".repeat(1 << 20);
        for text in [
            "",
            "   ",
            "null",
            "[]",
            "{}",
            "a line",
            r#""DATA_MESSAGE""#,
            r#"{"messageType":"DATA_MESSAGE"}"#,
            r#"{"messageType":"data_message","logEvents":[]}"#,
            r#"{"messageType":7,"logEvents":[]}"#,
            r#"{"messageType":null,"logEvents":[]}"#,
            r#"{"logEvents":[{"message":"a"}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":null}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":{}}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[7]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":7}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":null}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[{"message":"a","message":"b"}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":[],"logEvents":[]}"#,
            r#"{"messageType":"DATA_MESSAGE","messageType":"DATA_MESSAGE","logEvents":[]}"#,
            &format!("{data},"),
            &format!("{data}{{"),
            &data[..data.len() - 1],
            &deep,
            &format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":[],"x":{deep}"#),
            &format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":{deep}"#),
        ] {
            assert_eq!(lines(text), None, "{}", &text[..text.len().min(99)]);
        }
        let mut lines = Vec::new();
        let no_text = b"{\"messageType\":\"DATA_MESSAGE\",\"logEvents\":[{\"message\":\"\xff\"}]}";
        assert_eq!(extract(no_text, &mut lines), None);
    }
}
