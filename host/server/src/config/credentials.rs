//! The sections of the configuration file about who may call.

use types::{AccountId, Timestamp};
use wire::Identity;
use wire::iam::{IdentityPolicy, POLICY_BYTES_MAX, Principal, UserName};
use wire::sigv4::SecretKey;

use super::entry::{Entry, Wrong};
use super::{Credential, Session};

/// Characters of an access key id (IAM, AccessKey).
const ACCESS_KEY_ID_CHARS_MAX: usize = 128;
/// Characters of a session token at least: a shorter one could be guessed. At most there are as
/// many as AWS says that programs must have room for.
const SESSION_TOKEN_CHARS_MIN: usize = 16;
const SESSION_TOKEN_CHARS_MAX: usize = 4_096;

const KEYS: &str = "access_key_id, secret_access_key, account, user, policy, policy_file, \
                    session_token and expires";

/// `[[credentials]]`. Reads the files of policies.
pub(super) fn credentials(entry: &Entry<'_>) -> Result<Vec<Credential>, Wrong> {
    let mut credentials: Vec<Credential> = Vec::new();
    for section in entry.list("[[credentials]]")? {
        let new = credential(&section)?;
        let known = credentials
            .iter()
            .any(|c| c.access_key_id == new.access_key_id);
        if known {
            let what = "has an access_key_id that an earlier [[credentials]] has, too";
            return Err(section.wrong(what));
        }
        credentials.push(new);
    }
    Ok(credentials)
}

/// What a section says so far.
#[derive(Default)]
struct Said {
    id: Option<String>,
    secret: Option<SecretKey>,
    account: Option<AccountId>,
    user: Option<UserName>,
    policy: Option<IdentityPolicy>,
    token: Option<SecretKey>,
    expires: Option<Timestamp>,
}

fn credential(section: &Entry<'_>) -> Result<Credential, Wrong> {
    let mut said = Said::default();
    for entry in section.entries("[[credentials]]", KEYS)? {
        match entry.key {
            "access_key_id" => said.id = Some(access_key_id(&entry)?),
            "secret_access_key" => said.secret = Some(secret_access_key(&entry)?),
            "account" => {
                let parsed = AccountId::parse(entry.string()?);
                let parsed = parsed.map_err(|_| entry.wrong("is not 12 digits in quotes"))?;
                said.account = Some(parsed);
            }
            "user" => {
                let parsed = UserName::parse(entry.string()?);
                let what = "is not 1 to 64 letters, digits and '_+=,.@-'";
                said.user = Some(parsed.map_err(|_| entry.wrong(what))?);
            }
            "policy" | "policy_file" if said.policy.is_some() => {
                return Err(section.wrong("has both a policy and a policy_file"));
            }
            "policy" => said.policy = Some(policy(&entry, entry.string()?)?),
            "policy_file" => said.policy = Some(policy(&entry, &policy_file(&entry)?)?),
            "session_token" => said.token = Some(session_token(&entry)?),
            "expires" => {
                let parsed = Timestamp::parse_iso_8601(entry.string()?);
                let what = "is not a moment in UTC, such as \"2027-01-31T12:00:00Z\"";
                said.expires = Some(parsed.ok_or_else(|| entry.wrong(what))?);
            }
            _ => return Err(entry.unread()),
        }
    }
    said.whole(section)
}

impl Said {
    fn whole(self, section: &Entry<'_>) -> Result<Credential, Wrong> {
        let missing = |key: &str| section.wrong(&format!("has no {key}"));
        if self.policy.is_some() && self.user.is_none() {
            let what = "has a policy and no user: nothing binds the root of an account";
            return Err(section.wrong(what));
        }
        let session = match (self.token, self.expires) {
            (Some(token), Some(expires_at)) => Some(Session { token, expires_at }),
            (None, None) => None,
            (Some(_), None) => return Err(section.wrong("has a session_token and no expires")),
            (None, Some(_)) => return Err(section.wrong("has expires and no session_token")),
        };
        Ok(Credential {
            access_key_id: self.id.ok_or_else(|| missing("access_key_id"))?,
            secret_access_key: self.secret.ok_or_else(|| missing("secret_access_key"))?,
            identity: Identity {
                principal: Principal {
                    account: self.account.ok_or_else(|| missing("account"))?,
                    user: self.user,
                },
                policy: self.policy,
            },
            session,
        })
    }
}

fn access_key_id(entry: &Entry<'_>) -> Result<String, Wrong> {
    let id = entry.string()?;
    let fits = (1..=ACCESS_KEY_ID_CHARS_MAX).contains(&id.len());
    if fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok(id.to_owned())
    } else {
        Err(entry.wrong("is not 1 to 128 letters, digits and '_'"))
    }
}

fn secret_access_key(entry: &Entry<'_>) -> Result<SecretKey, Wrong> {
    match entry.string()? {
        "" => Err(entry.wrong("is empty")),
        secret => Ok(SecretKey::new(secret)),
    }
}

/// It is sent in a header.
fn session_token(entry: &Entry<'_>) -> Result<SecretKey, Wrong> {
    let token = entry.string()?;
    let fits = (SESSION_TOKEN_CHARS_MIN..=SESSION_TOKEN_CHARS_MAX).contains(&token.len());
    if fits && token.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(SecretKey::new(token))
    } else {
        Err(entry.wrong(&format!(
            "is not {SESSION_TOKEN_CHARS_MIN} to {SESSION_TOKEN_CHARS_MAX} characters of ASCII \
             without spaces"
        )))
    }
}

/// A policy is no secret, so that what is wrong with it can be said in its words.
fn policy(entry: &Entry<'_>, text: &str) -> Result<IdentityPolicy, Wrong> {
    let parsed = IdentityPolicy::parse(text);
    parsed.map_err(|error| entry.wrong(&format!("is not a policy that can be kept to: {error}")))
}

fn policy_file(entry: &Entry<'_>) -> Result<String, Wrong> {
    use std::io::Read;
    let unread = |error: std::io::Error| entry.wrong(&format!("cannot be read: {error}"));
    let file = std::fs::File::open(entry.string()?).map_err(unread)?;
    let mut text = String::new();
    // One byte more than fits tells that there is more.
    let bytes_max = POLICY_BYTES_MAX as u64 + 1;
    file.take(bytes_max)
        .read_to_string(&mut text)
        .map_err(unread)?;
    Ok(text)
}
