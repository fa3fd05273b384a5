//! The pages of applications.

use consumers::status::{ApplicationDescription, ApplicationSummary, LetterDescription};
use consumers::{
    ApplicationName, ChangeError, Consumers, LetterError, NewApplication, Owner, Start, Versions,
};
use serde::{Deserialize, Serialize};
use streams::Streams;
use types::{Caller, Invalid, StreamArn, StreamName};
use wasm::{ContentHash, PluginName};
use wire::{Answer, ApiError, Requester, Target, json};

use super::api::{POLICY_SERVICE, not_found};
use super::viewer::Viewer;

/// What is asked about applications.
pub(super) enum AppPage<'a> {
    List,
    Create(&'a str),
    Describe(&'a str),
    Pause(&'a str),
    Resume(&'a str),
    Delete(&'a str),
    Versions(&'a str),
    Retry(&'a str, Option<&'a str>),
    Skip(&'a str, Option<&'a str>),
    Letters(&'a str, Option<&'a str>),
    Letter(&'a str, &'a str),
    Replay(&'a str, &'a str),
    Discard(&'a str, &'a str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBody {
    stream: String,
    plugin: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

/// Which version an application is to work with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedBody {
    /// `latest`, or a hash.
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionBody {
    #[serde(default)]
    version: Option<String>,
}

#[derive(Serialize)]
struct AppList {
    apps: Vec<ApplicationSummary>,
    /// Plugins whose manifests declare an application that cannot be made, of the caller's account
    /// or, for those who deploy, of any; not there without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedPage>,
}

#[derive(Serialize)]
struct RefusedPage {
    plugin: String,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterList {
    dead_letters: Vec<LetterDescription>,
}

/// A letter with its content: base64, since it may be anything.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterPage {
    #[serde(flatten)]
    letter: LetterDescription,
    partition_key: String,
    data: String,
}

/// How many shards heard an order.
#[derive(Serialize)]
struct Heard {
    shards: usize,
}

/// It is done.
#[derive(Serialize)]
struct Done {
    done: bool,
}

impl<'a> AppPage<'a> {
    /// What a path below `apps` names.
    pub(super) fn at(parts: &[&'a str]) -> Option<Self> {
        Some(match *parts {
            [] => Self::List,
            [name] => Self::Describe(name),
            [name, "create"] => Self::Create(name),
            [name, "pause"] => Self::Pause(name),
            [name, "resume"] => Self::Resume(name),
            [name, "delete"] => Self::Delete(name),
            [name, "version"] => Self::Versions(name),
            [name, "retry"] => Self::Retry(name, None),
            [name, "retry", shard] => Self::Retry(name, Some(shard)),
            [name, "skip"] => Self::Skip(name, None),
            [name, "skip", shard] => Self::Skip(name, Some(shard)),
            [name, "dead-letters"] => Self::Letters(name, None),
            [name, "dead-letters", "after", id] => Self::Letters(name, Some(id)),
            [name, "dead-letters", id] => Self::Letter(name, id),
            [name, "dead-letters", id, "replay"] => Self::Replay(name, id),
            [name, "dead-letters", id, "discard"] => Self::Discard(name, id),
            _ => return None,
        })
    }

    /// What policies call what it does.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::List => "ListApplications",
            Self::Create(_) => "CreateApplication",
            Self::Describe(_) => "DescribeApplication",
            Self::Pause(_) => "PauseApplication",
            Self::Resume(_) => "ResumeApplication",
            Self::Delete(_) => "DeleteApplication",
            Self::Versions(_) => "SetApplicationVersion",
            Self::Retry(..) => "RetryApplication",
            Self::Skip(..) => "SkipApplication",
            Self::Letters(..) => "ListDeadLetters",
            Self::Letter(..) => "GetDeadLetter",
            Self::Replay(..) => "ReplayDeadLetter",
            Self::Discard(..) => "DiscardDeadLetter",
        }
    }

    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::List | Self::Describe(_) | Self::Letters(..) | Self::Letter(..) => "GET, HEAD",
            _ => "POST",
        }
    }

    fn name(&self) -> Option<&'a str> {
        match self {
            Self::List => None,
            Self::Create(name)
            | Self::Describe(name)
            | Self::Pause(name)
            | Self::Resume(name)
            | Self::Delete(name)
            | Self::Versions(name)
            | Self::Retry(name, _)
            | Self::Skip(name, _)
            | Self::Letters(name, _)
            | Self::Letter(name, _)
            | Self::Replay(name, _)
            | Self::Discard(name, _) => Some(name),
        }
    }

    /// Lets a request have the page, or refuses it.
    pub(super) fn permit(&self, by: &Requester) -> Result<(), ApiError> {
        let Caller { account, region } = &**by;
        let Some(name) = self.name() else {
            return by.permit(&Target::account(*account));
        };
        let partition = region.partition();
        let arn = format!("arn:{partition}:{POLICY_SERVICE}:{region}:{account}:application/{name}");
        by.permit(&Target::named(&arn, *account))
    }

    /// Answers it.
    pub(super) async fn answer(
        self,
        (consumers, streams): (&Consumers, &Streams),
        (by, viewer): (&Requester, &Viewer),
        body: &[u8],
    ) -> Result<Answer, ApiError> {
        let owner: &Caller = by;
        let Some(name) = self.name() else {
            let statuses = consumers.statuses(Owner::Caller(owner));
            let apps = statuses.iter().map(|status| status.summary());
            let refused = consumers.refused().into_iter();
            let refused = refused
                .filter(|(_, it)| viewer.deploys || it.owner.account == owner.account)
                .map(|(plugin, it)| RefusedPage {
                    plugin: plugin.as_str().to_owned(),
                    why: it.why,
                });
            return json::answer(&AppList {
                apps: apps.collect(),
                refused: refused.collect(),
            });
        };
        let name = &ApplicationName::parse(name).map_err(invalid)?;
        let done = match self {
            Self::List => Ok(()),
            Self::Create(_) => return create((consumers, streams), by, name, body).await,
            Self::Describe(_) => return describe(consumers, owner, name).await,
            Self::Pause(_) => consumers.pause(owner, name).await,
            Self::Resume(_) => consumers.resume(owner, name).await,
            Self::Delete(_) => consumers.delete(owner, name).await,
            Self::Versions(_) => {
                let WantedBody { version } = parse(body)?;
                let versions = match version.as_str() {
                    "latest" => Versions::Latest,
                    text => Versions::Pinned(hash(text)?),
                };
                consumers.set_versions(owner, name, versions).await
            }
            Self::Retry(_, shard) => return order(consumers, owner, name, (shard, false)),
            Self::Skip(_, shard) => return order(consumers, owner, name, (shard, true)),
            letter => return letter.letter(consumers, owner, (name, body)).await,
        };
        done.map_err(changed)?;
        json::answer(&Done { done: true })
    }

    async fn letter(
        self,
        consumers: &Consumers,
        owner: &Caller,
        (name, body): (&ApplicationName, &[u8]),
    ) -> Result<Answer, ApiError> {
        match self {
            Self::Letters(_, after) => {
                let listed = consumers.letters(owner, name, after).await;
                let dead_letters = listed.map_err(of_letter)?;
                json::answer(&LetterList { dead_letters })
            }
            Self::Letter(_, id) => {
                let found = consumers.letter(owner, name, id).await;
                let (letter, content) = found.map_err(of_letter)?;
                json::answer(&LetterPage {
                    letter,
                    partition_key: content.partition_key,
                    data: base64_simd::STANDARD.encode_to_string(&content.data),
                })
            }
            Self::Replay(_, id) => {
                let version = version_of(body)?;
                let replayed = consumers.replay(owner, name, (id, version)).await;
                replayed.map_err(of_letter)?;
                json::answer(&Done { done: true })
            }
            Self::Discard(_, id) => {
                let discarded = consumers.discard(owner, name, id).await;
                discarded.map_err(of_letter)?;
                json::answer(&Done { done: true })
            }
            _ => Err(ApiError::internal("a page of applications has no answer")),
        }
    }
}

async fn create(
    (consumers, streams): (&Consumers, &Streams),
    by: &Requester,
    name: &ApplicationName,
    body: &[u8],
) -> Result<Answer, ApiError> {
    let body: NewBody = parse(body)?;
    let owner: &Caller = by;
    let stream = StreamName::parse(&body.stream).map_err(invalid)?;
    let arn = StreamArn {
        region: owner.region.clone(),
        account: owner.account,
        name: stream.clone(),
    };
    // Its records are read in the name of whoever has them read.
    streams.permit_source(by, &arn)?;
    let start = body.start.as_deref().unwrap_or("TRIM_HORIZON");
    let versions = match &body.version {
        Some(text) => Versions::Pinned(hash(text)?),
        None => Versions::Latest,
    };
    let new = NewApplication {
        owner: owner.clone(),
        name: name.clone(),
        stream,
        plugin: PluginName::parse(&body.plugin).map_err(invalid)?,
        start: Start::parse(start).map_err(invalid)?,
        versions,
    };
    consumers.create(new).await.map_err(changed)?;
    describe(consumers, owner, name).await
}

async fn describe(
    consumers: &Consumers,
    owner: &Caller,
    name: &ApplicationName,
) -> Result<Answer, ApiError> {
    let described = consumers.describe(owner, name).await;
    let described: Option<ApplicationDescription> = described.map_err(|error| {
        tracing::error!(application = %name, %error, "read an application");
        ApiError::internal("an application cannot be read")
    })?;
    let described = described.ok_or_else(|| not_found(&format!("application {name}")))?;
    json::answer(&described)
}

fn order(
    consumers: &Consumers,
    owner: &Caller,
    name: &ApplicationName,
    order: (Option<&str>, bool),
) -> Result<Answer, ApiError> {
    let what = match order.0 {
        Some(shard) => format!("shard {shard} of the application {name} on this server"),
        None => format!("application {name}"),
    };
    let heard = consumers.order(owner, name, order);
    let shards = heard.ok_or_else(|| not_found(&what))?;
    json::answer(&Heard { shards })
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::serialization(error.to_string()))
}

/// The version that a body names, if it has one and names one.
fn version_of(body: &[u8]) -> Result<Option<ContentHash>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    let body: VersionBody = parse(body)?;
    body.version.as_deref().map(hash).transpose()
}

pub(super) fn hash(text: &str) -> Result<ContentHash, ApiError> {
    ContentHash::parse(text).ok_or_else(|| {
        ApiError::validation("A version is the 64 hexadecimal digits that `plugin inspect` shows.")
    })
}

fn invalid(Invalid(why): Invalid) -> ApiError {
    ApiError::validation(why)
}

fn changed(error: ChangeError) -> ApiError {
    let text = error.to_string();
    match error {
        ChangeError::Exists | ChangeError::Deleting | ChangeError::Declared(_) => {
            ApiError::new("ResourceInUseException", text)
        }
        ChangeError::NotFound => ApiError::new("ResourceNotFoundException", text).with_status(404),
        ChangeError::NoStream(_) => ApiError::new("ResourceNotFoundException", text),
        ChangeError::Plugin(_) => ApiError::new("InvalidArgumentException", text),
        ChangeError::NotYet(_) => {
            ApiError::new("ServiceUnavailableException", text).with_status(503)
        }
        ChangeError::TooMany => ApiError::new("LimitExceededException", text),
        ChangeError::Store(_) => ApiError::new("InternalFailure", text).with_status(500),
    }
}

pub(super) fn of_letter(error: LetterError) -> ApiError {
    let text = error.to_string();
    match error {
        LetterError::NotFound => ApiError::new("ResourceNotFoundException", text).with_status(404),
        LetterError::Version(_) | LetterError::Failed(_) => {
            ApiError::new("InvalidArgumentException", text)
        }
        LetterError::Busy(_) => ApiError::new("LimitExceededException", text),
        LetterError::Store(_) => ApiError::new("InternalFailure", text).with_status(500),
    }
}
