//! Pieces become transactions of a PostgreSQL database: a row in the ledger and the rows of the
//! records become durable together, or not at all.
//!
//! ```text
//! connect, find the table and the ledger beside it, which is made where it is missing
//! BEGIN
//!   the ledger gets the piece's name; where it has it, the piece was delivered: nothing is done
//!   COPY, or INSERT of objects of JSON, of some records at a time; where records are refused, by
//!   halves until each is alone that is
//!   the ledger gets what was refused
//! COMMIT
//! ```
//!
//! The name is the same in every try and after a restart, and the database lets a second try wait
//! for the first. So each row is there once, whoever ends when.

mod ledger;
mod load;
mod login;
pub(super) mod session;
mod table;
pub(super) mod trouble;

use std::sync::Arc;
use std::time::Duration;

use types::Invalid;

use super::body::Body;
use super::remote::Sending;
use super::verdict::misconfigured;
use super::{Answer, InPart};
use crate::answers::records::RecordFault;
use crate::endpoints::{ANSWER_BYTES_MAX, Endpoints};
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;
use crate::redshift::Redshift;
use crate::redshift::jdbc_url::JdbcUrl;
use crate::secret::Secret;
use crate::secrets::Credentials;
use ledger::{Entry, Ledger};
use load::{AT_ONCE_BYTES, Apart, Load};
use session::{Heard, Session};
use table::Table;
use trouble::{During, Failed, Trouble};

/// AWS's word for records that a database does not take (developer guide, "Amazon Redshift data
/// delivery errors").
pub const LOAD_FAILED: &str = "Redshift.DataLoadFailed";
/// What one request takes besides itself: the rows of some records, where each byte may be two,
/// once more on their way through the connection, and what the database answers. What one record
/// becomes may be more than goes at once: its room is that in which it became part of the request.
pub const MEMORY_BYTES: usize = 4 * AT_ONCE_BYTES + ANSWER_BYTES_MAX;

/// Where the requests of one cut go.
#[derive(Clone)]
pub struct Database {
    endpoints: Arc<dyn Endpoints>,
    naming: NamingKey,
    /// As it is configured now, but for the table and its rows, which are those of the cut's time:
    /// so the ledger is the same one in every try.
    redshift: Redshift,
    /// What names all requests of the lane.
    lane: String,
    heard: Heard,
}

/// What became of a piece.
enum Became {
    /// It is there, without these of its records.
    There(Vec<RecordFault>),
    /// Another one of its name is.
    Another,
}

impl Database {
    /// Begins with a cut of the first of two configurations, whose requests go where the second one
    /// says.
    pub fn begin(sending: Sending<'_>, (of_cut, now): (&Redshift, &Redshift)) -> Self {
        Self {
            endpoints: Arc::clone(sending.endpoints),
            naming: sending.naming.clone(),
            redshift: Redshift {
                copy: of_cut.copy.clone(),
                ..now.clone()
            },
            lane: sending.naming.channel(sending.lane),
            heard: Heard::default(),
        }
    }

    /// Whether database and user are those of the configuration of now.
    pub fn is_in_force(&self, now: &Redshift) -> bool {
        let of = |it: &Redshift| (it.url.clone(), it.user.clone(), it.password.clone());
        of(now) == of(&self.redshift)
    }

    /// Delivers a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place, known_by: &Credentials) -> Answer {
        let id = self.naming.uuid(place);
        let login = match known_by.login(&self.redshift).await {
            Ok(login) => login,
            Err(why) => return misconfigured(&id, &why, true),
        };
        let body = match Body::of(piece.content, &piece.records) {
            Ok(body) => body,
            Err(Invalid(why)) => return not_meant(&id, &why),
        };
        let entry = Entry::of(&id, &self.lane, place.cut, &body);
        match self.deliver((&body, &entry), &login).await {
            Ok(Became::There(faults)) if faults.is_empty() => {
                Answer::Delivered(format!("request {id}"))
            }
            Ok(Became::There(faults)) => {
                let (count, first) = (faults.len(), faults.first());
                let first = first.map_or("", |fault| fault.message.as_str());
                Answer::InPart(InPart {
                    why: format!(
                        "send request {id} to the database: {count} records were not taken, the \
                         first of them for {first}"
                    ),
                    faults,
                    again: None,
                })
            }
            Ok(Became::Another) => Answer::Undecided(format!(
                "send request {id} to the database: its ledger has this request with other \
                 records. It may be that these are not there, and nothing after them is delivered. \
                 Take the row out of {} if it is not ours, or decide what becomes of the delivery",
                ledger::NAME
            )),
            Err(Failed(during, trouble)) => {
                trouble.answer(&id, (during, self.redshift.fallback.retry_time()))
            }
        }
    }

    /// How long the database has said nothing of a request that was handed over so long ago.
    pub fn quiet_for(&self, since: Duration) -> Duration {
        self.heard.since().map_or(since, |heard| heard.min(since))
    }

    /// Delivers a request. Where the database says too much about some of its records, that ends
    /// the connection, and it is done once more with these apart, until each is known.
    async fn deliver(
        &self,
        request: (&Body, &Entry<'_>),
        login: &(String, Secret),
    ) -> Result<Became, Failed> {
        let mut apart = Apart::default();
        loop {
            match self.try_to(request, login, &mut apart).await {
                Err(Failed(During::Loading, Trouble::TooMuch)) if apart.has_more() => {}
                done => return done,
            }
        }
    }

    async fn try_to(
        &self,
        (body, entry): (&Body, &Entry<'_>),
        login: &(String, Secret),
        apart: &mut Apart,
    ) -> Result<Became, Failed> {
        let url = JdbcUrl::parse(&self.redshift.url)?;
        let login = (login, &self.heard);
        let session = Session::open(&self.endpoints, &url, login).await?;
        let table = Table::find(&session, &self.redshift.copy).await?;
        let ledger = Ledger::beside(&session, &table).await?;
        session.begin().await?;
        if let Some(known) = ledger.enter(&session, entry).await? {
            session.batch("ROLLBACK").await?;
            return Ok(if known.is_of(entry) {
                Became::There(known.faults)
            } else {
                Became::Another
            });
        }
        let loaded = load_all((&session, &table), (body, apart), (&ledger, entry)).await;
        let faults = loaded.map_err(|trouble| Failed(During::Loading, trouble))?;
        let committed = session.batch("COMMIT").await;
        committed.map_err(|trouble| Failed(During::Committing, trouble))?;
        Ok(Became::There(faults))
    }
}

/// Puts the records of a request into the table, and notes which of them are not there.
async fn load_all(
    (session, table): (&Session, &Table),
    (body, apart): (&Body, &mut Apart),
    (ledger, entry): (&Ledger, &Entry<'_>),
) -> Result<Vec<RecordFault>, Trouble> {
    let faults = Load::new(session, table, (body, apart))
        .await?
        .run()
        .await?;
    if !faults.is_empty() {
        ledger.note(session, entry, &faults).await?;
    }
    Ok(faults)
}

/// What is kept of the configuration or of the request cannot be meant: it is as it was whenever it
/// is tried.
fn not_meant(id: &str, why: &str) -> Answer {
    misconfigured(id, why, false)
}
