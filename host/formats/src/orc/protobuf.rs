//! Messages of Protocol Buffers, as far as the tail of an ORC file has them. They are written by
//! hand: they are numbers, texts and messages with a number before each.

use super::varint;

/// Wire types (Protocol Buffers, "Encoding").
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;

/// A message that is being written.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// What it is in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.0.capacity()
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        varint::write(&mut self.0, (field << 3) | wire_type);
    }

    /// A field that is a number without a sign, or one of an enumeration.
    pub fn number(&mut self, field: u64, number: u64) {
        self.key(field, VARINT);
        varint::write(&mut self.0, number);
    }

    /// A field that is a `sint64` or `sint32`.
    pub fn signed(&mut self, field: u64, number: i64) {
        self.number(field, varint::zigzag(number));
    }

    /// A field that is a `double`.
    pub fn double(&mut self, field: u64, number: f64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A field that is a text or bytes.
    pub fn text(&mut self, field: u64, text: &[u8]) {
        self.key(field, LENGTH);
        varint::write(&mut self.0, text.len() as u64);
        self.0.extend_from_slice(text);
    }

    /// A field that is a message.
    pub fn message(&mut self, field: u64, message: &Message) {
        self.text(field, message.bytes());
    }

    /// A field that is a packed list of numbers.
    pub fn numbers(&mut self, field: u64, numbers: &[u64]) {
        let mut packed = Vec::new();
        for number in numbers {
            varint::write(&mut packed, *number);
        }
        self.text(field, &packed);
    }

    /// Fields of the same message that were written apart.
    pub fn fields(&mut self, fields: &Message) {
        self.0.extend_from_slice(fields.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of "Encoding" in the documentation of Protocol Buffers.
    #[test]
    fn fields_are_written_as_the_documentation_shows() {
        let mut message = Message::default();
        message.number(1, 150);
        assert_eq!(message.bytes(), [0x08, 0x96, 0x01]);
        let mut other = Message::default();
        other.text(2, b"testing");
        assert_eq!(other.bytes(), b"\x12\x07testing");
        let mut outer = Message::default();
        outer.message(3, &message);
        assert_eq!(outer.bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let mut packed = Message::default();
        packed.numbers(6, &[3, 270, 86_942]);
        let wanted = [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05];
        assert_eq!(packed.bytes(), wanted);
        let mut rest = Message::default();
        rest.signed(1, -2);
        rest.double(2, 1.0);
        assert_eq!(rest.bytes(), [8, 3, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }
}
