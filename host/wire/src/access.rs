//! Who makes a request, and the one place where it is decided whether it may do what it asks for.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use types::{AccountId, Caller, Timestamp};

use crate::ApiError;
use crate::iam::{
    self, Circumstances, Denial, IdentityPolicy, NewTag, Principal, Question, Reason,
    ResourcePolicy,
};

/// What the root of an account may always do with the policies of its own resources. A policy that
/// denies everything to everybody could never be changed again otherwise.
const POLICY_OPERATIONS: [&str; 3] = [
    "DeleteResourcePolicy",
    "GetResourcePolicy",
    "PutResourcePolicy",
];

/// What only the owner of a resource may do with its policy, whatever that says (PutResourcePolicy:
/// "belong to the owner's account").
const OWNER_OPERATIONS: [&str; 2] = ["DeleteResourcePolicy", "PutResourcePolicy"];

/// What a key stands for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who has it.
    pub principal: Principal,
    /// What it lets do; `None`: everything in its account, and in others what these let.
    pub policy: Option<IdentityPolicy>,
}

/// Where and when a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The address that it came from.
    pub address: IpAddr,
    /// It came over TLS.
    pub is_encrypted: bool,
    /// When.
    pub now: Timestamp,
}

/// What a request is for, in IAM's words: `kinesis:PutRecord`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// The service's prefix.
    pub service: &'static str,
    /// The operation's name.
    pub operation: &'static str,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.operation)
    }
}

/// Whether anybody has decided about a request. Its clones are one.
#[derive(Clone, Debug, Default)]
pub struct Decided(Arc<AtomicBool>);

impl Decided {
    /// Whether it was asked what the request may do, whatever the answer was.
    pub fn is_so(&self) -> bool {
        // The handler that sets it has ended before anybody asks.
        self.0.load(Ordering::Relaxed)
    }
}

/// In whose name a request is made, and by whom.
#[derive(Clone, Debug)]
pub struct Requester {
    caller: Caller,
    identity: Option<Arc<Identity>>,
    origin: Origin,
    action: Action,
    new_tags: Vec<NewTag>,
    decided: Decided,
    until: Option<Timestamp>,
}

/// What a request wants to do something to.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Its ARN, or `*` for what has none.
    pub arn: &'a dyn fmt::Display,
    /// Whose it is.
    pub owner: AccountId,
    /// Its policy, if it is there and has one.
    pub policy: Option<&'a ResourcePolicy>,
    /// Its labels, if it is there.
    pub tags: Option<&'a BTreeMap<String, String>>,
}

/// What policies name where an operation is about no resource.
const ANY: &str = "*";

impl<'a> Target<'a> {
    /// What an operation is about that has no resource: the account as a whole.
    pub fn account(owner: AccountId) -> Self {
        Self::named(&ANY, owner)
    }

    /// Something that has no policy of its own, or is not there.
    pub fn named(arn: &'a dyn fmt::Display, owner: AccountId) -> Self {
        Self {
            arn,
            owner,
            policy: None,
            tags: None,
        }
    }
}

impl Requester {
    /// One whose signature was checked.
    pub fn new(caller: Caller, identity: Arc<Identity>, origin: Origin, action: Action) -> Self {
        Self {
            caller,
            identity: Some(identity),
            origin,
            action,
            new_tags: Vec::new(),
            decided: Decided::default(),
            until: None,
        }
    }

    /// The same, with temporary credentials that expire at a moment.
    #[must_use]
    pub fn until(self, expires_at: Option<Timestamp>) -> Self {
        Self {
            until: expires_at,
            ..self
        }
    }

    /// Whether its credentials have expired, for what goes on after it was answered.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether anybody has decided about the request; to be asked once it was answered.
    pub fn decided(&self) -> Decided {
        self.decided.clone()
    }

