//! Dead letters of a delivery stream, and those of all that read a stream or go through a plugin.
//!
//! | request, below `/_millrace/` | answer |
//! |---|---|
//! | `GET delivery-streams/NAME/dead-letters` | `{"deadLetters": [...], "next": KEY}` |
//! | `GET delivery-streams/NAME/dead-letters/one?letter=KEY` | the first records of an object |
//! | `POST delivery-streams/NAME/dead-letters/replay` | of `{"letter", "version"}`: how far |
//! | `POST delivery-streams/NAME/dead-letters/discard` | of `{"letter"}`: `{"done": true}` |
//! | `GET streams/NAME/dead-letters`, `GET plugins/NAME/dead-letters` | `{"readers": [...]}` |
//! | `…/dead-letters/{one,replay,discard}` of these | what the reader's own page answers |
//!
//! A listing takes `?prefix=`, `?after=`, `?limit=` and `?all=true`, and one letter `?limit=`. Of a
//! stream or a plugin a letter is named with its reader: `application` or `deliveryStream`. Whoever
//! asks there needs the right on the stream or the plugin, and on each reader as on its own page;
//! readers for which it is missing are counted and not named.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use consumers::status::LetterDescription;
use consumers::{ApplicationName, Owner};
use delivery::{Delivery, LetterError, LetterObject, Wanted};
use serde::{Deserialize, Serialize};
use types::{Caller, Invalid, StreamArn, StreamName};
use wasm::PluginName;
use wire::{Answer, ApiError, Requester, Target, form, json};

use super::api::{POLICY_SERVICE, Pages, not_found};
use super::apps::{self, AppPage};

/// Readers of a stream or of a plugin that are looked at for one answer; further ones are named,
/// and asked themselves.
const READERS_MAX: usize = 32;
/// How long they are looked at; the same.
const READING_TIME_MAX: Duration = Duration::from_secs(20);
/// Dead letters of each application, and objects of each delivery stream; further ones are asked of
/// itself.
const LETTERS_PER_READER: usize = 100;
const OBJECTS_PER_READER: usize = 10;

/// Whose dead letters.
#[derive(Clone, Copy)]
enum Of<'a> {
    Delivery(&'a str),
    /// All that read a stream.
    Stream(&'a str),
    /// All that go through a plugin.
    Plugin(&'a str),
}

#[derive(Clone, Copy)]
enum What {
    List,
    One,
    Replay,
    Discard,
}

/// A page of dead letters.
pub(super) struct LettersPage<'a> {
    of: Of<'a>,
    what: What,
}

/// Which letter, and whose.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named<'a> {
    #[serde(borrow)]
    letter: Cow<'a, str>,
    #[serde(default, borrow)]
    application: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    delivery_stream: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(skip)]
    limit: Option<usize>,
}

/// What the page of an application takes.
#[derive(Serialize)]
struct VersionBody<'a> {
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Done {
    done: bool,
}

/// One that may have dead letters.
#[derive(Clone, PartialEq, Eq)]
enum Reader {
    Application(ApplicationName),
    Delivery(String),
}

/// Those that may have them.
#[derive(Serialize)]
struct Readers {
    readers: Vec<Read>,
    /// Those that the caller may not ask.
    denied: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_stream: Option<String>,
    dead_letters: Vec<Letter>,
    /// The letter after which there may be more.
    next: Option<String>,
    /// Why they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Letter {
    Record(LetterDescription),
    Object(LetterObject),
}

impl<'a> LettersPage<'a> {
    /// What a path below `OF/NAME/dead-letters` names.
    pub(super) fn at(of: &str, name: &'a str, rest: &[&str]) -> Option<Self> {
        Some(Self {
            of: match of {
                "delivery-streams" => Of::Delivery(name),
                "streams" => Of::Stream(name),
                "plugins" => Of::Plugin(name),
                _ => return None,
            },
            what: match rest {
                [] => What::List,
                ["one"] => What::One,
                ["replay"] => What::Replay,
                ["discard"] => What::Discard,
                _ => return None,
            },
        })
    }

