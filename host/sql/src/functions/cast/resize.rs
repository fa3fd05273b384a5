//! Texts and bytes of another length.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;

use super::super::characters::byte_of;
use super::super::kernel::{broken, strict};
use super::super::types;
use super::retype;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::SqlType;

/// A text of another length: cut, and filled up with spaces if the length is fixed.
pub(super) fn texts(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let fixed = matches!(to, SqlType::Char { .. });
    let (from, length) = (types::length(operand.ty()), types::length(to));
    let (Some(from), Some(length)) = (from, length) else {
        return Err(broken("a text has a length"));
    };
    if !fixed && from <= length {
        return retype(operand, to);
    }
    let length = usize::try_from(length).map_err(|_| broken("a length of 32 bits"))?;
    strict(
        format!("CAST TEXT {to}"),
        vec![operand],
        to,
        move |inputs, faults| {
            let texts = inputs.texts(0)?;
            Ok(inputs.write(faults, |row, out| {
                let text = texts.get(row);
                out.push_str(&text[..byte_of(text, length)]);
                if fixed {
                    let missing = length - out.chars().count();
                    out.extend(std::iter::repeat_n(' ', missing));
                }
                Ok(true)
            }))
        },
    )
}

/// Bytes are cut to the length; those of a fixed length are filled up with zeros.
pub(super) fn bytes(operand: Expr, to: SqlType) -> Result<Expr, Invalid> {
    let length = types::length(to).ok_or_else(|| broken("bytes have a length"))?;
    let length = usize::try_from(length).map_err(|_| broken("a length of 32 bits"))?;
    let fixed = matches!(to, SqlType::Binary { .. });
    strict(format!("CAST {to}"), vec![operand], to, move |inputs, _| {
        let column = inputs.column(0)?.as_binary::<i32>();
        let mut builder = BinaryBuilder::new();
        for bytes in column {
            let Some(bytes) = bytes else {
                builder.append_null();
                continue;
            };
            let mut bytes = bytes[..bytes.len().min(length)].to_vec();
            if fixed {
                bytes.resize(length, 0);
            }
            builder.append_value(bytes);
        }
        Ok(Arc::new(builder.finish()))
    })
}
