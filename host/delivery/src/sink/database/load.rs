//! The rows of a request go into the table, within the transaction that is open. Records that the
//! database refuses are found by halves, and all others are there.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::LOAD_FAILED;
use super::session::Session;
use super::table::Table;
use super::trouble::Trouble;
use crate::answers::records::RecordFault;
use crate::sink::body::{Body, Record};
use crate::sink::rows::{Filling, Rows};

/// Bytes of lines that are handed to the connection at once, or what one record becomes if that is
/// more.
pub const COPIED_AT_ONCE_BYTES: usize = 256 * 1024;

/// Where objects of JSON lie before they become rows: what the database makes of one it says only
/// when it is asked to. It goes with the transaction, and nobody else sees it.
const CREATE_STAGE: &str = "\
    CREATE TEMPORARY TABLE millrace_stage (number pg_catalog.int8, document pg_catalog.text) \
    ON COMMIT DROP";
const COPY_INTO_STAGE: &str = "COPY pg_temp.millrace_stage FROM STDIN";
const EMPTY_STAGE: &str = "TRUNCATE pg_temp.millrace_stage";

/// A request on its way into the table.
pub struct Load<'a> {
    session: &'a Session,
    body: &'a Body,
    filling: &'a Filling,
    /// What copies lines.
    copy: String,
    /// What makes rows of objects that were copied, where lines are no rows.
    insert: Option<String>,
    faults: BTreeMap<u16, RecordFault>,
}

impl<'a> Load<'a> {
    /// Begins with a request.
    ///
    /// # Errors
    /// When the database makes no room for objects of JSON.
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
        let (copy, insert) = match filling {
            Filling::Fields { .. } => (format!("COPY {quoted} ({columns}) FROM STDIN"), None),
            Filling::Objects => {
                session.batch(CREATE_STAGE).await?;
                let insert = format!(
                    "INSERT INTO {quoted} ({columns}) SELECT {columns} FROM (SELECT r.* FROM \
                     pg_temp.millrace_stage s CROSS JOIN LATERAL \
                     pg_catalog.json_populate_record(NULL::{quoted}, \
                     s.document::pg_catalog.json) r ORDER BY s.number) r"
                );
                (COPY_INTO_STAGE.to_owned(), Some(insert))
            }
        };
        Ok(Self {
            session,
            body,
            filling,
            copy,
            insert,
            faults: BTreeMap::new(),
        })
    }

    /// Loads all records that can be; the others, in order.
    ///
    /// # Errors
    /// When the database does not do it for another reason than its records.
    pub async fn run(mut self) -> Result<Vec<RecordFault>, Trouble> {
        let mut ranges = vec![0..self.body.records().len()];
        while let Some(range) = ranges.pop() {
            if range.is_empty() {
                continue;
            }
            self.session.batch("SAVEPOINT millrace").await?;
            let Err(trouble) = self.try_range(range.clone()).await else {
                self.session.batch("RELEASE SAVEPOINT millrace").await?;
                continue;
            };
            let Some(message) = trouble.of_records() else {
                return Err(trouble);
            };
            let back = "ROLLBACK TO SAVEPOINT millrace; RELEASE SAVEPOINT millrace";
            self.session.batch(back).await?;
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

    /// Loads some of the records as a whole.
    async fn try_range(&mut self, range: Range<usize>) -> Result<(), Trouble> {
        let lines = Lines {
            body: self.body,
            filling: self.filling,
            records: self.body.records().get(range).unwrap_or_default(),
            number: 0,
            faults: &mut self.faults,
        };
        self.session.copy(&self.copy, lines).await?;
        if let Some(insert) = &self.insert {
            self.session.execute(insert, &[]).await?;
            self.session.batch(EMPTY_STAGE).await?;
        }
        Ok(())
    }
}

/// The lines of records, some at a time.
struct Lines<'a> {
    body: &'a Body,
    filling: &'a Filling,
    /// Those that are left.
    records: &'a [Record],
    /// Rows so far.
    number: u32,
    /// Records that have no rows.
    faults: &'a mut BTreeMap<u16, RecordFault>,
}

impl Lines<'_> {
    /// Adds the rows of a record, all of them or none.
    fn add(&mut self, rows: &mut Rows, record: &Record) -> Result<(), Trouble> {
        let (bytes, count) = (rows.text.len(), rows.count);
        for part in self.body.parts(record)? {
            if let Err(why) = rows.add(self.filling, &part) {
                rows.text.truncate(bytes);
                rows.count = count;
                self.faults.insert(record.number, fault(record, why));
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Bytes, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rows = Rows {
            text: Vec::new(),
            count: self.number,
        };
        while rows.text.len() < COPIED_AT_ONCE_BYTES
            && let Some((record, rest)) = self.records.split_first()
        {
            self.records = rest;
            if let Err(trouble) = self.add(&mut rows, record) {
                return Some(Err(trouble));
            }
        }
        self.number = rows.count;
        (!rows.text.is_empty()).then(|| Ok(rows.text.into()))
    }
}

fn fault(record: &Record, message: String) -> RecordFault {
    RecordFault {
        record: record.number,
        code: LOAD_FAILED.to_owned(),
        message,
    }
}
