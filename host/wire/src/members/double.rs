//! Members that hold a number with a fraction.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::mismatch::{DOUBLE, text_where};

/// A number, also a whole one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Double(pub f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DoubleVisitor;

        impl Visitor<'_> for DoubleVisitor {
            type Value = Double;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DOUBLE)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Double, E> {
                Err(text_where(&self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Double, E> {
                Ok(Double(number))
            }

            // Beyond 2^53 it is the double next to it, as it is for AWS.
            fn visit_i64<E: Error>(self, number: i64) -> Result<Double, E> {
                Ok(Double(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Double, E> {
                Ok(Double(number as f64))
            }
        }

        deserializer.deserialize_f64(DoubleVisitor)
    }
}
