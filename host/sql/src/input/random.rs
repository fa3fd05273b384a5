//! Random documents for tests. A seed gives the same ones each time.

use serde_json::{Map, Value};

/// Numbers that look random.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below a limit.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn name(&mut self) -> String {
        ["a", "b", "c", "x y", "\"q\"", "é"][self.below(6)].to_owned()
    }

    fn text(&mut self) -> String {
        let length = self.below(20);
        let letters = [
            'a', ' ', '"', '\\', '/', '\n', '\u{1}', 'ä', '😀', '{', ']', ',', ':',
        ];
        (0..length)
            .map(|_| letters[self.below(letters.len())])
            .collect()
    }

    /// A value with at most so many arrays and objects in each other.
    pub fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::from(i64::try_from(self.below(2_000_000)).unwrap() - 1_000_000),
            3 => Value::from(f64::from(u32::try_from(self.below(100_000)).unwrap()) / 64.0),
            4 | 5 => Value::from(self.text()),
            6 | 7 => {
                let length = self.below(4);
                Value::Array((0..length).map(|_| self.value(depth - 1)).collect())
            }
            _ => self.object(depth),
        }
    }

    pub fn object(&mut self, depth: usize) -> Value {
        let mut members = Map::new();
        for _ in 0..self.below(5) {
            members.insert(self.name(), self.value(depth - 1));
        }
        Value::Object(members)
    }

    /// Spaces where they may stand.
    fn space(&mut self, out: &mut String) {
        for _ in 0..self.below(8).saturating_sub(5) {
            out.push([' ', '\n', '\t', '\r'][self.below(4)]);
        }
    }

    /// A value as text, with spaces in it and escapes where they may be.
    pub fn write(&mut self, value: &Value, out: &mut String) {
        self.space(out);
        match value {
            Value::String(text) => self.write_text(text, out),
            Value::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.write(element, out);
                }
                self.space(out);
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (at, (name, member)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    self.space(out);
                    self.write_text(name, out);
                    self.space(out);
                    out.push(':');
                    self.write(member, out);
                }
                self.space(out);
                out.push('}');
            }
            other => out.push_str(&other.to_string()),
        }
        self.space(out);
    }

    fn write_text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            if c.is_control() || self.below(6) == 0 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            } else if matches!(c, '"' | '\\') {
                out.push('\\');
                out.push(c);
            } else {
                out.push(c);
            }
        }
        out.push('"');
    }
}
