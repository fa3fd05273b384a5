//! What a Splunk event collector takes for events (Splunk, "Format events for HTTP Event
//! Collector"). Pure.
//!
//! One record that is none costs all that are in its request, so that each is looked at before.
//! What is refused here the collector refuses for certain; what it refuses besides is its affair.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Why bytes are not events, one after the other: for certain not, and a sentence for it.
pub fn fault(bytes: &[u8]) -> Option<String> {
    let mut events = serde_json::Deserializer::from_slice(bytes).into_iter::<Event>();
    let fault = events.find_map(Result::err)?;
    Some(format!("The record is no event: {fault}"))
}

/// Something that may be an event.
struct Event;

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfEvent)
    }
}

struct OfEvent;

impl<'de> Visitor<'de> for OfEvent {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut has_event = false;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == "event" {
                map.next_value::<Content>()?;
                has_event = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if has_event {
            Ok(Event)
        } else {
            Err(de::Error::custom("it has no event field"))
        }
    }

    // Several in a list: whether it takes these the collector says.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Event, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Event)
    }
}

/// What stands in an event: anything but an empty text.
struct Content;

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfContent)
    }
}

struct OfContent;

impl<'de> Visitor<'de> for OfContent {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event that is not blank")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
        if text.is_empty() {
            Err(de::Error::custom("its event field is blank"))
        } else {
            Ok(Content)
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
        Ok(Content)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
        Ok(Content)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Content, E> {
        Ok(Content)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Content)
    }

    // Whether that is blank the collector says.
    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_objects_with_an_event_one_after_the_other() {
        for good in [
            "",
            "\n",
            r#"{"event":"a"}"#,
            r#"{"event":{"a":[1,2,{"b":null}]},"time":1.5,"fields":{"x":"y"}}"#,
            r#"{"event":1}{"event":false} {"event":[]}"#,
            "{\"event\":\"a\"}\n",
            r#"[{"event":"a"}]"#,
            r#"{"event":null}"#,
        ] {
            assert_eq!(fault(good.as_bytes()), None, "{good}");
        }
        let deep = format!("{{\"event\":{}{}}}", "[".repeat(9_000), "]".repeat(9_000));
        assert_eq!(fault(deep.as_bytes()), None);
        for (bad, why) in [
            ("a line", "expected value"),
            (r#"{"event":"a""#, "EOF"),
            (r#"{"event":"a"}|"#, "expected value"),
            (r#"{"message":"a"}"#, "it has no event field"),
            (r#"{"event":"a"}{"time":1}"#, "it has no event field"),
            (r#"{"event":""}"#, "its event field is blank"),
            ("12", "an object"),
            ("\"a\"", "an object"),
        ] {
            let fault = fault(bad.as_bytes()).expect(bad);
            assert!(fault.contains(why), "{bad}: {fault}");
        }
        assert!(fault(b"\xff").is_some());
    }
}
