//! Why a body is not an input, in AWS's words.
//!
//! The texts for wrong types are those that the service gives (seen in the tests of kinesalite,
//! which ran against AWS); for what is not JSON at all AWS gives no text, so the parser's is used.

use serde_json::Error;
use serde_json::error::Category;

use crate::ApiError;
use crate::bounded::bounded;

/// The SerializationException for what the parser found.
pub(super) fn answer(error: &Error) -> ApiError {
    let text = error.to_string();
    let own = match error.classify() {
        // The parser adds the place; AWS's texts have none.
        Category::Data => text.rsplit_once(" at line ").map_or(&*text, |(own, _)| own),
        _ => &text,
    };
    ApiError::serialization(match own.strip_prefix("invalid type: ") {
        Some(mismatch) => wrong_type(mismatch),
        None => bounded(own).into_owned(),
    })
}

/// `mismatch` is `<what was found>, expected <what was wanted>`; what was found may quote the
/// client's text, so the wanted type is looked for from the end.
fn wrong_type(mismatch: &str) -> String {
    let (found, wanted) = mismatch
        .rsplit_once(", expected ")
        .unwrap_or((mismatch, ""));
    let found = found.split(' ').next().unwrap_or_default();
    let class = match found {
        "sequence" => return "Start of list found where not expected".to_owned(),
        "map" => return "Start of structure or map found where not expected.".to_owned(),
        // Absent members may be null, members of lists and maps may not.
        "null" => return "Null found where not expected".to_owned(),
        "boolean" => "class java.lang.Boolean",
        "string" => "class java.lang.String",
        _ => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
    };
    match wanted {
        LIST => "Expected list or null".to_owned(),
        MAP => "Expected map or null".to_owned(),
        STRUCTURE => "Expected null".to_owned(),
        wanted => format!("{class} can not be converted to {wanted}"),
    }
}

/// What the visitors say that they expect; the articles are AWS's.
pub(super) const TEXT: &str = "an String";
pub(super) const INTEGER: &str = "an Integer";
pub(super) const BOOLEAN: &str = "an Boolean";
pub(super) const TIMESTAMP: &str = "a Timestamp";
pub(super) const BLOB: &str = "a Blob";
pub(super) const LIST: &str = "a list";
pub(super) const MAP: &str = "a map";
pub(super) const STRUCTURE: &str = "a structure";
