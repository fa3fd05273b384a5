//! The body of an input with a member of each type, in CBOR.

use serde::Deserialize;
use wire::cbor::parse;
use wire::members::{Blob, Boolean, Integer, List, Map, Structure, Text, Time};
use wire::shape::{BlobRule, Check, Fields, ListRule, Shape, TextRule};
use wire::{Codec, Writer};

const KEY: TextRule = TextRule::chars(1, 256);
const DATA_BYTES_MAX: usize = 1_000;

/// A message names ten violations of at most 4,096 characters each.
const MESSAGE_BYTES_MAX: usize = 10 * (4 * 4_096 + 1_024);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    count: Option<Integer>,
    switch: Option<Boolean>,
    at: Option<Time>,
    #[serde(borrow)]
    names: Option<List<Text<'a>>>,
    #[serde(borrow)]
    tags: Option<Map<'a>>,
    #[serde(borrow)]
    records: Option<List<Structure<Record<'a>>>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(borrow)]
    data: Option<Blob<'a>>,
    #[serde(borrow)]
    key: Option<Text<'a>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Records", &self.records, ListRule::of(0, 500, Fields));
        check.optional("Name", &self.name, KEY);
    }
}

impl Shape for Record<'_> {
    fn check(&self, check: &mut Check) {
        check.required("Data", &self.data, BlobRule::at_most(DATA_BYTES_MAX));
        check.required("Key", &self.key, KEY);
    }
}

/// Any bytes are an input that keeps its rules and can be written and read again, or an answer that
/// says why not.
pub fn cbor_body(data: &[u8]) {
    match parse::<Input<'_>>(data) {
        Ok(input) => {
            let again = written(&input);
            assert_eq!(parse::<Input<'_>>(&again).unwrap(), input);
        }
        Err(error) => {
            assert!(matches!(
                error.code(),
                "SerializationException" | "ValidationException"
            ));
            assert!(error.message().len() <= MESSAGE_BYTES_MAX);
            assert!(error.body(Codec::Cbor).len() <= MESSAGE_BYTES_MAX + 100);
        }
    }
}

/// The records of an input, and what else of it there is, as a body.
fn written(input: &Input<'_>) -> Vec<u8> {
    let members = [
        input.name.is_some(),
        input.count.is_some(),
        input.switch.is_some(),
        input.at.is_some(),
        input.names.is_some(),
        input.tags.is_some(),
        input.records.is_some(),
    ];
    let mut out = Writer::with_capacity(Codec::Cbor, 0);
    out.structure(members.iter().filter(|is_there| **is_there).count());
    if let Some(name) = &input.name {
        out.member("Name");
        out.text(name);
    }
    if let Some(Integer(count)) = input.count {
        out.member("Count");
        out.value(&count).unwrap();
    }
    if let Some(Boolean(switch)) = input.switch {
        out.member("Switch");
        out.value(&switch).unwrap();
    }
    if let Some(Time(at)) = input.at {
        out.member("At");
        out.time(at);
    }
    if let Some(names) = &input.names {
        out.member("Names");
        let kept: Vec<&str> = names.iter().map(Text::as_str).collect();
        // Those beyond what is kept are counted.
        let more = std::iter::repeat_n("", names.count() - kept.len());
        out.value(&kept.iter().copied().chain(more).collect::<Vec<_>>())
            .unwrap();
    }
    if let Some(tags) = &input.tags {
        out.member("Tags");
        out.structure(tags.len());
        let mut body = out.take();
        for text in tags.iter().flat_map(|(key, value)| [key, value]) {
            wire::cbor::write_text(&mut body, text);
        }
        return [body, records(input, out)].concat();
    }
    let body = out.take();
    [body, records(input, out)].concat()
}

fn records(input: &Input<'_>, mut out: Writer) -> Vec<u8> {
    let Some(records) = &input.records else {
        return Vec::new();
    };
    out.member("Records");
    out.list(records.count());
    for record in records.iter() {
        out.structure(2);
        let mut data = Vec::new();
        let blob = record.data.as_ref().unwrap();
        blob.decode_onto(&mut data).unwrap();
        assert!(data.len() == blob.decoded_len() && data.len() <= DATA_BYTES_MAX);
        out.member("Data");
        out.blob(&data);
        out.member("Key");
        out.text(record.key.as_ref().unwrap());
    }
    out.take()
}
