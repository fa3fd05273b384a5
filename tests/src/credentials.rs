//! Keys of users, for tests of what they may do.

use serde_json::{Value, json};
use server::{Credential, Session};
use types::{AccountId, Timestamp};
use wire::Identity;
use wire::iam::{IdentityPolicy, Principal, UserName};
use wire::sigv4::SecretKey;

use crate::{Client, Service};

/// The secret of all of them.
const SECRET: &str = "a secret of users";

/// A user with its policy, if it has one. Its key id is its name in capitals.
pub fn user(account: &str, name: &str, policy: Option<&Value>) -> Credential {
    let policy = policy.map(|policy| IdentityPolicy::parse(&policy.to_string()).unwrap());
    Credential {
        access_key_id: name.to_uppercase(),
        secret_access_key: SecretKey::new(SECRET),
        identity: Identity {
            principal: Principal {
                account: AccountId::parse(account).unwrap(),
                user: Some(UserName::parse(name).unwrap()),
            },
            policy,
        },
        session: None,
    }
}

/// The same until a moment, with a token.
pub fn until(credential: Credential, token: &str, expires_at: Timestamp) -> Credential {
    Credential {
        session: Some(Session {
            token: SecretKey::new(token),
            expires_at,
        }),
        ..credential
    }
}

/// A policy of one statement; `about` is whom it is for, in the policy of a resource.
pub fn statement(effect: &str, actions: &Value, resources: &Value, about: Option<Value>) -> Value {
    let mut statement = json!({"Effect": effect, "Action": actions, "Resource": resources});
    if let Some(about) = about {
        statement["Principal"] = about;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

impl Service {
    /// The user of that name among [`crate::Setting::credentials`].
    pub fn user(&self, name: &str) -> Client {
        self.client_with(&name.to_uppercase(), SecretKey::new(SECRET))
    }
}
