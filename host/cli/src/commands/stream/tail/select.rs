//! Which records are printed.

use memchr::memmem::Finder;

/// What a record must have to be printed.
pub(super) struct Selection {
    key: Option<String>,
    text: Option<Finder<'static>>,
}

impl Selection {
    /// Records with this partition key, if one is given, whose data hold this text, if one is.
    pub(super) fn new(key: Option<&str>, text: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            text: text.map(|text| Finder::new(text.as_bytes()).into_owned()),
        }
    }

    pub(super) fn takes(&self, key: &str, data: &[u8]) -> bool {
        self.key.as_deref().is_none_or(|wanted| wanted == key)
            && (self.text.as_ref()).is_none_or(|text| text.find(data).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_must_have_the_whole_key_and_hold_the_text_anywhere() {
        let any = Selection::new(None, None);
        assert!(any.takes("", b"\xff"));
        let both = Selection::new(Some("alice"), Some("err"));
        assert!(both.takes("alice", b"\xff an error"));
        assert!(!both.takes("alice2", b"error"));
        assert!(!both.takes("alice", b"Error"));
    }
}
