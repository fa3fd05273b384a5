//! What is asked: may this principal do this to that, as things are?

use core::net::IpAddr;
use std::collections::BTreeMap;

use types::{AccountId, Region, Timestamp};

use super::key::Key;
use super::principal::Principal;

/// What is known of a request besides what it asks for.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Where it comes from.
    pub address: IpAddr,
    /// It came over TLS.
    pub is_encrypted: bool,
    /// When it came.
    pub now: Timestamp,
    /// The region that it is for.
    pub region: Region,
}

/// A label that a request gives to its resource, or takes away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTag {
    /// Its key.
    pub key: String,
    /// Its value; `None`: it is taken away.
    pub value: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What is known besides.
    pub circumstances: &'a Circumstances,
    /// What for, such as `kinesis:PutRecord`.
    pub action: &'a str,
    /// The ARN of what it is done to, or `*`.
    pub resource: &'a str,
    /// Whose that is.
    pub owner: AccountId,
    /// The labels of the resource, if it is there and they may be looked at.
    pub tags: Option<&'a BTreeMap<String, String>>,
    /// The labels that the request names.
    pub new_tags: &'a [NewTag],
}

impl Question<'_> {
    /// What is known under a key; nothing, if nothing is. Two labels whose keys differ in capitals
    /// only are two values.
    pub(super) fn values(&self, key: &Key) -> Vec<String> {
        let Circumstances {
            address,
            is_encrypted,
            now,
            region,
        } = self.circumstances;
        match key {
            Key::CurrentTime => vec![now.iso_8601()],
            Key::EpochTime => vec![(now.0 / 1_000).to_string()],
            Key::PrincipalAccount => vec![self.principal.account.to_string()],
            Key::PrincipalArn => vec![self.principal.arn(region)],
            Key::RequestedRegion => vec![region.to_string()],
            Key::ResourceAccount => vec![self.owner.to_string()],
            Key::SecureTransport => vec![is_encrypted.to_string()],
            Key::SourceIp => vec![address.to_canonical().to_string()],
            Key::Username => {
                let user = self.principal.user.iter();
                user.map(|user| user.as_str().to_owned()).collect()
            }
            Key::TagKeys => self.new_tags.iter().map(|tag| tag.key.clone()).collect(),
            Key::RequestTag(key) => {
                let of_key = |tag: &&NewTag| tag.key.eq_ignore_ascii_case(key);
                let tags = self.new_tags.iter().filter(of_key);
                tags.filter_map(|tag| tag.value.clone()).collect()
            }
            Key::ResourceTag(key) => {
                let tags = self.tags.into_iter().flatten();
                let of_key = tags.filter(|(name, _)| name.eq_ignore_ascii_case(key));
                of_key.map(|(_, value)| value.clone()).collect()
            }
        }
    }

    /// The one value of a key; `None` also if there are several, since none of them is meant.
    pub(super) fn value(&self, key: &Key) -> Option<String> {
        let mut values = self.values(key).into_iter();
        values.next().filter(|_| values.next().is_none())
    }
}
