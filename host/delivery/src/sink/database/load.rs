//! The rows of a request go into the table, within the transaction that is open. Records that the
//! database refuses are found by halves, and all others are there.

use std::collections::BTreeMap;
use std::ops::Range;

use tokio_postgres::Statement;
use types::Invalid;

use super::LOAD_FAILED;
use super::session::Session;
use super::table::Table;
use super::trouble::Trouble;
use crate::answers::records::RecordFault;
use crate::sink::body::{Body, Record};
use crate::sink::rows::{Filling, Rows};

/// Bytes of records that go into the table with one statement, or one record if that is more.
pub const AT_ONCE_BYTES: usize = 256 * 1024;

/// What a statement did is kept, or undone, before the next one.
const SAVE: &str = "SAVEPOINT millrace";
const KEEP: &str = "RELEASE SAVEPOINT millrace; SAVEPOINT millrace";
const UNDO: &str = "ROLLBACK TO SAVEPOINT millrace";

/// A request on its way into the table.
pub struct Load<'a> {
    session: &'a Session,
    body: &'a Body,
    filling: &'a Filling,
    /// What takes the rows of some records.
    statement: Statement,
    faults: BTreeMap<u16, RecordFault>,
}

impl<'a> Load<'a> {
    /// Begins with a request.
    ///
    /// # Errors
    /// When nothing can be put into the table.
    pub async fn new(
        session: &'a Session,
        table: &'a Table,
        body: &'a Body,
    ) -> Result<Self, Trouble> {
        let Table {
            quoted,
            columns,
            filling,
            ..
        } = table;
        let statement = match filling {
            Filling::Fields { .. } => format!("COPY {quoted} ({columns}) FROM STDIN"),
            Filling::Objects => format!(
                "INSERT INTO {quoted} ({columns}) SELECT {columns} FROM \
                 pg_catalog.json_populate_recordset(NULL::{quoted}, \
                 $1::pg_catalog.text::pg_catalog.json) r"
            ),
        };
        Ok(Self {
            session,
            body,
            filling,
            statement: session.prepare(&statement).await?,
            faults: BTreeMap::new(),
        })
    }

    /// Loads all records that can be; the others, in order.
    ///
    /// # Errors
    /// When the database does not do it for another reason than its records.
    pub async fn run(mut self) -> Result<Vec<RecordFault>, Trouble> {
        let mut ranges = self.ranges();
        self.session.batch(SAVE).await?;
        while let Some(range) = ranges.pop() {
            let Err(trouble) = self.try_range(range.clone()).await else {
                self.session.batch(KEEP).await?;
                continue;
            };
            let Some(message) = trouble.of_records() else {
                return Err(trouble);
            };
            self.session.batch(UNDO).await?;
            if range.len() > 1 {
                let middle = range.start + range.len() / 2;
                // The one that is taken next is the last one.
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            } else if let Some(record) = self.body.records().get(range.start) {
                let fault = fault(record, message.to_owned());
                self.faults.insert(record.number, fault);
            }
        }
        Ok(self.faults.into_values().collect())
    }

    /// All records, those that go together beside each other, the first ones last.
    fn ranges(&self) -> Vec<Range<usize>> {
        let (mut ranges, mut start, mut bytes) = (Vec::new(), 0, 0);
        let records = self.body.records();
        for (place, record) in records.iter().enumerate() {
            if bytes > 0 && bytes + record.bytes() > AT_ONCE_BYTES {
                ranges.push(start..place);
                (start, bytes) = (place, 0);
            }
            bytes += record.bytes();
        }
        ranges.push(start..records.len());
        ranges.reverse();
        ranges
    }

    /// Loads some of the records as a whole, but for those that have no rows.
    async fn try_range(&mut self, range: Range<usize>) -> Result<(), Trouble> {
        let mut rows = Rows::default();
        let records = self.body.records().get(range.clone());
        let none = || Trouble::NotMeant(format!("a request has no records {range:?}"));
        for record in records.ok_or_else(none)? {
            let before = rows.text.len();
            for part in self.body.parts(record)? {
                if let Err(why) = rows.add(self.filling, &part) {
                    // None of its rows is there, or all are.
                    rows.text.truncate(before);
                    self.faults.insert(record.number, fault(record, why));
                    break;
                }
            }
        }
        if rows.text.is_empty() {
            return Ok(());
        }
        match self.filling {
            Filling::Fields { .. } => self.session.copy(&self.statement, rows.text).await?,
            Filling::Objects => {
                let objects = rows.objects().map_err(Invalid)?;
                self.session.execute(&self.statement, &[&objects]).await?;
            }
        }
        Ok(())
    }
}

fn fault(record: &Record, message: String) -> RecordFault {
    RecordFault {
        record: record.number,
        code: LOAD_FAILED.to_owned(),
        message,
    }
}
