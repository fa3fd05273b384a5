//! A record as a line.

use std::io::IsTerminal;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::ser::Formatter;
use types::Timestamp;

use super::framed::Framed;
use super::visible;
use crate::output;

/// Whoever sets it to anything wants no colours (<https://no-color.org>).
const NO_COLOR: &str = "NO_COLOR";
/// What a terminal that knows no colours calls itself.
const TERM: &str = "TERM";
const DUMB: &str = "dumb";
const MS_PER_SECOND: f64 = 1000.0;
const DIM: &[u8] = b"\x1b[2m";
const CYAN: &[u8] = b"\x1b[36m";
const GREEN: &[u8] = b"\x1b[32m";
const PLAIN: &[u8] = b"\x1b[0m";

/// What `--format` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// An object per line: shard, sequence_number, arrival, partition_key, data (data_base64 if it
    /// is no text)
    Json,
    /// For people: time, shard, partition key and data on a line, without control characters
    Pretty,
    /// The data, and a line feed
    Raw,
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Pretty {
        is_coloured: bool,
    },
    Raw,
    /// For a program that reads on.
    Framed,
}

/// A record to be written.
pub(super) struct Shown<'a> {
    pub(super) shard: &'a str,
    pub(super) sequence_number: &'a str,
    /// Its place within a record that holds several.
    pub(super) sub_sequence_number: Option<u64>,
    pub(super) partition_key: &'a str,
    pub(super) data: &'a [u8],
    pub(super) arrival_at: Timestamp,
}

#[derive(Serialize)]
struct Object<'a> {
    shard: &'a str,
    sequence_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_sequence_number: Option<u64>,
    /// Seconds since 1970, as the API has it.
    arrival: f64,
    partition_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

impl Format {
    /// The format of that name. Without one it depends on who reads: at a terminal it is for
    /// people, else what was put.
    pub(super) fn of(name: Option<FormatName>) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        match name {
            Some(FormatName::Json) => Self::Json,
            Some(FormatName::Raw) => Self::Raw,
            Some(FormatName::Pretty) => Self::pretty(is_terminal),
            None if is_terminal => Self::pretty(is_terminal),
            None => Self::Raw,
        }
    }

    fn pretty(is_terminal: bool) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os(TERM).is_some_and(|term| term == DUMB);
        Self::Pretty {
            is_coloured: is_terminal && !is_set(NO_COLOR) && !is_dumb,
        }
    }

    /// Appends a record's line.
    pub(super) fn write(self, out: &mut Vec<u8>, record: &Shown<'_>) -> Result<(), String> {
        match self {
            Self::Json => json(out, record)?,
            Self::Pretty { is_coloured } => pretty(out, record, is_coloured),
            Self::Raw => out.extend_from_slice(record.data),
            Self::Framed => framed(record).write(out)?,
        }
        out.push(b'\n');
        Ok(())
    }
}

fn framed<'a>(record: &Shown<'a>) -> Framed<'a> {
    Framed {
        arrival: record.arrival_at.0,
        shard: record.shard,
        sequence_number: record.sequence_number,
        partition_key: record.partition_key,
        data: record.data,
    }
}

/// An object on one line. Data that is not UTF-8 stays in base64, under another name.
fn json(out: &mut Vec<u8>, record: &Shown<'_>) -> Result<(), String> {
    let data = std::str::from_utf8(record.data).ok();
    let object = Object {
        shard: record.shard,
        sequence_number: record.sequence_number,
        sub_sequence_number: record.sub_sequence_number,
        arrival: record.arrival_at.0 as f64 / MS_PER_SECOND,
        partition_key: record.partition_key,
        data,
        data_base64: (data.is_none()).then(|| base64_simd::STANDARD.encode_to_string(record.data)),
    };
    let mut serializer = serde_json::Serializer::with_formatter(out, Harmless);
    let written = object.serialize(&mut serializer);
    written.map_err(|error| format!("write a record as JSON: {error}"))
}

/// JSON without characters that a terminal obeys: JSON itself asks for that of the first 32 alone.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        let mut rest = fragment;
        // The first 32 are not in here: JSON has escaped them.
        while let Some(at) = rest.find(visible::is_obeyed) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            if let Some(character) = characters.next() {
                // All of them are below 2^16.
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

fn pretty(out: &mut Vec<u8>, record: &Shown<'_>, is_coloured: bool) {
    let mut part = |colour: &[u8], bytes: &[u8]| {
        if is_coloured {
            out.extend_from_slice(colour);
        }
        visible::write(out, bytes);
        if is_coloured {
            out.extend_from_slice(PLAIN);
        }
        out.extend_from_slice(b"  ");
    };
    part(DIM, output::time(record.arrival_at.0).as_bytes());
    part(CYAN, record.shard.as_bytes());
    part(GREEN, record.partition_key.as_bytes());
    match visible::on_one_line(record.data) {
        Some(line) => visible::write(out, &line),
        None => visible::write(out, record.data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, key: &str, data: &[u8]) -> String {
        let mut out = Vec::new();
        let record = Shown {
            shard: "shardId-000000000003",
            sequence_number: "7",
            sub_sequence_number: None,
            partition_key: key,
            data,
            arrival_at: Timestamp(1_500),
        };
        format.write(&mut out, &record).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn data_is_printed_as_it_was_put() {
        assert_eq!(line(Format::Raw, "k", b"hi"), "hi\n");
    }

    #[test]
    fn an_object_holds_data_that_is_no_text_in_base64() {
        let text = line(Format::Json, "k", b"hi");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data"], "hi");
        assert_eq!(value["arrival"], 1.5);
        assert_eq!(value["sequence_number"], "7");
        assert_eq!(value.get("sub_sequence_number"), None);
        let text = line(Format::Json, "k", b"\xff");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["data_base64"], "/w==");
        assert_eq!(value.get("data"), None);
    }

    #[test]
    fn an_object_is_the_same_text_again_and_nothing_that_a_terminal_obeys() {
        let data = "a\u{9b}2J\u{7f}\u{1b}[0m\u{202e}\"ü\\";
        let text = line(Format::Json, data, data.as_bytes());
        let obeyed = text.trim_end().chars().find(|c| visible::is_obeyed(*c));
        assert_eq!(obeyed, None);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["data"], &value["partition_key"]),
            (&data.into(), &data.into())
        );
    }

    #[test]
    fn for_people_a_record_is_one_line_that_no_data_and_no_key_can_colour() {
        let plain = Format::Pretty { is_coloured: false };
        assert_eq!(
            line(plain, "al\x1b[1mice", b"{\n  \"a\": 1\n}"),
            "1970-01-01T00:00:01.500Z  shardId-000000000003  al\\x1b[1mice  {\"a\":1}\n"
        );
        let coloured = line(Format::Pretty { is_coloured: true }, "k", b"\x1b[0m\n");
        assert!(coloured.contains("\x1b[36mshardId-000000000003\x1b[0m  "));
        assert!(coloured.ends_with("  \\x1b[0m\\n\n"), "{coloured:?}");
    }
}
