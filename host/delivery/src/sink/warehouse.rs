//! Pieces become objects that Redshift fetches: each is staged with a manifest beside it, and one
//! COPY loads it together with a row in a ledger. Statement by statement this is what Amazon's
//! pages say; nobody has tried it on Redshift itself.
//!
//! ```text
//! put the object, then its manifest, both create-only: names follow from the cut
//! connect; find the ledger, which is made where it is missing
//! BEGIN
//!   LOCK the ledger: nothing else keeps two from entering the same (Redshift enforces no keys),
//!   and what is read after it is what the last one has committed
//!   SELECT the object: where the ledger has it, it was loaded, and nothing is done
//!   INSERT it
//!   COPY table FROM manifest
//! COMMIT
//! ```
//!
//! So each object is loaded once, whoever ends when. What is not loaded in its time stays where it
//! is staged, with a manifest among those of failed ones.

mod ledger;
mod outcome;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use types::{Clock, Invalid};

use super::Answer;
use super::bucket::{Bucket, Staging};
use super::database::session::{Heard, Session};
use super::database::trouble::{During, Failed, Trouble};
use super::remote::Sending;
use super::verdict::misconfigured;
use crate::endpoints::{ANSWER_TIME_MAX, Endpoints};
use crate::object_name::{NamingKey, Place};
use crate::piece::{Piece, PieceKind};
use crate::redshift::identifiers::{Identifier, TableName};
use crate::redshift::jdbc_url::{Dialect, JdbcUrl};
use crate::redshift::manifest::{S3Url, manifest};
use crate::redshift::{CopyTerms, Redshift};
use crate::secret::Secret;
use crate::secrets::Credentials;
use ledger::{Entry, Ledger};
use outcome::is_of_configuration;
use statements::Copy;

/// How long a COPY may take. Redshift itself gives up reading from S3 after so long (Amazon
/// Redshift, "Errors when reading multiple files"); then nothing of it is there.
const COPY_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// In which schema the ledger is of a table that is named without one. It must not depend on a
/// user's search path, which may change between two tries.
const SCHEMA_USUAL: &str = "public";

/// Where the objects of one cut are loaded.
#[derive(Clone)]
pub struct Warehouse {
    endpoints: Arc<dyn Endpoints>,
    naming: NamingKey,
    clock: Arc<dyn Clock>,
    /// The command of the cut's time: where the ledger is, and how objects are packed.
    of_cut: CopyTerms,
    /// All of it as it is configured now.
    now: Redshift,
    /// By whom Redshift reads objects, as it is configured now.
    role_arn: String,
    /// What names all objects of the lane.
    lane: String,
    heard: Heard,
}

/// What became of an object.
enum Became {
    /// It is loaded.
    Loaded,
    /// The ledger has another one by its name, which is there.
    Another(String),
}

impl Warehouse {
    /// Begins with a cut of this configuration, whose objects are loaded as the second one says, by
    /// its role.
    pub fn begin(
        sending: Sending<'_>,
        of_cut: &Redshift,
        (now, role_arn): (&Redshift, &str),
    ) -> Self {
        Self {
            endpoints: Arc::clone(sending.endpoints),
            naming: sending.naming.clone(),
            clock: Arc::clone(sending.clock),
            of_cut: of_cut.copy.clone(),
            now: now.clone(),
            role_arn: role_arn.to_owned(),
            lane: sending.naming.channel(sending.lane),
            heard: Heard::default(),
        }
    }

    /// Whether cluster, user, role and command are those of the configuration of now.
    pub fn is_in_force(&self, (now, role_arn): (&Redshift, &str)) -> bool {
        let of = |it: &Redshift| {
            let user = (it.user.clone(), it.password.clone());
            (it.url.clone(), user, it.copy.clone())
        };
        of(now) == of(&self.now) && role_arn == self.role_arn
    }

