//! Items become the members of inputs.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::read::{Fault, Item, Reader};

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.item()? {
            Item::List(left) => {
                self.enter()?;
                let mut members = Members { reader: self, left };
                let list = visitor.visit_seq(&mut members)?;
                members.end().map(|()| list)
            }
            Item::Map(left) => {
                self.enter()?;
                let mut members = Members { reader: self, left };
                let map = visitor.visit_map(&mut members)?;
                members.end().map(|()| map)
            }
            item => visit(item, visitor),
        }
    }

    /// A whole number may come as one with a fraction of nothing.
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let mut ahead = self.clone();
        if let Item::Float(number) = ahead.item()?
            && number.fract() == 0.0
            // Its digits are exact, and too many of them are no number of 64 bits.
            && let Ok(whole) = format!("{number:.0}").parse()
        {
            *self = ahead;
            return visitor.visit_i64(whole);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.takes_null()? {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Gives what is no list and no map to `visitor`.
fn visit<'de, V: Visitor<'de>>(item: Item<'de>, visitor: V) -> Result<V::Value, Fault> {
    match item {
        Item::Unsigned(number) => visitor.visit_u64(number),
        // Below what 64 bits hold there is no rule that could tell one number from another.
        Item::Negative(below) => {
            visitor.visit_i64(i64::try_from(below).map_or(i64::MIN, |below| -1 - below))
        }
        Item::Float(number) => visitor.visit_f64(number),
        Item::Boolean(value) => visitor.visit_bool(value),
        Item::Null => visitor.visit_unit(),
        Item::Bytes(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
        Item::Bytes(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
        Item::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
        Item::Text(Cow::Owned(text)) => visitor.visit_string(text),
        Item::List(_) | Item::Map(_) => Err(Fault::new("a list or a map within a key")),
    }
}

/// What lies in a list or map.
struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// How many are left; `None`: up to a break.
    left: Option<u64>,
}

impl Members<'_, '_> {
    /// Whether there is one more, which is counted.
    fn advance(&mut self) -> bool {
        match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None if self.reader.takes_break() => {
                self.left = Some(0);
                false
            }
            None => true,
        }
    }

    fn end(mut self) -> Result<(), Fault> {
        if self.advance() {
            return Err(Fault::new(
                "a list or map goes on where its end is expected",
            ));
        }
        self.reader.leave();
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for &mut Members<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T>(&mut self, seed: T) -> Result<Option<T::Value>, Fault>
    where
        T: DeserializeSeed<'de>,
    {
        if !self.advance() {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Members<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K>(&mut self, seed: K) -> Result<Option<K::Value>, Fault>
    where
        K: DeserializeSeed<'de>,
    {
        if !self.advance() {
            return Ok(None);
        }
        seed.deserialize(Key(self.reader)).map(Some)
    }

    fn next_value_seed<V>(&mut self, seed: V) -> Result<V::Value, Fault>
    where
        V: DeserializeSeed<'de>,
    {
        seed.deserialize(&mut *self.reader)
    }
}

/// The name of a member, or the key of a map: text, whoever asks. A number would be taken for the
/// place of a member in its structure.
struct Key<'a, 'de>(&'a mut Reader<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.item()? {
            text @ Item::Text(_) => visit(text, visitor),
            _ => Err(Fault::new("key must be a string")),
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
