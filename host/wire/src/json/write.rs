//! Writing JSON by hand, for answers that are made in chunks.

use base64_simd::STANDARD;
use types::Timestamp;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Whether a byte stands for itself in a JSON string.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// Appends `text` as a JSON string with its quotes; exactly [`escaped_len`] bytes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Names, keys and numbers seldom need an escape: plain stretches are copied as a whole.
    while let Some(at) = rest.iter().position(|&b| !is_plain(b)) {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&escaped, after)) = after.split_first() else {
            break;
        };
        write_escaped(out, escaped);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let digit = |nibble: u8| HEX[usize::from(nibble & 0xf)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
    }
}

/// Bytes that [`write_string`] appends, quotes included.
pub fn escaped_len(text: &str) -> usize {
    let width = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(width).sum::<usize>()
}

/// Appends `data` as standard base64 with padding, without quotes; exactly [`base64_len`] bytes.
pub fn write_base64(out: &mut Vec<u8>, data: &[u8]) {
    STANDARD.encode_append(data, out);
}

/// Bytes that [`write_base64`] appends for `data_len` bytes.
pub fn base64_len(data_len: usize) -> usize {
    data_len.div_ceil(3) * 4
}

/// Appends a moment as a JSON number: seconds with three digits of fraction.
pub fn write_epoch_seconds(out: &mut Vec<u8>, moment: Timestamp) {
    let mut digits = [b'0'; 24];
    let mut left = moment.0;
    let mut start = digits.len();
    // Three digits of fraction, the point, and at least one digit before it.
    while left > 0 || start > digits.len() - 5 {
        start -= 1;
        if start == digits.len() - 4 {
            digits[start] = b'.';
            continue;
        }
        let digit = (left % 10) as u8;
        digits[start] = b'0' + digit;
        left /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}