    /// Stages a piece that has this place, and has it loaded, unless it was given up.
    pub async fn hand(
        &self,
        (bucket, known_by): (&Bucket, &Credentials),
        piece: Piece,
        place: Place,
    ) -> Answer {
        let is_given_up = piece.kind == PieceKind::Refused;
        let place = Place {
            kind: PieceKind::Delivered,
            ..place
        };
        let object = match bucket.stage(piece.content, place).await {
            Ok(object) => object,
            // It was staged by the try before it was given up.
            Err(answer) if is_given_up => return may_be_there(answer),
            Err(answer) => return answer,
        };
        let staging = if is_given_up {
            Staging::GivenUp
        } else {
            Staging::ToFetch
        };
        let text = manifest(&object.url, object.bytes);
        let manifest = match bucket.put_manifest((staging, place), text).await {
            Ok(manifest) => manifest,
            Err(answer) => return may_be_there(answer),
        };
        if is_given_up {
            return Answer::Delivered(object.key);
        }
        let id = self.naming.uuid(place);
        let login = match known_by.login(&self.now).await {
            Ok(login) => login,
            // What it would fetch is staged.
            Err(why) => return misconfigured(&id, &why, false),
        };
        let entry = Entry {
            piece: &id,
            lane: &self.lane,
            cut: place.cut,
            manifest: &manifest,
            loaded_at: self.clock.now(),
        };
        match self.load(&entry, &login).await {
            Ok(Became::Loaded) => Answer::Delivered(object.key),
            Ok(Became::Another(other)) => Answer::Undecided(format!(
                "load {}: the ledger has this delivery as {other}. It may be that these records \
                 are not there, and nothing after them is delivered. Take the row out of {} if it \
                 is not ours, or decide what becomes of the delivery",
                manifest.as_str(),
                ledger::NAME
            )),
            Err(failed) => failed.answer(manifest.as_str(), self.now.fallback.retry_time()),
        }
    }

    async fn load(&self, entry: &Entry<'_>, login: &(String, Secret)) -> Result<Became, Failed> {
        let url = JdbcUrl::parse(&self.now.url)?;
        let copy = self.copy(entry.manifest)?;
        let login = (login, &self.heard);
        let session = Session::connect(&self.endpoints, &url, login).await?;
        // What nobody waits for any more ends there, too.
        ask(&session, &statements::time_max(ANSWER_TIME_MAX)).await?;
        let ledger = self.ledger(&session).await?;
        ask(&session, "BEGIN").await?;
        let lock = ask(&session, &ledger.lock()).await;
        lock.map_err(|trouble| Failed(During::Waiting, trouble))?;
        if let Some(known) = ledger.known(&session, entry).await? {
            // Where it does not come to that, the end of the connection has the same effect.
            let _ = ask(&session, "ROLLBACK").await;
            return Ok(if known == entry.manifest.as_str() {
                Became::Loaded
            } else {
                Became::Another(known)
            });
        }
        let loading = |trouble| Failed(During::Loading, trouble);
        let entered = ledger.enter(&session, entry).await;
        entered.map_err(|Failed(_, trouble)| loading(trouble))?;
        let longer = ask(&session, &statements::time_max(COPY_TIME_MAX)).await;
        longer.map_err(loading)?;
        if let Err(trouble) = session.ask(&copy, COPY_TIME_MAX).await {
            let trouble = outcome::with_reason(&session, trouble).await;
            return Err(Failed(During::Loading, trouble));
        }
        let commit = ask(&session, "COMMIT").await;
        commit.map_err(|trouble| Failed(During::Committing, trouble))?;
        Ok(Became::Loaded)
    }

    fn copy(&self, manifest: &S3Url) -> Result<String, Invalid> {
        Copy {
            terms: &self.now.copy,
            packed_by: &self.of_cut,
            role_arn: &self.role_arn,
        }
        .statement(manifest)
    }

    /// The ledger is where it was when the cut was decided, whatever table is configured since:
    /// else what was loaded by a try whose answer was lost would be loaded again. Where it could
    /// never be made, nothing was ever loaded with it, and it is where it belongs now.
    async fn ledger(&self, session: &Session) -> Result<Ledger, Failed> {
        let (of_cut, now) = (schema(&self.of_cut)?, schema(&self.now.copy)?);
        let ledger = Ledger::in_schema(&of_cut);
        if ledger.is_there(session).await? {
            return Ok(ledger);
        }
        match ledger.make(session).await {
            Err(Failed(_, trouble)) if of_cut != now && is_of_configuration(&trouble) => {}
            made => return made.map(|()| ledger),
        }
        let ledger = Ledger::in_schema(&now);
        if !ledger.is_there(session).await? {
            ledger.make(session).await?;
        }
        Ok(ledger)
    }
}

/// The schema of the table of a command.
fn schema(terms: &CopyTerms) -> Result<Identifier, Invalid> {
    let table = TableName::parse(&terms.table, Dialect::Redshift)?;
    let usual = || Identifier::known(SCHEMA_USUAL.to_owned());
    Ok(table.schema.unwrap_or_else(usual))
}

/// Does a statement that is done at once.
async fn ask(session: &Session, statement: &str) -> Result<(), Trouble> {
    session.ask(statement, ANSWER_TIME_MAX).await.map(|_| ())
}

/// What a store answered about a manifest: the object may be there before it.
fn may_be_there(answer: Answer) -> Answer {
    match answer {
        Answer::Again { why, .. } => Answer::Again {
            why,
            is_refused: false,
        },
        other => other,
    }
}
