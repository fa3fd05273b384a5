//! The ledger in Redshift: a table with a row for each object that was loaded.
//!
//! ```text
//! piece      the object's name for us: the same in every try, and no other has it
//! lane, cut  whose it is: rows of cuts long before are taken away
//! manifest   what was loaded: a manifest is made once, and so is the object that it names
//! loaded_at  for people, in UTC
//! ```
//!
//! Keys are not enforced there (Amazon Redshift, "Table constraints"), so that the table is locked
//! before it is looked into. A lock is no statement that takes a snapshot (Amazon Redshift,
//! "Isolation levels"): what is read after it is what was committed before it was had.

use types::{Invalid, Timestamp};

use crate::endpoints::ANSWER_TIME_MAX;
use crate::redshift::identifiers::Identifier;
use crate::redshift::manifest::{S3Url, quoted};
use crate::sink::database::session::Session;
use crate::sink::database::trouble::{During, Failed, Trouble};

/// What the table is called.
pub const NAME: &str = "millrace_deliveries";
/// Cuts of a lane whose rows are kept: a lane never comes back to one before its own, but people
/// look whether what was given up was loaded after all.
const CUTS_KEPT: u64 = 1_000;

/// An object as the ledger has it.
pub struct Entry<'a> {
    /// Its name for us.
    pub piece: &'a str,
    /// The lane.
    pub lane: &'a str,
    /// Which cut of it.
    pub cut: u64,
    /// By what it is loaded.
    pub manifest: &'a S3Url,
    /// When that is.
    pub loaded_at: Timestamp,
}

/// The ledger in a schema.
pub struct Ledger {
    quoted: String,
}

impl Ledger {
    /// The ledger in a schema, whether or not it is there.
    pub fn in_schema(schema: &Identifier) -> Self {
        Self {
            quoted: format!("{}.{NAME}", schema.quoted()),
        }
    }

    /// Whether it is there. This waits for whoever loads something, who holds the lock.
    ///
    /// # Errors
    /// When the database does not say.
    pub async fn is_there(&self, session: &Session) -> Result<bool, Failed> {
        let look = format!("SELECT cut FROM {} WHERE cut < 0", self.quoted);
        match session.ask(&look, ANSWER_TIME_MAX).await {
            Ok(_) => Ok(true),
            Err(trouble) if is_missing(&trouble) => Ok(false),
            Err(trouble) => Err(Failed(During::Waiting, trouble)),
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn make(&self, session: &Session) -> Result<(), Failed> {
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {} (piece CHAR(36) NOT NULL, lane CHAR(36) NOT NULL, cut \
             BIGINT NOT NULL, manifest VARCHAR(2048) NOT NULL, loaded_at TIMESTAMP NOT NULL)",
            self.quoted
        );
        let Err(trouble) = session.ask(&create, ANSWER_TIME_MAX).await else {
            return Ok(());
        };
        // Another lane may have made it meanwhile.
        if self.is_there(session).await? {
            Ok(())
        } else {
            Err(trouble.into())
        }
    }

    /// The statement after which nobody else enters or looks until the transaction ends.
    pub fn lock(&self) -> String {
        format!("LOCK TABLE {}", self.quoted)
    }

    /// The manifest by which an object was loaded, if it was.
    ///
    /// # Errors
    /// When the ledger does not say.
    pub async fn known(
        &self,
        session: &Session,
        entry: &Entry<'_>,
    ) -> Result<Option<String>, Failed> {
        let piece = quoted(entry.piece)?;
        let select = format!("SELECT manifest FROM {} WHERE piece = {piece}", self.quoted);
        let rows = session.ask(&select, ANSWER_TIME_MAX).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let known = row.try_get(0).map_err(Trouble::from)?;
        Ok(Some(known.unwrap_or_default().trim_end().to_owned()))
    }

    /// Enters an object, and takes away what is older than anybody looks for.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn enter(&self, session: &Session, entry: &Entry<'_>) -> Result<(), Failed> {
        let lane = quoted(entry.lane)?;
        let (piece, manifest) = (quoted(entry.piece)?, quoted(entry.manifest.as_str())?);
        let (cut, loaded_at) = (entry.cut, quoted(&written(entry.loaded_at)?)?);
        if let Some(kept) = cut.checked_sub(CUTS_KEPT).filter(|kept| *kept > 0) {
            let prune = format!(
                "DELETE FROM {} WHERE lane = {lane} AND cut < {kept}",
                self.quoted
            );
            session.ask(&prune, ANSWER_TIME_MAX).await?;
        }
        let insert = format!(
            "INSERT INTO {} (piece, lane, cut, manifest, loaded_at) VALUES ({piece}, {lane}, \
             {cut}, {manifest}, {loaded_at})",
            self.quoted
        );
        session.ask(&insert, ANSWER_TIME_MAX).await?;
        Ok(())
    }
}

/// A moment as SQL reads it.
fn written(at: Timestamp) -> Result<String, Invalid> {
    let at = i64::try_from(at.0).ok();
    let at = at.and_then(chrono::DateTime::from_timestamp_millis);
    let at = at.ok_or_else(|| Invalid("the clock shows no time".to_owned()))?;
    Ok(at.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn is_missing(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused { code, .. } if code == "42P01" || code == "3F000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_sql_reads_them() {
        let at = Timestamp(1_700_000_000_999);
        assert_eq!(written(at), Ok("2023-11-14 22:13:20".to_owned()));
        assert!(written(Timestamp(u64::MAX)).is_err());
    }
}
