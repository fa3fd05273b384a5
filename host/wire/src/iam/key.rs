//! Condition keys: what a policy may ask of a request.

/// Something that is known of a request, or may be. Their names are the same in capitals or not.
/// `T` is where the key of a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<T> {
    CurrentTime,
    EpochTime,
    PrincipalAccount,
    PrincipalArn,
    RequestTag(T),
    RequestedRegion,
    ResourceAccount,
    ResourceTag(T),
    SecureTransport,
    SourceIp,
    TagKeys,
    Username,
}

/// What the values of a key are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Arn,
    Bool,
    Date,
    /// Seconds since 1970: a number and a date.
    Seconds,
    Address,
}

/// The keys without a part that tags have.
const PLAIN: [(&str, Key<&str>); 10] = [
    ("aws:CurrentTime", Key::CurrentTime),
    ("aws:EpochTime", Key::EpochTime),
    ("aws:PrincipalAccount", Key::PrincipalAccount),
    ("aws:PrincipalArn", Key::PrincipalArn),
    ("aws:RequestedRegion", Key::RequestedRegion),
    ("aws:ResourceAccount", Key::ResourceAccount),
    ("aws:SecureTransport", Key::SecureTransport),
    ("aws:SourceIp", Key::SourceIp),
    ("aws:TagKeys", Key::TagKeys),
    ("aws:username", Key::Username),
];

impl<'a> Key<&'a str> {
    /// The key of that name, if it is one that this server knows.
    pub fn parse(name: &'a str) -> Option<Self> {
        if let Some((of, tag)) = name.split_once('/') {
            return match of {
                _ if tag.is_empty() => None,
                of if of.eq_ignore_ascii_case("aws:RequestTag") => Some(Self::RequestTag(tag)),
                of if of.eq_ignore_ascii_case("aws:ResourceTag") => Some(Self::ResourceTag(tag)),
                _ => None,
            };
        }
        let mut plain = PLAIN.into_iter();
        let found = plain.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, key)| key)
    }
}

impl<T> Key<T> {
    /// The same key, with the key of a tag somewhere else.
    pub fn with<U>(self, put: impl FnOnce(T) -> U) -> Key<U> {
        match self {
            Self::RequestTag(tag) => Key::RequestTag(put(tag)),
            Self::ResourceTag(tag) => Key::ResourceTag(put(tag)),
            Self::CurrentTime => Key::CurrentTime,
            Self::EpochTime => Key::EpochTime,
            Self::PrincipalAccount => Key::PrincipalAccount,
            Self::PrincipalArn => Key::PrincipalArn,
            Self::RequestedRegion => Key::RequestedRegion,
            Self::ResourceAccount => Key::ResourceAccount,
            Self::SecureTransport => Key::SecureTransport,
            Self::SourceIp => Key::SourceIp,
            Self::TagKeys => Key::TagKeys,
            Self::Username => Key::Username,
        }
    }

    /// The key of the tag that it is about.
    pub fn tag(self) -> Option<T> {
        match self {
            Self::RequestTag(tag) | Self::ResourceTag(tag) => Some(tag),
            _ => None,
        }
    }

    /// Whether a request may have several values of it, which are asked about one by one.
    pub fn has_many_values(&self) -> bool {
        matches!(self, Self::TagKeys)
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::CurrentTime => Kind::Date,
            Self::EpochTime => Kind::Seconds,
            Self::PrincipalArn => Kind::Arn,
            Self::SecureTransport => Kind::Bool,
            Self::SourceIp => Kind::Address,
            Self::PrincipalAccount
            | Self::RequestTag(_)
            | Self::RequestedRegion
            | Self::ResourceAccount
            | Self::ResourceTag(_)
            | Self::TagKeys
            | Self::Username => Kind::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_whether_in_capitals_or_not_and_others_are_not() {
        for name in ["aws:SourceIp", "aws:sourceip", "AWS:SOURCEIP"] {
            assert_eq!(Key::parse(name), Some(Key::SourceIp));
        }
        let tag = Key::ResourceTag("Team/a");
        assert_eq!(Key::parse("aws:ResourceTag/Team/a"), Some(tag));
        for unknown in [
            "",
            "SourceIp",
            "aws:",
            "aws:ResourceTag",
            "aws:ResourceTag/",
            "s3:prefix",
        ] {
            assert_eq!(Key::parse(unknown), None, "{unknown}");
        }
    }
}
