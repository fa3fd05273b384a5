//! Records as producers send them: events in JSON that compress as such events do, and lines of
//! access logs that tell who they are.

use bytes::Bytes;
use store::{BodyBuilder, Records};

use crate::Failure;
use crate::random::Random;

/// Bytes of an event with its line end.
pub const EVENT_BYTES: usize = 1024;
/// What stands before the number by which a line is known.
const NUMBER_MARK: &[u8] = b"/r/";
const NUMBER_DIGITS: usize = 10;
/// Bytes of records before the same ones come again: far more than gzip looks back.
const DIFFERENT_BYTES: usize = 16 * 1024 * 1024;
const FRAME_RECORDS: usize = 500;
/// Events with keys that are alike but for these: what is in them is no matter there.
const EVENTS_ALIKE: u64 = 100;
/// Digits of an event's signature.
const HEX_DIGITS: usize = 128;
/// The words that an event is filled up with.
const WORDS: [&str; 24] = [
    "checkout",
    "delivery",
    "discount",
    "summer",
    "mobile",
    "returning",
    "campaign",
    "newsletter",
    "express",
    "priority",
    "gift",
    "invoice",
    "standard",
    "shipping",
    "address",
    "confirmed",
    "pending",
    "voucher",
    "bundle",
    "review",
    "support",
    "refund",
    "upgrade",
    "sample",
];
const KINDS: [&str; 6] = ["view", "search", "add-to-cart", "checkout", "pay", "return"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 Mobile/15E148 Safari",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 Safari/537.36",
    "curl/8.5.0",
];

/// An event of [`EVENT_BYTES`].
pub fn event(random: &mut Random) -> String {
    let (kind, agent) = (pick(random, &KINDS), pick(random, &AGENTS));
    let (session, ip) = (random.number(), random.number().to_le_bytes());
    let mut text = format!(
        "{{\"event_id\":\"{:016x}\",\"customer_id\":\"c-{:07}\",\"type\":\"{kind}\",\"time\":\
         \"2024-05-17T10:{:02}:{:02}.{:03}Z\",\"session\":\"{session:016x}\",\"ip\":\
         \"10.{}.{}.{}\",\"user_agent\":\"{agent}\",\"items\":[",
        random.number(),
        random.number() % 5_000_000,
        random.number() % 60,
        random.number() % 60,
        random.number() % 1_000,
        ip[0],
        ip[1],
        ip[2],
    );
    for item in 0..4 {
        let comma = if item == 0 { "" } else { "," };
        text += &format!(
            "{comma}{{\"sku\":\"{}-{:06}\",\"quantity\":{},\"price_cents\":{}}}",
            pick(random, &WORDS),
            random.number() % 1_000_000,
            1 + random.number() % 4,
            199 + random.number() % 20_000,
        );
    }
    // As ids and signatures do, these keep an event from packing better than events do.
    let hex: String = (0..HEX_DIGITS / 16)
        .map(|_| format!("{:016x}", random.number()))
        .collect();
    text += &format!("],\"signature\":\"{hex}\",\"note\":\"");
    let end = "\"}\n";
    while text.len() < EVENT_BYTES - end.len() {
        text += pick(random, &WORDS);
        text.push(' ');
    }
    text.truncate(EVENT_BYTES - end.len());
    text + end
}

/// A line of an access log about the request with this number.
pub fn visit(number: u64, random: &mut Random) -> String {
    let ip = random.number().to_le_bytes();
    format!(
        "10.{}.{}.{} - - [17/May/2024:10:{:02}:{:02} +0000] \"GET /r/{number:010}?{}={} \
         HTTP/1.1\" 200 {} \"https://shop.example.com/{}\" \"{}\"\n",
        ip[0],
        ip[1],
        ip[2],
        random.number() % 60,
        random.number() % 60,
        pick(random, &WORDS),
        random.number() % 1_000,
        random.number() % 100_000,
        pick(random, &WORDS),
        pick(random, &AGENTS),
    )
}

/// The number that a line tells, as it was put or as a plugin made it anew.
pub fn number_of(line: &[u8]) -> Result<u64, Failure> {
    let at = memchr::memmem::find(line, NUMBER_MARK).ok_or("a line without a number")?;
    let digits = line.get(at + NUMBER_MARK.len()..).unwrap_or_default();
    let digits = digits
        .get(..NUMBER_DIGITS)
        .ok_or("a line that is cut short")?;
    Ok(std::str::from_utf8(digits)?.parse()?)
}

fn pick<'a>(random: &mut Random, all: &[&'a str]) -> &'a str {
    let place = random.number() % all.len() as u64;
    all[usize::try_from(place).unwrap_or_default()]
}

/// Frames of records, over and over.
pub struct Frames {
    different: Vec<(Bytes, u16)>,
    data_bytes: usize,
}

impl Frames {
    /// Frames of events.
    pub fn of_events() -> Result<Self, Failure> {
        let mut random = Random::new(11);
        Self::of(|_| event(&mut random))
    }

    /// Frames of lines of an access log.
    pub fn of_visits() -> Result<Self, Failure> {
        let mut random = Random::new(12);
        Self::of(|number| visit(number, &mut random))
    }

    /// Frames of events with one of so many keys each, the same ones not before so many bytes.
    pub fn of_keys(keys: u64, bytes: usize) -> Result<Self, Failure> {
        let mut random = Random::new(13);
        let mut text = event(&mut random);
        Self::of_different(bytes, |number| {
            if number % EVENTS_ALIKE == 0 {
                text = event(&mut random);
            }
            format!("{{\"key\":{},{}", number % keys, &text[1..])
        })
    }

    fn of(record: impl FnMut(u64) -> String) -> Result<Self, Failure> {
        Self::of_different(DIFFERENT_BYTES, record)
    }

    fn of_different(
        different_bytes: usize,
        mut record: impl FnMut(u64) -> String,
    ) -> Result<Self, Failure> {
        let (mut different, mut data_bytes, mut number) = (Vec::new(), 0, 0);
        while data_bytes < different_bytes {
            let mut body = BodyBuilder::default();
            for _ in 0..FRAME_RECORDS {
                let text = record(number);
                let key = format!("key-{number:016x}");
                body.push(&key, text.as_bytes())
                    .ok_or("the record does not fit a frame")?;
                data_bytes += text.len();
                number += 1;
            }
            different.push(body.finish());
        }
        Ok(Self {
            different,
            data_bytes,
        })
    }

    /// Frames with about so many bytes of data.
    pub fn up_to(&self, bytes: usize) -> impl Iterator<Item = &(Bytes, u16)> {
        let each = self.data_bytes / self.different.len();
        self.different.iter().cycle().take(bytes / each)
    }

    /// Bytes of the data in them.
    pub fn data_bytes(&self, bytes: usize) -> usize {
        let frames = self.up_to(bytes);
        let records = frames.flat_map(|(body, _)| Records::new(body));
        records.map(|record| record.data.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_equally_long_objects_and_differ() {
        let mut random = Random::new(1);
        let (one, other) = (event(&mut random), event(&mut random));
        assert_eq!((one.len(), other.len()), (EVENT_BYTES, EVENT_BYTES));
        assert_ne!(one, other);
        assert!(serde_json::from_str::<serde_json::Value>(&one).is_ok());
    }

    #[test]
    fn a_line_tells_its_number() {
        let line = visit(1_234, &mut Random::new(1));
        assert_eq!(number_of(line.as_bytes()).unwrap(), 1_234);
        assert!(number_of(b"GET / HTTP/1.1").is_err());
    }
}