    /// What policies call what it does: the same as of applications.
    pub(super) fn operation(&self) -> &'static str {
        match self.what {
            What::List => "ListDeadLetters",
            What::One => "GetDeadLetter",
            What::Replay => "ReplayDeadLetter",
            What::Discard => "DiscardDeadLetter",
        }
    }

    pub(super) fn methods(&self) -> &'static str {
        match self.what {
            What::List | What::One => "GET, HEAD",
            What::Replay | What::Discard => "POST",
        }
    }

    /// Lets a request have the page, or refuses it.
    pub(super) fn permit(&self, by: &Requester, delivery: &Delivery) -> Result<(), ApiError> {
        let Caller { account, region } = &**by;
        let partition = region.partition();
        let arn = match self.of {
            Of::Delivery(name) => return delivery.permit(by, name),
            Of::Stream(name) => {
                format!("arn:{partition}:kinesis:{region}:{account}:stream/{name}")
            }
            Of::Plugin(name) => {
                format!("arn:{partition}:{POLICY_SERVICE}:{region}:{account}:plugin/{name}")
            }
        };
        by.permit(&Target::named(&arn, *account))
    }

    /// Answers it.
    pub(super) async fn answer(
        &self,
        pages: &Pages<'_>,
        by: &Requester,
        (query, body): (Option<&str>, &[u8]),
    ) -> Result<Answer, ApiError> {
        let query = query.unwrap_or_default();
        let named = match self.what {
            What::List => None,
            What::One => Some(Named::of_query(query)?),
            What::Replay | What::Discard => Some(apps::parse::<Named<'_>>(body)?),
        };
        match (self.of, named) {
            (Of::Delivery(name), None) => list(pages, by, (name, query)).await,
            (Of::Delivery(name), Some(named)) => self.of_delivery(pages, by, (name, &named)).await,
            (_, None) => self.list_all(pages, by).await,
            (_, Some(named)) => self.hand_on(pages, by, &named).await,
        }
    }

    async fn of_delivery(
        &self,
        pages: &Pages<'_>,
        by: &Caller,
        (name, named): (&str, &Named<'_>),
    ) -> Result<Answer, ApiError> {
        let (delivery, letter) = (pages.delivery, &*named.letter);
        match self.what {
            What::List => Err(ApiError::internal("a listing names no letter")),
            What::One => {
                let shown = delivery.dead_letter(by, name, (letter, named.limit)).await;
                json::answer(&shown.map_err(told)?)
            }
            What::Replay => {
                let version = named.version.as_deref().map(apps::hash).transpose()?;
                let replayed = delivery.replay_dead_letter(by, name, (letter, version));
                json::answer(&replayed.await.map_err(told)?)
            }
            What::Discard => {
                let discarded = delivery.discard_dead_letter(by, name, letter).await;
                discarded.map_err(told)?;
                json::answer(&Done { done: true })
            }
        }
    }

    /// The letters of all readers.
    async fn list_all(&self, pages: &Pages<'_>, by: &Requester) -> Result<Answer, ApiError> {
        let end_at = Instant::now() + READING_TIME_MAX;
        let (mut readers, mut denied) = (Vec::new(), 0);
        for reader in self.readers(pages, by)? {
            let page = match &reader {
                Reader::Application(name) => AppPage::Letters(name.as_str(), None).permit(by),
                Reader::Delivery(name) => pages.delivery.permit(by, name),
            };
            if page.is_err() {
                denied += 1;
                continue;
            }
            let is_room = readers.len() < READERS_MAX && Instant::now() < end_at;
            readers.push(Read::of(pages, by, (reader, is_room)).await);
        }
        if readers.is_empty() && denied == 0 {
            self.is_there(pages, by)?;
        }
        json::answer(&Readers { readers, denied })
    }

    /// Refuses what nobody reads since it is not there.
    fn is_there(&self, pages: &Pages<'_>, by: &Caller) -> Result<(), ApiError> {
        let (is_there, what) = match self.of {
            Of::Stream(name) => {
                let arn = stream_arn(by, name)?;
                (
                    pages.streams.source(&arn).is_some(),
                    format!("stream {name}"),
                )
            }
            Of::Plugin(name) => {
                let found = PluginName::parse(name).ok();
                let found = found.and_then(|name| pages.plugins.find(&name));
                (found.is_some(), format!("plugin {name}"))
            }
            // Whoever asks about one has found it.
            Of::Delivery(_) => return Ok(()),
        };
        is_there.then_some(()).ok_or_else(|| not_found(&what))
    }

    /// Has the page of a reader answer about one of its letters.
    async fn hand_on(
        &self,
        pages: &Pages<'_>,
        by: &Requester,
        named: &Named<'_>,
    ) -> Result<Answer, ApiError> {
        let reader = match (&named.application, &named.delivery_stream) {
            (Some(name), None) => {
                let name = ApplicationName::parse(name);
                Reader::Application(name.map_err(|Invalid(why)| ApiError::validation(why))?)
            }
            (None, Some(name)) => Reader::Delivery(name.clone().into_owned()),
            _ => {
                return Err(ApiError::validation(
                    "Name the letter's application or its deliveryStream, and not both.",
                ));
            }
        };
        let is_one = self.readers(pages, by)?.contains(&reader);
        match &reader {
            Reader::Application(name) => {
                let (name, letter) = (name.as_str(), &*named.letter);
                let page = match self.what {
                    What::List | What::One => AppPage::Letter(name, letter),
                    What::Replay => AppPage::Replay(name, letter),
                    What::Discard => AppPage::Discard(name, letter),
                };
                page.permit(by)?;
                if !is_one {
                    return Err(self.no_reader(&format!("application {name}")));
                }
                let version = named.version.as_deref();
                let body = serde_json::to_vec(&VersionBody { version });
                let body = body.map_err(|error| ApiError::internal(error.to_string()))?;
                let by = (by, &pages.viewer(by));
                page.answer((pages.consumers, pages.streams), by, &body)
                    .await
            }
            Reader::Delivery(name) => {
                pages.delivery.permit(by, name)?;
                if !is_one {
                    return Err(self.no_reader(&format!("delivery stream {name}")));
                }
                self.of_delivery(pages, by, (name, named)).await
            }
        }
    }

    fn no_reader(&self, what: &str) -> ApiError {
        match self.of {
            Of::Delivery(name) | Of::Stream(name) => {
                not_found(&format!("{what} that reads {name}"))
            }
            Of::Plugin(name) => not_found(&format!("{what} that goes through {name}")),
        }
    }

    /// The caller's applications and delivery streams that it is about, in order of their names.
    fn readers(&self, pages: &Pages<'_>, by: &Caller) -> Result<Vec<Reader>, ApiError> {
        let stream = match self.of {
            Of::Stream(name) => Some(stream_arn(by, name)?),
            Of::Delivery(_) | Of::Plugin(_) => None,
        };
        let applications = pages.consumers.statuses(Owner::Caller(by)).into_iter();
        let applications = applications.map(|status| status.application);
        let applications = applications.filter(|application| match (&self.of, &stream) {
            (Of::Plugin(name), _) => application.plugin.as_str() == *name,
            (_, stream) => Some(application.stream_arn()) == *stream,
        });
        let ways = pages.delivery.ways(by).into_iter();
        let ways = ways.filter(|way| match (&self.of, &stream) {
            (Of::Plugin(name), _) => way.plugin.as_deref() == Some(*name),
            (_, stream) => way.source.is_some() && way.source == *stream,
        });
        let mut readers: Vec<Reader> = applications
            .map(|application| Reader::Application(application.name.clone()))
            .collect();
        readers.extend(ways.map(|way| Reader::Delivery(way.name)));
        Ok(readers)
    }
}

/// A stream of the caller's by its name.
fn stream_arn(by: &Caller, name: &str) -> Result<StreamArn, ApiError> {
    let name = StreamName::parse(name);
    Ok(StreamArn {
        region: by.region.clone(),
        account: by.account,
        name: name.map_err(|Invalid(why)| ApiError::validation(why))?,
    })
}

impl Read {
    /// What a reader has, if there is room to look.
    async fn of(pages: &Pages<'_>, by: &Caller, (reader, is_room): (Reader, bool)) -> Self {
        let mut read = Self {
            application: None,
            delivery_stream: None,
            dead_letters: Vec::new(),
            next: None,
            why: None,
        };
        if !is_room {
            read.why = Some("Others were looked at before: ask it itself.".to_owned());
        }
        match reader {
            Reader::Application(name) => {
                if is_room {
                    match pages.consumers.letters(by, &name, None).await {
                        Ok(mut letters) => {
                            let has_more = letters.len() > LETTERS_PER_READER;
                            letters.truncate(LETTERS_PER_READER);
                            let last = letters.last().filter(|_| has_more);
                            read.next = last.map(|last| last.id.clone());
                            read.dead_letters = letters.into_iter().map(Letter::Record).collect();
                        }
                        Err(error) => read.why = Some(error.to_string()),
                    }
                }
                read.application = Some(name.as_str().to_owned());
            }
            Reader::Delivery(name) => {
                let wanted = Wanted {
                    limit: Some(OBJECTS_PER_READER),
                    ..Wanted::default()
                };
                if is_room {
                    match pages.delivery.dead_letters(by, &name, wanted).await {
                        Ok(page) => {
                            read.next = page.next;
                            let letters = page.dead_letters.into_iter();
                            read.dead_letters = letters.map(Letter::Object).collect();
                        }
                        Err(error) => read.why = Some(error.to_string()),
                    }
                }
                read.delivery_stream = Some(name);
            }
        }
        read
    }
}

impl<'a> Named<'a> {
    fn of_query(query: &'a str) -> Result<Self, ApiError> {
        let given = |name| form::parameter(query, name);
        let letter = given("letter");
        Ok(Self {
            letter: letter.ok_or_else(|| ApiError::validation("No letter is named."))?,
            application: given("application"),
            delivery_stream: given("deliveryStream"),
            version: None,
            limit: limit(query)?,
        })
    }
}

async fn list(
    pages: &Pages<'_>,
    by: &Caller,
    (name, query): (&str, &str),
) -> Result<Answer, ApiError> {
    let given = |name| form::parameter(query, name);
    let (prefix, after, all) = (given("prefix"), given("after"), given("all"));
    let wanted = Wanted {
        prefix: prefix.as_deref(),
        after: after.as_deref(),
        limit: limit(query)?,
        all: match all.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ApiError::validation("all is true or false.")),
        },
    };
    let listed = pages.delivery.dead_letters(by, name, wanted).await;
    json::answer(&listed.map_err(told)?)
}

fn limit(query: &str) -> Result<Option<usize>, ApiError> {
    let limit = form::parameter(query, "limit");
    let limit = limit.map(|limit| limit.parse());
    let limit = limit.transpose();
    limit.map_err(|_| ApiError::validation("The limit is no number."))
}

fn told(error: LetterError) -> ApiError {
    let text = error.to_string();
    match error {
        LetterError::NotFound(_) => {
            ApiError::new("ResourceNotFoundException", text).with_status(404)
        }
        LetterError::Refused(_) => ApiError::new("InvalidArgumentException", text),
        LetterError::Busy(_) => ApiError::new("LimitExceededException", text),
        LetterError::Bucket(_) => {
            ApiError::new("ServiceUnavailableException", text).with_status(503)
        }
        LetterError::Store(_) => {
            tracing::error!(why = text, "work with dead letters");
            ApiError::new("InternalFailure", text).with_status(500)
        }
    }
}
