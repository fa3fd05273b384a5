//! What is asked: may this principal do this to that, as things are?

use core::net::IpAddr;
use std::borrow::Cow;
use std::collections::BTreeMap;

use types::{AccountId, Region, Timestamp};

use super::key::Key;
use super::principal::Principal;
use super::steps::Steps;

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

/// A question while one policy is asked, with the steps that it may still take.
#[derive(Debug)]
pub struct Case<'a> {
    question: &'a Question<'a>,
    /// Small letters: actions are the same in capitals or not.
    action: String,
    steps: Steps,
}

/// What is known under a key.
#[derive(Clone, Debug)]
pub enum Known<'a> {
    Nothing,
    One(Cow<'a, str>),
    /// The keys of these labels; there is one at least.
    Keys(&'a [NewTag]),
    /// One value belongs there, and several labels have keys that differ in capitals only. IAM
    /// takes them for one key, and none of them for its value.
    Unclear,
}

impl<'a> Case<'a> {
    pub fn new(question: &'a Question<'a>) -> Self {
        Self {
            question,
            action: question.action.to_ascii_lowercase(),
            steps: Steps::default(),
        }
    }

    pub fn principal(&self) -> &'a Principal {
        self.question.principal
    }

    /// What for, in small letters.
    pub fn action(&self) -> &str {
        &self.action
    }

    pub fn resource(&self) -> &'a str {
        self.question.resource
    }

    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// As many of `parts` as there are steps for.
    pub fn each<T>(&self, parts: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        parts.take_while(|_| !self.steps.are_spent())
    }

    /// What is known under a key.
    pub fn known(&self, key: Key<&str>) -> Known<'a> {
        let question = self.question;
        let Circumstances {
            address,
            is_encrypted,
            now,
            region,
        } = question.circumstances;
        let text = match key {
            Key::CurrentTime => now.iso_8601(),
            Key::EpochTime => (now.0 / 1_000).to_string(),
            Key::PrincipalAccount => question.principal.account.to_string(),
            Key::PrincipalArn => question.principal.arn(region),
            Key::RequestedRegion => region.to_string(),
            Key::ResourceAccount => question.owner.to_string(),
            Key::SecureTransport => is_encrypted.to_string(),
            Key::SourceIp => address.to_canonical().to_string(),
            Key::Username => match &question.principal.user {
                Some(user) => return Known::One(Cow::Borrowed(user.as_str())),
                None => return Known::Nothing,
            },
            Key::TagKeys if question.new_tags.is_empty() => return Known::Nothing,
            Key::TagKeys => return Known::Keys(question.new_tags),
            Key::RequestTag(key) => {
                let tags = question.new_tags.iter();
                let tags = tags.filter_map(|tag| Some((&*tag.key, tag.value.as_deref()?)));
                return self.labelled(key, tags);
            }
            Key::ResourceTag(key) => {
                let tags = question.tags.into_iter().flatten();
                return self.labelled(key, tags.map(|(key, value)| (&**key, &**value)));
            }
        };
        Known::One(Cow::Owned(text))
    }

    /// The value of the one label with this key, in capitals or not.
    fn labelled(&self, key: &str, tags: impl Iterator<Item = (&'a str, &'a str)>) -> Known<'a> {
        let mut known = Known::Nothing;
        for (name, value) in tags {
            self.steps.take(1);
            if name.eq_ignore_ascii_case(key) {
                known = match known {
                    Known::Nothing => Known::One(Cow::Borrowed(value)),
                    _ => return Known::Unclear,
                };
            }
        }
        known
    }
}
