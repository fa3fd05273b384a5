//! What a record becomes.

/// Something that a record becomes.
#[derive(Clone, Debug)]
pub struct Output<'a> {
    /// What is delivered.
    pub data: &'a [u8],
    /// Names and values that the plugin gave it for the names of partitions.
    pub keys: Vec<(&'a str, &'a str)>,
}

impl<'a> Output<'a> {
    /// What no plugin has said anything about.
    pub fn plain(data: &'a [u8]) -> Self {
        Self {
            data,
            keys: Vec::new(),
        }
    }
}
