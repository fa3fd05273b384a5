//! Why a body is not an input, in AWS's words.
//!
//! The texts for wrong types are those that the service gives (seen in the tests of kinesalite,
//! which ran against AWS); for what cannot be read at all AWS gives no text, so the parser's is
//! used. What the service calls a member of another type in CBOR is not known: it is the same here.

use serde::de::{Error, Expected, Unexpected};

use crate::ApiError;
use crate::bounded::bounded;

/// The SerializationException for what a parser found, given in serde's words.
pub(crate) fn answer(found: &str) -> ApiError {
    ApiError::serialization(match found.strip_prefix("invalid type: ") {
        Some(mismatch) => wrong_type(mismatch),
        None => bounded(found).into_owned(),
    })
}

/// `mismatch` is `<what was found>, expected <what was wanted>`; what was found may quote the
/// client's text, so the wanted type is looked for from the end.
fn wrong_type(mismatch: &str) -> String {
    let (found, wanted) = mismatch
        .rsplit_once(", expected ")
        .unwrap_or((mismatch, ""));
    let found = found.split_once(' ').map_or(found, |(kind, _)| kind);
    let class = match found {
        "sequence" => return "Start of list found where not expected".to_owned(),
        "map" => return "Start of structure or map found where not expected.".to_owned(),
        // Absent members may be null, members of lists and maps may not.
        "null" => return "Null found where not expected".to_owned(),
        "boolean" => "class java.lang.Boolean",
        "string" => "class java.lang.String",
        // Bytes, which JSON does not know.
        "byte" => "class java.nio.HeapByteBuffer",
        _ => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    };
    match wanted {
        LIST => "Expected list or null".to_owned(),
        MAP => "Expected map or null".to_owned(),
        STRUCTURE => "Expected null".to_owned(),
        wanted => format!("{class} can not be converted to {wanted}"),
    }
}

/// What visitors that want no text say of one. serde would quote all of it, megabytes sign by sign.
pub(crate) fn text_where<E: Error>(wanted: &dyn Expected) -> E {
    E::invalid_type(Unexpected::Str(""), wanted)
}

/// What the visitors say that they expect; the articles are AWS's.
pub(crate) const TEXT: &str = "an String";
pub(crate) const INTEGER: &str = "an Integer";
pub(crate) const DOUBLE: &str = "a Double";
pub(crate) const BOOLEAN: &str = "an Boolean";
pub(crate) const TIMESTAMP: &str = "a Timestamp";
pub(crate) const BLOB: &str = "a Blob";
pub(crate) const LIST: &str = "a list";
pub(crate) const MAP: &str = "a map";
pub(crate) const STRUCTURE: &str = "a structure";
