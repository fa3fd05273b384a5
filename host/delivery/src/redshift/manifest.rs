//! The manifest that COPY finds an object by (Amazon Redshift, "Using a manifest to specify data
//! files"), and texts as they stand in its statements. Pure.

use types::Invalid;

/// The place of an object, as COPY and manifests say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Url(String);

impl S3Url {
    /// That of an object.
    pub fn of(bucket: &str, key: &str) -> Self {
        Self(format!("s3://{bucket}/{key}"))
    }

    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The manifest of one object that has so many bytes. It is the same in every try, and in every
/// build.
pub fn manifest(object: &S3Url, bytes: u64) -> String {
    let url = serde_json::Value::from(object.as_str());
    let meta = format!("{{\"content_length\":{bytes}}}");
    format!("{{\"entries\":[{{\"url\":{url},\"mandatory\":true,\"meta\":{meta}}}]}}\n")
}

/// A text between quotes, as it may stand in a statement whatever backslashes mean there.
///
/// # Errors
/// When it has a quote, a backslash or a control character.
pub fn quoted(text: &str) -> Result<String, Invalid> {
    check_quotable(text)?;
    Ok(format!("'{text}'"))
}

/// Looks whether a text may stand between quotes as it is.
///
/// # Errors
/// When it has a quote, a backslash or a control character.
pub fn check_quotable(text: &str) -> Result<(), Invalid> {
    let is_special = |it: char| it.is_control() || matches!(it, '\'' | '\\');
    if text.contains(is_special) {
        return Err(Invalid(format!(
            "{text:?} has a quote, a backslash or a control character, which no COPY statement \
             can name"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_an_object_with_its_length() {
        let url = S3Url::of("staged", "a/\"b\"/clicks-1");
        let text = manifest(&url, 7);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let wanted = serde_json::json!({"entries": [{
            "url": "s3://staged/a/\"b\"/clicks-1",
            "mandatory": true,
            "meta": {"content_length": 7},
        }]});
        assert_eq!(read, wanted);
        let begins = "{\"entries\":[{\"url\":\"s3://staged/a/";
        assert!(text.starts_with(begins), "{text}");
    }

    #[test]
    fn only_a_text_that_ends_where_it_should_is_quoted() {
        assert_eq!(quoted("s3://b/a b.gz"), Ok("'s3://b/a b.gz'".to_owned()));
        for text in ["it's", "a\\", "a\n", "\u{0}"] {
            assert!(quoted(text).is_err(), "{text:?}");
        }
    }
}
