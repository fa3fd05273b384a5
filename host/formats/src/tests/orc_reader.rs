//! A reader of ORC files, written from the specification and by nothing of the writer: it reads all
//! that the format has for the types of tables, also what the writer never writes.

use std::collections::HashMap;
use std::io::Read;

use serde_json::{Map, Value, json};

const BASE_SECONDS: i64 = 1_420_070_400;

/// A field of a message.
#[derive(Clone, Debug)]
enum Field {
    Number(u64),
    Text(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u128 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return number;
        }
    }
}

fn small(bytes: &mut &[u8]) -> u64 {
    u64::try_from(varint(bytes)).unwrap()
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[derive(Default)]
struct Message(Vec<(u64, Field)>);

impl Message {
    fn parse(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = small(&mut bytes);
            let field = match key & 7 {
                0 => Field::Number(small(&mut bytes)),
                1 => {
                    let (number, rest) = bytes.split_first_chunk().unwrap();
                    bytes = rest;
                    Field::Number(u64::from_le_bytes(*number))
                }
                2 => {
                    let length = size(small(&mut bytes));
                    let (text, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Text(text.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, field));
        }
        Self(fields)
    }

    fn numbers(&self, field: u64) -> Vec<u64> {
        let found = self.0.iter().filter(|(number, _)| *number == field);
        let numbers = found.flat_map(|(_, field)| match field {
            Field::Number(number) => vec![*number],
            Field::Text(packed) => {
                let (mut packed, mut numbers) = (packed.as_slice(), Vec::new());
                while !packed.is_empty() {
                    numbers.push(small(&mut packed));
                }
                numbers
            }
        });
        numbers.collect()
    }

    fn number(&self, field: u64) -> u64 {
        self.numbers(field).first().copied().unwrap_or_default()
    }

    fn texts(&self, field: u64) -> Vec<&[u8]> {
        let texts = self.0.iter().filter_map(|(number, it)| match it {
            Field::Text(text) if *number == field => Some(text.as_slice()),
            _ => None,
        });
        texts.collect()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        self.texts(field).into_iter().map(Self::parse).collect()
    }
}

/// What is read of a file.
pub struct OrcFile {
    pub rows: Vec<Value>,
    pub stripes: usize,
    /// `[0, 11]` or `[0, 12]`.
    pub version: Vec<u64>,
    /// The encodings of the columns of each stripe.
    pub encodings: Vec<u64>,
    /// The number of values of each column in the file.
    pub counts: Vec<u64>,
}

/// Reads a whole file.
pub fn read(content: &[u8]) -> OrcFile {
    assert!(content.starts_with(b"ORC"));
    let (length, before) = content.split_last().unwrap();
    let (before, postscript) = before.split_at(before.len() - usize::from(*length));
    assert!(postscript.ends_with(b"ORC"));
    let postscript = Message::parse(postscript);
    let codec = postscript.number(2);
    let (before, footer) = before.split_at(before.len() - size(postscript.number(1)));
    let (body, metadata) = before.split_at(before.len() - size(postscript.number(5)));
    let footer = Message::parse(&unpacked(footer, codec));
    assert_eq!(footer.number(2), body.len() as u64);
    let types = footer.messages(4);
    let stripes = footer.messages(3);
    let metadata = Message::parse(&unpacked(metadata, codec));
    assert_eq!(metadata.messages(1).len(), stripes.len());
    let (mut rows, mut encodings) = (Vec::new(), Vec::new());
    let mut at = 3;
    for stripe in &stripes {
        assert_eq!(
            size(stripe.number(1)),
            at,
            "stripes are one behind the other"
        );
        let (data_end, count) = (at + size(stripe.number(3)), size(stripe.number(5)));
        let end = data_end + size(stripe.number(4));
        let told = Message::parse(&unpacked(&body[data_end..end], codec));
        assert_eq!(told.texts(3), [b"UTC"]);
        let mut streams = HashMap::new();
        for stream in told.messages(1) {
            let to = at + size(stream.number(3));
            let bytes = unpacked(&body[at..to], codec);
            let place = (stream.number(2), stream.number(1));
            assert!(streams.insert(place, bytes).is_none());
            at = to;
        }
        assert_eq!(at, data_end);
        at = end;
        let columns: Vec<u64> = told.messages(2).iter().map(|it| it.number(1)).collect();
        encodings.extend_from_slice(&columns);
        let stripe = Stripe {
            types: &types,
            streams,
            columns,
        };
        rows.extend(stripe.column(0, count));
    }
    assert_eq!(at, body.len());
    assert_eq!(footer.number(6), rows.len() as u64);
    OrcFile {
        rows,
        stripes: stripes.len(),
        version: postscript.numbers(4),
        encodings,
        counts: footer.messages(7).iter().map(|it| it.number(1)).collect(),
    }
}

fn unpacked(mut bytes: &[u8], codec: u64) -> Vec<u8> {
    if codec == 0 {
        return bytes.to_vec();
    }
    let mut whole = Vec::new();
    while !bytes.is_empty() {
        let head = usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16;
        let (block, rest) = bytes[3..].split_at(head >> 1);
        bytes = rest;
        match (head & 1, codec) {
            (1, _) => whole.extend_from_slice(block),
            (_, 1) => {
                let mut reader = flate2::read::DeflateDecoder::new(block);
                reader.read_to_end(&mut whole).unwrap();
            }
            (_, 2) => {
                let block = snap::raw::Decoder::new().decompress_vec(block);
                whole.extend(block.unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
    whole
}

struct Stripe<'a> {
    types: &'a [Message],
    streams: HashMap<(u64, u64), Vec<u8>>,
    columns: Vec<u64>,
}

impl Stripe<'_> {
    fn stream(&self, column: u64, kind: u64) -> &[u8] {
        let stream = self.streams.get(&(column, kind));
        stream.unwrap_or_else(|| panic!("column {column} has no stream {kind}"))
    }

    fn integers(&self, column: u64, kind: u64, is_signed: bool) -> Vec<i64> {
        let stream = self.stream(column, kind);
        let numbers = match self.columns[size(column)] {
            0 => integers_1(stream, is_signed),
            2 => integers_2(stream, is_signed),
            other => panic!("encoding {other}"),
        };
        assert!(is_signed || numbers.iter().all(|number| *number >= 0));
        numbers
    }

    /// So many values of a column, with those that are not there.
    fn column(&self, column: u64, count: usize) -> Vec<Value> {
        let present = match self.streams.get(&(column, 0)) {
            Some(stream) => bits(stream),
            None => vec![true; count],
        };
        let there = present.iter().take(count).filter(|is_there| **is_there);
        let there = there.count();
        let mut values = self.values(column, there).into_iter();
        let all = present
            .into_iter()
            .take(count)
            .map(|is_there| match is_there {
                true => values.next().unwrap(),
                false => Value::Null,
            });
        let all: Vec<Value> = all.collect();
        assert_eq!((all.len(), values.next()), (count, None), "column {column}");
        all
    }

    fn values(&self, column: u64, count: usize) -> Vec<Value> {
        let kind = &self.types[size(column)];
        let within = kind.numbers(2);
        let numbers = |is_signed| self.integers(column, 1, is_signed).into_iter();
        match kind.number(1) {
            0 => {
                let bits = bits(self.stream(column, 1)).into_iter();
                bits.take(count).map(Value::from).collect()
            }
            1 => {
                let bytes = byte_runs(self.stream(column, 1)).into_iter();
                bytes.map(|byte| json!(byte.cast_signed())).collect()
            }
            2..=4 | 15 => numbers(true).map(Value::from).collect(),
            5 => {
                let chunks = self.stream(column, 1).as_chunks().0.iter();
                chunks.map(|it| json!(f32::from_le_bytes(*it))).collect()
            }
            6 => {
                let chunks = self.stream(column, 1).as_chunks().0.iter();
                chunks.map(|it| json!(f64::from_le_bytes(*it))).collect()
            }
            7 | 16 | 17 => {
                let texts = self.texts(column).into_iter();
                texts
                    .map(|it| json!(String::from_utf8(it).unwrap()))
                    .collect()
            }
            8 => self.texts(column).into_iter().map(|it| json!(it)).collect(),
            9 => {
                let nanos = self.integers(column, 5, false);
                let moments = numbers(true).zip(nanos);
                moments
                    .map(|(seconds, nanos)| moment(seconds, nanos))
                    .collect()
            }
            10 => {
                let lengths = self.integers(column, 2, false);
                let total: i64 = lengths.iter().sum();
                let mut items = self
                    .column(within[0], usize::try_from(total).unwrap())
                    .into_iter();
                let lists = lengths.iter().map(|length| {
                    let length = usize::try_from(*length).unwrap();
                    items.by_ref().take(length).collect::<Value>()
                });
                lists.collect()
            }
            11 => self.maps(column, &within),
            12 => {
                let names = kind.texts(3).into_iter();
                let mut rows = vec![Map::new(); count];
                for (name, field) in names.zip(within) {
                    let name = String::from_utf8(name.to_vec()).unwrap();
                    for (row, value) in rows.iter_mut().zip(self.column(field, count)) {
                        row.insert(name.clone(), value);
                    }
                }
                rows.into_iter().map(Value::Object).collect()
            }
            14 => self.decimals(column, i64::try_from(kind.number(6)).unwrap()),
            other => panic!("a type of kind {other}"),
        }
    }

    fn decimals(&self, column: u64, scale: i64) -> Vec<Value> {
        let mut digits = self.stream(column, 1);
        let scales = self.integers(column, 5, true);
        let all = scales.iter().map(|told| {
            assert_eq!(*told, scale);
            let number = varint(&mut digits);
            let half = (number >> 1).cast_signed();
            let digits = if number & 1 == 0 { half } else { -half - 1 };
            json!(digits.to_string())
        });
        all.collect()
    }

    fn texts(&self, column: u64) -> Vec<Vec<u8>> {
        let mut data = self.stream(column, 1);
        let lengths = self.integers(column, 2, false).into_iter();
        let texts = lengths.map(|length| {
            let (text, rest) = data.split_at(usize::try_from(length).unwrap());
            data = rest;
            text.to_vec()
        });
        let texts = texts.collect();
        assert!(data.is_empty());
        texts
    }

    fn maps(&self, column: u64, within: &[u64]) -> Vec<Value> {
        let lengths = self.integers(column, 2, false);
        let total = usize::try_from(lengths.iter().sum::<i64>()).unwrap();
        let keys = self.column(within[0], total).into_iter();
        let mut entries = keys.zip(self.column(within[1], total));
        let maps = lengths.iter().map(|length| {
            let length = usize::try_from(*length).unwrap();
            let entries = entries.by_ref().take(length).map(|(key, value)| {
                let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                (key, value)
            });
            let map: Map<String, Value> = entries.collect();
            assert_eq!(map.len(), length, "a key is there twice");
            Value::Object(map)
        });
        maps.collect()
    }
}

fn moment(seconds: i64, nanos: i64) -> Value {
    let zeros = u32::try_from(nanos & 7).unwrap();
    let nanos = (nanos >> 3) * if zeros == 0 { 1 } else { 10_i64.pow(zeros + 1) };
    let mut seconds = seconds + BASE_SECONDS;
    if seconds < 0 && nanos > 999_999 {
        seconds -= 1;
    }
    json!(seconds * 1_000_000 + nanos / 1_000)
}

fn byte_runs(mut bytes: &[u8]) -> Vec<u8> {
    let mut values = Vec::new();
    while let Some((head, rest)) = bytes.split_first() {
        if *head < 128 {
            values.extend(std::iter::repeat_n(rest[0], usize::from(*head) + 3));
            bytes = &rest[1..];
        } else {
            let (literals, rest) = rest.split_at(usize::from(head.wrapping_neg()));
            values.extend_from_slice(literals);
            bytes = rest;
        }
    }
    values
}

fn bits(bytes: &[u8]) -> Vec<bool> {
    let bytes = byte_runs(bytes).into_iter();
    let bits = bytes.flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1 == 1));
    bits.collect()
}

fn integer(number: u64, is_signed: bool) -> i64 {
    match is_signed {
        true => unzigzag(number),
        false => number.cast_signed(),
    }
}

fn integers_1(mut bytes: &[u8], is_signed: bool) -> Vec<i64> {
    let mut values = Vec::new();
    while let Some((head, rest)) = bytes.split_first() {
        bytes = rest;
        if *head < 128 {
            let step = i64::from(rest[0].cast_signed());
            bytes = &rest[1..];
            let first = integer(small(&mut bytes), is_signed);
            values.extend((0..i64::from(*head) + 3).map(|place| first + place * step));
        } else {
            for _ in 0..head.wrapping_neg() {
                values.push(integer(small(&mut bytes), is_signed));
            }
        }
    }
    values
}

/// Numbers of so many bits each, and how many bytes they are.
fn packed(bytes: &[u8], width: usize, count: usize) -> (Vec<u64>, usize) {
    let bit = |at: usize| u64::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let numbers = (0..count)
        .map(|place| (0..width).fold(0, |number, at| number << 1 | bit(place * width + at)));
    (numbers.collect(), (width * count).div_ceil(8))
}

fn width(code: u8) -> usize {
    match code {
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        31 => 64,
        other => usize::from(other) + 1,
    }
}

fn integers_2(mut bytes: &[u8], is_signed: bool) -> Vec<i64> {
    let mut values = Vec::new();
    while let Some(head) = bytes.first() {
        let way = head >> 6;
        if way == 0 {
            let (width, count) = (usize::from(head >> 3 & 7) + 1, usize::from(head & 7) + 3);
            let (number, _) = packed(&bytes[1..], width * 8, 1);
            bytes = &bytes[1 + width..];
            values.extend(std::iter::repeat_n(integer(number[0], is_signed), count));
            continue;
        }
        let code = head >> 1 & 31;
        let count = (usize::from(head & 1) << 8 | usize::from(bytes[1])) + 1;
        bytes = &bytes[2..];
        match way {
            1 => {
                let (numbers, taken) = packed(bytes, width(code), count);
                values.extend(numbers.into_iter().map(|it| integer(it, is_signed)));
                bytes = &bytes[taken..];
            }
            3 => {
                let mut last = integer(small(&mut bytes), is_signed);
                let step = unzigzag(small(&mut bytes));
                values.push(last);
                if code == 0 {
                    values.extend((1..count).map(|_| {
                        last += step;
                        last
                    }));
                    continue;
                }
                assert_ne!(step, 0, "a difference says in which direction all go");
                last += step;
                values.push(last);
                let (numbers, taken) = packed(bytes, width(code), count - 2);
                bytes = &bytes[taken..];
                values.extend(numbers.into_iter().map(|delta| {
                    last = match step < 0 {
                        true => last.checked_sub_unsigned(delta).unwrap(),
                        false => last.checked_add_unsigned(delta).unwrap(),
                    };
                    last
                }));
            }
            _ => panic!("the writer does not write numbers with patches"),
        }
    }
    values
}