    /// The same, with the labels that the request gives to its resource: each a key and its value.
    #[must_use]
    pub fn tagging<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let new_tags = tags.into_iter().map(|(key, value)| NewTag {
            key: key.to_owned(),
            value: Some(value.to_owned()),
        });
        Self {
            new_tags: new_tags.collect(),
            ..self.clone()
        }
    }

    /// The same, with the labels that it takes off its resource.
    #[must_use]
    pub fn untagging<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Self {
        let new_tags = keys.into_iter().map(|key| NewTag {
            key: key.to_owned(),
            value: None,
        });
        Self {
            new_tags: new_tags.collect(),
            ..self.clone()
        }
    }

    /// Lets the request go on to what it is about, or refuses it.
    ///
    /// # Errors
    /// AccessDeniedException: a policy denies it, or none that must allows it.
    pub fn permit(&self, target: &Target<'_>) -> Result<(), ApiError> {
        self.permit_to(self.action, target)
    }

    /// The same for something else that the request does besides.
    ///
    /// # Errors
    /// As [`Requester::permit`].
    pub fn permit_to(&self, action: Action, target: &Target<'_>) -> Result<(), ApiError> {
        self.decided.0.store(true, Ordering::Relaxed);
        let policy = self
            .identity
            .as_deref()
            .and_then(|identity| identity.policy.as_ref());
        let is_own = self.caller.account == target.owner;
        // Nearly every request is this one.
        if is_own && policy.is_none() && target.policy.is_none() {
            return Ok(());
        }
        let operation = action.operation;
        let principal = self.principal();
        let keeps_control =
            is_own && principal.user.is_none() && POLICY_OPERATIONS.contains(&operation);
        let resource = target.arn.to_string();
        let action = action.to_string();
        let question = Question {
            principal: &principal,
            circumstances: &Circumstances {
                address: self.origin.address,
                is_encrypted: self.origin.is_encrypted,
                now: self.origin.now,
                region: self.caller.region.clone(),
            },
            action: &action,
            resource: &resource,
            owner: target.owner,
            tags: target.tags,
            new_tags: &self.new_tags,
        };
        let is_for_owner = !is_own && OWNER_OPERATIONS.contains(&operation);
        let by_resource = target.policy.filter(|_| !keeps_control && !is_for_owner);
        iam::decide(&question, policy, by_resource).map_err(|denial| {
            if is_for_owner && denial.reason == Reason::ResourceIsSilent {
                denied(&question, Denial::not_owner())
            } else {
                denied(&question, denial)
            }
        })
    }

    /// Who makes the request.
    pub fn principal(&self) -> Principal {
        match &self.identity {
            Some(identity) => identity.principal.clone(),
            None => Principal {
                account: self.caller.account,
                user: None,
            },
        }
    }
}

/// The account itself, as parts of this process call in its name.
impl From<Caller> for Requester {
    fn from(caller: Caller) -> Self {
        Self {
            caller,
            identity: None,
            origin: Origin {
                address: IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
                is_encrypted: true,
                now: Timestamp(0),
            },
            action: Action {
                service: "millrace",
                operation: "CallWithin",
            },
            new_tags: Vec::new(),
            decided: Decided::default(),
            until: None,
        }
    }
}

impl Deref for Requester {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// AWS's text. To another account a Deny reads like no Allow: it would show that the resource is
/// there and has a policy.
fn denied(question: &Question<'_>, denial: Denial) -> ApiError {
    let Question {
        principal,
        circumstances,
        action,
        resource,
        owner,
        ..
    } = question;
    let user = principal.arn(&circumstances.region);
    let on = if *resource == ANY {
        String::new()
    } else {
        format!(" on resource: {resource}")
    };
    let because = match denial.reason {
        Reason::IdentityDenies => "with an explicit deny in an identity-based policy".to_owned(),
        Reason::IdentityIsSilent => {
            format!("because no identity-based policy allows the {action} action")
        }
        Reason::ResourceDenies if principal.account == *owner => {
            "with an explicit deny in a resource-based policy".to_owned()
        }
        Reason::ResourceDenies | Reason::ResourceIsSilent | Reason::NotOwner => {
            format!("because no resource-based policy allows the {action} action")
        }
    };
    ApiError::denied(
        format!("User: {user} is not authorized to perform: {action}{on} {because}"),
        denial,
    )
}
