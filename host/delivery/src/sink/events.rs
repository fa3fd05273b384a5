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
    let fault = match std::str::from_utf8(bytes) {
        // Within what is passed over the reader of JSON does not look at it.
        Err(error) => error.to_string(),
        Ok(text) => {
            let mut events = serde_json::Deserializer::from_str(text).into_iter::<Events>();
            events.find_map(Result::err)?.to_string()
        }
    };
    Some(format!("The record is no event: {fault}"))
}

/// An event, or several in a list.
struct Events;

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfEvents)
    }
}

struct OfEvents;

impl<'de> Visitor<'de> for OfEvents {
    type Value = Events;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Events, A::Error> {
        OfEvent.visit_map(map).map(|Event| Events)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Events, A::Error> {
        let mut is_empty = true;
        while list.next_element::<Event>()?.is_some() {
            is_empty = false;
        }
        if is_empty {
            Err(de::Error::custom("its list has no event"))
        } else {
            Ok(Events)
        }
    }
}

/// An object with an event.
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
}

/// What stands in an event: anything but nothing and an empty text.
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

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Err(de::Error::custom("its event field is blank"))
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
            r#"[{"event":"a"},{"event":{}}] [{"event":1}]"#,
            "{\"event\":{\"m\":\"caf\u{e9}\"}}",
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
            (r#"{"event":null}"#, "its event field is blank"),
            ("[]", "its list has no event"),
            ("[1]", "an object"),
            (r#"[{"event":"a"},{"a":1}]"#, "it has no event field"),
            (r#"[[{"event":"a"}]]"#, "an object"),
        ] {
            let fault = fault(bad.as_bytes()).expect(bad);
            assert!(fault.contains(why), "{bad}: {fault}");
        }
        for bad in [
            &b"\xff"[..],
            b"{\"event\":\"a\",\"host\":\"\xff\"}",
            b"{\"event\":{\"m\":\"caf\xe9\"}}",
        ] {
            let fault = fault(bad).unwrap();
            assert!(fault.contains("utf-8"), "{fault}");
        }
    }
}
