//! The ledger: a table beside the one that rows go into, with a row for each request that is there.
//!
//! ```text
//! piece         the request's name: the same in every try, and no other has it
//! lane, cut     whose it is: rows of earlier cuts of a lane are taken away, since a lane never
//!               comes back to these
//! content       a digest of what was sent
//! refused       the records of it that are not there, if any: [[number, code, message], ...]
//! delivered_at  for people
//! ```

use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use super::session::Session;
use super::table::Table;
use super::trouble::Trouble;
use crate::answers::records::RecordFault;
use crate::sink::body::Body;

/// What the table is called.
pub const NAME: &str = "millrace_deliveries";
/// Refused records whose words are kept; further ones have none, so that a row stays small.
const WORDS_MAX: usize = 128;

/// A request as the ledger has it.
pub struct Entry<'a> {
    piece: &'a str,
    lane: &'a str,
    cut: i64,
    content: Vec<u8>,
}

/// What the ledger has of a request that is there.
pub struct Known {
    content: Vec<u8>,
    /// The records of it that are not there.
    pub faults: Vec<RecordFault>,
}

/// The ledger beside a table.
pub struct Ledger {
    quoted: String,
}

impl<'a> Entry<'a> {
    /// That of a request with this name.
    pub fn of(piece: &'a str, lane: &'a str, cut: u64, body: &Body) -> Self {
        let mut digest = Sha256::new();
        for chunk in body.chunks() {
            digest.update(chunk);
        }
        Self {
            piece,
            lane,
            // Names have 48 bits of it.
            cut: i64::try_from(cut).unwrap_or(i64::MAX),
            content: digest.finalize().to_vec(),
        }
    }
}

impl Known {
    /// Whether it is what an entry is about.
    pub fn is_of(&self, entry: &Entry<'_>) -> bool {
        self.content == entry.content
    }
}

impl Ledger {
    /// The ledger in the schema of a table. It is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn beside(session: &Session, table: &Table) -> Result<Self, Trouble> {
        let quoted = format!("{}.{NAME}", table.schema);
        let ledger = Self { quoted };
        if ledger.is_there(session).await? {
            return Ok(ledger);
        }
        let create = format!(
            "CREATE TABLE {} (piece pg_catalog.uuid PRIMARY KEY, lane pg_catalog.uuid NOT NULL, \
             cut pg_catalog.int8 NOT NULL, content pg_catalog.bytea NOT NULL, refused \
             pg_catalog.text, delivered_at pg_catalog.timestamptz NOT NULL DEFAULT \
             pg_catalog.now())",
            ledger.quoted
        );
        match session.batch(&create).await {
            Ok(()) => Ok(ledger),
            // Another lane has made it meanwhile.
            Err(_) if ledger.is_there(session).await? => Ok(ledger),
            Err(trouble) => Err(trouble),
        }
    }

    async fn is_there(&self, session: &Session) -> Result<bool, Trouble> {
        let found = session
            .query(
                "SELECT pg_catalog.to_regclass($1::pg_catalog.text) IS NOT NULL",
                &[&self.quoted],
            )
            .await?;
        let found = found.first().map(|row| row.try_get(0));
        Ok(found.transpose()?.unwrap_or(false))
    }

    /// Enters a request, unless it is there: then, what is known of it. Where another try is at the
    /// same, it is waited for.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn enter(
        &self,
        session: &Session,
        entry: &Entry<'_>,
    ) -> Result<Option<Known>, Trouble> {
        let insert = format!(
            "INSERT INTO {} (piece, lane, cut, content) VALUES \
             ($1::pg_catalog.text::pg_catalog.uuid, $2::pg_catalog.text::pg_catalog.uuid, $3, $4) \
             ON CONFLICT (piece) DO NOTHING",
            self.quoted
        );
        let Entry {
            piece,
            lane,
            cut,
            content,
        } = entry;
        let values: [&(dyn ToSql + Sync); 4] = [piece, lane, cut, content];
        if session.execute(&insert, &values).await? > 0 {
            let prune = format!(
                "DELETE FROM {} WHERE lane = $1::pg_catalog.text::pg_catalog.uuid AND cut < $2",
                self.quoted
            );
            session.execute(&prune, &[lane, cut]).await?;
            return Ok(None);
        }
        let select = format!(
            "SELECT content, refused FROM {} WHERE piece = $1::pg_catalog.text::pg_catalog.uuid",
            self.quoted
        );
        let rows = session.query(&select, &[piece]).await?;
        let Some(row) = rows.first() else {
            // Somebody took it away just now.
            return Err(Trouble::Lost("the ledger changes".to_owned()));
        };
        let refused: Option<String> = row.try_get(1)?;
        Ok(Some(Known {
            content: row.try_get(0)?,
            faults: refused.as_deref().map_or(Ok(Vec::new()), faults_in)?,
        }))
    }

    /// Notes the records of a request that are not there.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn note(
        &self,
        session: &Session,
        entry: &Entry<'_>,
        faults: &[RecordFault],
    ) -> Result<(), Trouble> {
        let update = format!(
            "UPDATE {} SET refused = $2 WHERE piece = $1::pg_catalog.text::pg_catalog.uuid",
            self.quoted
        );
        let refused = text_of(faults);
        let noted = session.execute(&update, &[&entry.piece, &refused]).await?;
        match noted {
            1 => Ok(()),
            _ => Err(Trouble::Lost("the ledger does not keep it".to_owned())),
        }
    }
}

/// Faults as the ledger has them.
fn text_of(faults: &[RecordFault]) -> String {
    let known = faults.iter().enumerate().map(|(place, fault)| {
        let message = if place < WORDS_MAX {
            fault.message.as_str()
        } else {
            ""
        };
        (fault.record, fault.code.as_str(), message)
    });
    serde_json::json!(known.collect::<Vec<_>>()).to_string()
}

fn faults_in(text: &str) -> Result<Vec<RecordFault>, Trouble> {
    let known: Result<Vec<(u16, String, String)>, _> = serde_json::from_str(text);
    let known = known.map_err(|error| Trouble::NotMeant(format!("{NAME}.refused: {error}")))?;
    let faults = known
        .into_iter()
        .map(|(record, code, message)| RecordFault {
            record,
            code,
            message,
        });
    Ok(faults.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_read_as_it_was_noted_and_stays_small() {
        let faults: Vec<_> = (0..10_000)
            .map(|record| RecordFault {
                record,
                code: "Redshift.DataLoadFailed".to_owned(),
                message: format!("22P02: \"{record}\"{}", "x".repeat(160)),
            })
            .collect();
        let text = text_of(&faults);
        assert!(text.len() < 512 << 10, "{} bytes", text.len());
        let read = faults_in(&text).unwrap();
        assert_eq!(read.len(), faults.len());
        assert_eq!(read[..WORDS_MAX], faults[..WORDS_MAX]);
        let (record, message) = (read[9_999].record, read[9_999].message.as_str());
        assert_eq!((record, message), (9_999, ""));
        assert!(faults_in("[[1]]").is_err());
    }
}
