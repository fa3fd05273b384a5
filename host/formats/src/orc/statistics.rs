//! What is said of the values of a column in a stripe and in the file, by which readers leave out
//! what they do not look for (ORC specification v1, "Column Statistics"). Sums are not told, and
//! neither are bounds of decimals.

use super::protobuf::Message;

/// Bytes of a text up to which it is a bound. Where a longer one would be, none are told.
const BOUND_BYTES_MAX: usize = 256;
const MICROS_PER_MILLI: i64 = 1_000;

/// What is known of values.
#[derive(Clone, Debug)]
pub struct Statistics {
    values: u64,
    has_null: bool,
    noted: Noted,
}

/// What is told of values of one kind.
#[derive(Clone, Debug)]
pub enum Noted {
    /// Nothing.
    Nothing,
    /// How many are true.
    Trues(u64),
    /// The least and the greatest integer.
    Integers(Option<(i64, i64)>),
    /// The same of days.
    Days(Option<(i64, i64)>),
    /// The same of moments, in microseconds.
    Moments(Option<(i64, i64)>),
    /// The same of numbers.
    Numbers(Option<(f64, f64)>),
    /// The same of texts, and the bytes of all.
    Texts(Bounds, u64),
    /// The bytes of all values.
    Bytes(u64),
}

/// The least and the greatest text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// There is no text.
    None,
    /// These.
    Of(Vec<u8>, Vec<u8>),
    /// One of them is too long to be told.
    TooLong,
}

impl Statistics {
    /// Of no values.
    pub fn new(noted: Noted) -> Self {
        Self {
            values: 0,
            has_null: false,
            noted,
        }
    }

    /// So many values have come, and some that are not there, perhaps.
    pub fn count(&mut self, values: usize, has_null: bool) {
        self.values += values as u64;
        self.has_null |= has_null;
    }

    /// A boolean has come.
    pub fn note_boolean(&mut self, value: bool) {
        if let Noted::Trues(trues) = &mut self.noted {
            *trues += u64::from(value);
        }
    }

    /// An integer has come, a day, or a moment.
    pub fn note_integer(&mut self, value: i64) {
        if let Noted::Integers(range) | Noted::Days(range) | Noted::Moments(range) = &mut self.noted
        {
            *range = widened(*range, (value, value));
        }
    }

    /// A number has come.
    pub fn note_number(&mut self, value: f64) {
        if let Noted::Numbers(range) = &mut self.noted {
            *range = widened(*range, (value, value));
        }
    }

    /// A text has come.
    pub fn note_text(&mut self, value: &[u8]) {
        match &mut self.noted {
            Noted::Texts(bounds, bytes) => {
                *bytes += value.len() as u64;
                bounds.widen(value, value);
            }
            Noted::Bytes(bytes) => *bytes += value.len() as u64,
            _ => {}
        }
    }

    /// What is known of these values and of others of the same kind.
    pub fn add(&mut self, other: &Self) {
        self.values += other.values;
        self.has_null |= other.has_null;
        match (&mut self.noted, &other.noted) {
            (Noted::Trues(trues), Noted::Trues(more)) => *trues += more,
            (Noted::Bytes(bytes), Noted::Bytes(more)) => *bytes += more,
            (Noted::Integers(range), Noted::Integers(Some(more)))
            | (Noted::Days(range), Noted::Days(Some(more)))
            | (Noted::Moments(range), Noted::Moments(Some(more))) => {
                *range = widened(*range, *more);
            }
            (Noted::Numbers(range), Noted::Numbers(Some(more))) => {
                *range = widened(*range, *more);
            }
            (Noted::Texts(bounds, bytes), Noted::Texts(more, more_bytes)) => {
                *bytes += more_bytes;
                match more {
                    Bounds::None => {}
                    Bounds::Of(least, greatest) => bounds.widen(least, greatest),
                    Bounds::TooLong => *bounds = Bounds::TooLong,
                }
            }
            _ => {}
        }
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        let noted = match &self.noted {
            Noted::Nothing => Noted::Nothing,
            Noted::Trues(_) => Noted::Trues(0),
            Noted::Integers(_) => Noted::Integers(None),
            Noted::Days(_) => Noted::Days(None),
            Noted::Moments(_) => Noted::Moments(None),
            Noted::Numbers(_) => Noted::Numbers(None),
            Noted::Texts(..) => Noted::Texts(Bounds::None, 0),
            Noted::Bytes(_) => Noted::Bytes(0),
        };
        *self = Self::new(noted);
    }

