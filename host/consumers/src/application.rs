//! An application: which stream it reads, which plugin its records go through, and how it stands.

use std::fmt;

use types::{AccountId, Caller, Invalid, StreamArn, StreamName, Timestamp};
use wasm::{ContentHash, PluginName};

use crate::instances::Whose;

/// Characters of an application's name, as of a registered consumer's.
pub const NAME_CHARS_MAX: usize = 128;

/// An application's number, never used again: one that is deleted and made anew under its old name
/// is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(pub u64);

/// Who holds what batches take of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payer {
    /// The account of the application.
    pub account: AccountId,
    /// The application.
    pub application: ApplicationId,
}

/// What an application is called within its account and region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationName(String);

impl ApplicationName {
    /// 1 to 128 characters of `[a-zA-Z0-9_.-]`, not a `-` or a `.` first: it is a part of a path
    /// and an argument of commands.
    ///
    /// # Errors
    /// A sentence that names the rule.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if fits && !text.starts_with(['-', '.']) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid(format!(
            "An application's name is 1 to {NAME_CHARS_MAX} characters of a-z, A-Z, 0-9, '_', '.' \
             and '-', and begins with neither '-' nor '.'."
        )))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApplicationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an application begins in the shards that its stream has when it is made. In those that
/// come later it begins with their first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is kept.
    TrimHorizon,
    /// With what comes from now on: where that is is kept for each shard.
    Latest,
    /// With the first record that arrived at or after a moment.
    AtTimestamp(Timestamp),
}

impl Start {
    /// `TRIM_HORIZON`, `LATEST`, or milliseconds since 1970.
    ///
    /// # Errors
    /// It is none of them.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match (text, text.parse()) {
            ("TRIM_HORIZON", _) => Ok(Self::TrimHorizon),
            ("LATEST", _) => Ok(Self::Latest),
            (_, Ok(ms)) => Ok(Self::AtTimestamp(Timestamp(ms))),
            (_, Err(_)) => Err(Invalid(
                "A start is TRIM_HORIZON, LATEST or milliseconds since 1970.".to_owned(),
            )),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrimHorizon => f.write_str("TRIM_HORIZON"),
            Self::Latest => f.write_str("LATEST"),
            Self::AtTimestamp(at) => write!(f, "{}", at.0),
        }
    }
}

/// Which version of its plugin an application works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// The one in force; another one is swapped in when it comes into force.
    Latest,
    /// This one, until an operator names another.
    Pinned(ContentHash),
}

/// Whether an application works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is kept, and where it begins is being found out.
    Creating,
    /// It works.
    Running,
    /// It stands still until an operator lets it go on.
    Paused,
    /// What is kept of it is being removed.
    Deleting,
}

impl State {
    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Deleting => "DELETING",
        }
    }
}

/// An application as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// Account and region, of its stream and of all that it writes to.
    pub owner: Caller,
    /// Its name there.
    pub name: ApplicationName,
    /// The stream that it reads.
    pub stream: StreamName,
    /// The plugin that its records go through.
    pub plugin: PluginName,
    /// Where it began.
    pub start: Start,
    /// Which version of the plugin.
    pub versions: Versions,
    /// Whether it works.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Application {
    /// Whose its instances of a version of this plugin are.
    pub(crate) fn whose(&self, plugin: &PluginName) -> Whose {
        Whose {
            account: self.owner.account,
            plugin: plugin.clone(),
        }
    }

    /// Who holds what its batches take of memory.
    pub(crate) fn payer(&self) -> Payer {
        Payer {
            account: self.owner.account,
            application: self.id,
        }
    }

    /// What policies and metrics call it.
    pub fn arn(&self) -> String {
        let Caller { account, region } = &self.owner;
        let partition = region.partition();
        let name = &self.name;
        format!("arn:{partition}:millrace:{region}:{account}:application/{name}")
    }

    /// Its stream's address.
    pub fn stream_arn(&self) -> StreamArn {
        stream_arn(&self.owner, self.stream.clone())
    }
}

/// The address of a stream in an application's account and region.
pub fn stream_arn(owner: &Caller, name: StreamName) -> StreamArn {
    StreamArn {
        region: owner.region.clone(),
        account: owner.account,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_path_and_a_command_take() {
        for good in ["a", "word-count", "A.b_9", &"x".repeat(128)] {
            assert!(ApplicationName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".", "..", "a/b", "a b", "é", &"x".repeat(129)] {
            assert!(ApplicationName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_start_reads_back() {
        for start in [
            Start::TrimHorizon,
            Start::Latest,
            Start::AtTimestamp(Timestamp(1_700_000_000_000)),
        ] {
            assert_eq!(Start::parse(&start.to_string()), Ok(start));
        }
        assert!(Start::parse("AT_TIMESTAMP").is_err());
    }
}
