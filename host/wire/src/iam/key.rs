//! Condition keys: what a policy may ask of a request.

/// Something that is known of a request, or may be. Their names are the same in capitals or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    CurrentTime,
    EpochTime,
    PrincipalAccount,
    PrincipalArn,
    RequestTag(String),
    RequestedRegion,
    ResourceAccount,
    ResourceTag(String),
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

impl Key {
    /// The key of that name, if it is one that this server knows.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some((of, tag)) = name.split_once('/') {
            let key = tag.to_owned();
            return match of.to_ascii_lowercase().as_str() {
                _ if tag.is_empty() => None,
                "aws:requesttag" => Some(Self::RequestTag(key)),
                "aws:resourcetag" => Some(Self::ResourceTag(key)),
                _ => None,
            };
        }
        Some(match name.to_ascii_lowercase().as_str() {
            "aws:currenttime" => Self::CurrentTime,
            "aws:epochtime" => Self::EpochTime,
            "aws:principalaccount" => Self::PrincipalAccount,
            "aws:principalarn" => Self::PrincipalArn,
            "aws:requestedregion" => Self::RequestedRegion,
            "aws:resourceaccount" => Self::ResourceAccount,
            "aws:securetransport" => Self::SecureTransport,
            "aws:sourceip" => Self::SourceIp,
            "aws:tagkeys" => Self::TagKeys,
            "aws:username" => Self::Username,
            _ => return None,
        })
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
        let tag = Key::ResourceTag("Team/a".to_owned());
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