    /// `ColumnStatistics`.
    pub fn message(&self) -> Message {
        let mut told = Message::default();
        told.number(1, self.values);
        let mut of = Message::default();
        match &self.noted {
            Noted::Trues(trues) => {
                of.numbers(1, &[*trues]);
                told.message(5, &of);
            }
            Noted::Integers(Some((least, greatest))) => {
                tell_range(&mut of, 1, (*least, *greatest));
                told.message(2, &of);
            }
            Noted::Days(Some((least, greatest))) => {
                tell_range(&mut of, 1, (*least, *greatest));
                told.message(7, &of);
            }
            Noted::Moments(Some((least, greatest))) => {
                // What is finer than a millisecond is thought of as any by readers.
                let [least, greatest] =
                    [least, greatest].map(|micros| micros.div_euclid(MICROS_PER_MILLI));
                tell_range(&mut of, 1, (least, greatest));
                tell_range(&mut of, 3, (least, greatest));
                told.message(9, &of);
            }
            Noted::Numbers(Some((least, greatest))) => {
                of.double(1, *least);
                of.double(2, *greatest);
                told.message(3, &of);
            }
            Noted::Texts(Bounds::Of(least, greatest), bytes) => {
                of.text(1, least);
                of.text(2, greatest);
                of.number(3, bytes << 1);
                told.message(4, &of);
            }
            Noted::Bytes(bytes) => {
                of.number(1, bytes << 1);
                told.message(8, &of);
            }
            Noted::Nothing
            | Noted::Integers(None)
            | Noted::Days(None)
            | Noted::Moments(None)
            | Noted::Numbers(None)
            | Noted::Texts(..) => {}
        }
        told.number(10, u64::from(self.has_null));
        told
    }
}

fn tell_range(told: &mut Message, field: u64, (least, greatest): (i64, i64)) {
    told.signed(field, least);
    told.signed(field + 1, greatest);
}

fn widened<T: PartialOrd + Copy>(range: Option<(T, T)>, (from, to): (T, T)) -> Option<(T, T)> {
    let Some((least, greatest)) = range else {
        return Some((from, to));
    };
    let least = if from < least { from } else { least };
    let greatest = if to > greatest { to } else { greatest };
    Some((least, greatest))
}

impl Bounds {
    fn widen(&mut self, from: &[u8], to: &[u8]) {
        match self {
            Self::TooLong => {}
            _ if from.len().max(to.len()) > BOUND_BYTES_MAX => *self = Self::TooLong,
            Self::None => *self = Self::Of(from.to_vec(), to.to_vec()),
            Self::Of(least, greatest) => {
                if from < least.as_slice() {
                    *least = from.to_vec();
                }
                if to > greatest.as_slice() {
                    *greatest = to.to_vec();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounds_unless_one_is_long() {
        let mut stripe = Statistics::new(Noted::Texts(Bounds::None, 0));
        let mut file = stripe.clone();
        for text in ["m", "b", "z"] {
            stripe.note_text(text.as_bytes());
        }
        stripe.count(3, true);
        file.add(&stripe);
        let wanted = b"\x08\x03\x22\x08\x0a\x01b\x12\x01z\x18\x06\x50\x01";
        assert_eq!(file.message().bytes(), wanted);
        stripe.clear();
        stripe.note_text(&[b'a'; BOUND_BYTES_MAX + 1]);
        stripe.count(1, false);
        file.add(&stripe);
        assert_eq!(file.message().bytes(), b"\x08\x04\x50\x01");
    }

    #[test]
    fn moments_are_told_in_milliseconds_that_are_not_later() {
        let mut stripe = Statistics::new(Noted::Moments(None));
        stripe.note_integer(-1);
        stripe.note_integer(1_999);
        stripe.count(2, false);
        let wanted = b"\x08\x02\x4a\x08\x08\x01\x10\x02\x18\x01\x20\x02\x50\x00";
        assert_eq!(stripe.message().bytes(), wanted);
    }
}
