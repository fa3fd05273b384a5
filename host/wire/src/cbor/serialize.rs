//! Outputs become items.

use std::fmt;

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};

use super::read::{BREAK, LIST, MAP, NEGATIVE, NULL};
use super::write::{write_blob, write_head, write_number, write_tag_of_time, write_text};
use crate::members::TIME;

/// A list or a map whose length is not known ahead.
const UNTOLD: u8 = 31;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
/// What comes before the eight bytes of a number with a fraction.
const FLOAT: u8 = 0xfb;

/// Why a value cannot be written.
#[derive(Debug)]
pub(super) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

/// No output of the model has such a value.
fn not_of_the_model(what: &str) -> Fault {
    Fault(format!("{what} is of no model"))
}

/// Where values go to.
pub(super) struct Output<'a>(pub &'a mut Vec<u8>);

impl<'a> Output<'a> {
    fn begin(self, kind: u8, members: Option<usize>) -> Members<'a> {
        match members {
            Some(members) => write_head(self.0, kind, members as u64),
            None => self.0.push(kind << 5 | UNTOLD),
        }
        Members {
            out: self.0,
            is_untold: members.is_none(),
        }
    }
}

impl<'a> Serializer for Output<'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Members<'a>;
    type SerializeTuple = Members<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.0.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i64(self, number: i64) -> Result<(), Fault> {
        // -1 - number, which is the complement in binary.
        match u64::try_from(number) {
            Ok(number) => write_number(self.0, number),
            Err(_) => write_head(self.0, NEGATIVE, (!number).cast_unsigned()),
        }
        Ok(())
    }

    fn serialize_u64(self, number: u64) -> Result<(), Fault> {
        write_number(self.0, number);
        Ok(())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Fault> {
        self.0.push(FLOAT);
        self.0.extend_from_slice(&number.to_be_bytes());
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Result<(), Fault> {
        self.serialize_i64(i64::from(number))
    }

    fn serialize_i16(self, number: i16) -> Result<(), Fault> {
        self.serialize_i64(i64::from(number))
    }

    fn serialize_i32(self, number: i32) -> Result<(), Fault> {
        self.serialize_i64(i64::from(number))
    }

    fn serialize_u8(self, number: u8) -> Result<(), Fault> {
        self.serialize_u64(u64::from(number))
    }

    fn serialize_u16(self, number: u16) -> Result<(), Fault> {
        self.serialize_u64(u64::from(number))
    }

    fn serialize_u32(self, number: u32) -> Result<(), Fault> {
        self.serialize_u64(u64::from(number))
    }

    fn serialize_f32(self, number: f32) -> Result<(), Fault> {
        self.serialize_f64(f64::from(number))
    }

    fn serialize_char(self, character: char) -> Result<(), Fault> {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        write_text(self.0, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        write_blob(self.0, bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.0.push(NULL);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        if name == TIME {
            write_tag_of_time(self.0);
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Fault> {
        Err(not_of_the_model(name))
    }

    fn serialize_seq(self, members: Option<usize>) -> Result<Members<'a>, Fault> {
        Ok(self.begin(LIST, members))
    }

    fn serialize_tuple(self, members: usize) -> Result<Members<'a>, Fault> {
        Ok(self.begin(LIST, Some(members)))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _members: usize,
    ) -> Result<Impossible<(), Fault>, Fault> {
        Err(not_of_the_model(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _members: usize,
    ) -> Result<Impossible<(), Fault>, Fault> {
        Err(not_of_the_model(name))
    }

    fn serialize_map(self, entries: Option<usize>) -> Result<Members<'a>, Fault> {
        Ok(self.begin(MAP, entries))
    }

    fn serialize_struct(self, _name: &'static str, members: usize) -> Result<Members<'a>, Fault> {
        Ok(self.begin(MAP, Some(members)))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        _variant: &'static str,
        _members: usize,
    ) -> Result<Impossible<(), Fault>, Fault> {
        Err(not_of_the_model(name))
    }
}

/// What is written into a list or a map.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    is_untold: bool,
}

impl Members<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(Output(self.out))
    }

    fn finish(self) {
        if self.is_untold {
            self.out.push(BREAK);
        }
    }
}

impl SerializeSeq for Members<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.write(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Members<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.write(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.write(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.write(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        write_text(self.out, name);
        self.write(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish();
        Ok(())
    }
}
