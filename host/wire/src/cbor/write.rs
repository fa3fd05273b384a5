//! Items, as the shortest heads there are.

use types::Timestamp;

use super::read::{BYTES, LIST, MAP, TAG, TEXT, UNSIGNED};

/// The tag of a moment.
const EPOCH: u64 = 1;

/// Appends the head of an item: its kind and its argument.
pub(super) fn write_head(out: &mut Vec<u8>, kind: u8, argument: u64) {
    let kind = kind << 5;
    let bytes = argument.to_be_bytes();
    match (&bytes, head_len(argument)) {
        ([.., last], 1) => out.push(kind | last),
        ([.., last], 2) => out.extend_from_slice(&[kind | 24, *last]),
        ([.., high, low], 3) => out.extend_from_slice(&[kind | 25, *high, *low]),
        ([_, _, _, _, low @ ..], 5) => {
            out.push(kind | 26);
            out.extend_from_slice(low);
        }
        (all, _) => {
            out.push(kind | 27);
            out.extend_from_slice(all.as_slice());
        }
    }
}

/// Bytes of a head.
fn head_len(argument: u64) -> usize {
    match argument {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

fn write_string(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    write_head(out, kind, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends text; exactly [`text_len`] bytes.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write_string(out, TEXT, text.as_bytes());
}

/// Bytes that [`write_text`] appends for a text of `len` bytes.
pub fn text_len(len: usize) -> usize {
    head_len(len as u64) + len
}

/// Appends text that is known to be ASCII.
pub(crate) fn write_word(out: &mut Vec<u8>, word: &[u8]) {
    write_string(out, TEXT, word);
}

/// Appends a blob; exactly [`blob_len`] bytes.
pub fn write_blob(out: &mut Vec<u8>, data: &[u8]) {
    write_string(out, BYTES, data);
}

/// Bytes that [`write_blob`] appends for a blob of `len` bytes.
pub fn blob_len(len: usize) -> usize {
    head_len(len as u64) + len
}

/// Appends a moment: milliseconds since 1970 under tag 1. The standard has seconds there; Java's
/// SDK reads and writes milliseconds.
pub fn write_time(out: &mut Vec<u8>, moment: Timestamp) {
    write_tag_of_time(out);
    write_number(out, moment.0);
}

/// Says that the number that comes is a moment.
pub(super) fn write_tag_of_time(out: &mut Vec<u8>) {
    write_head(out, TAG, EPOCH);
}

/// Appends a whole number.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    write_head(out, UNSIGNED, number);
}

/// Begins a structure of so many members.
pub(crate) fn begin_structure(out: &mut Vec<u8>, members: usize) {
    write_head(out, MAP, members as u64);
}

/// Begins a list of so many members.
pub(crate) fn begin_list(out: &mut Vec<u8>, members: usize) {
    write_head(out, LIST, members as u64);
}
