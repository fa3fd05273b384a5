//! The rows of a request go into the table, within the transaction that is open. Records that the
//! database refuses are found by halves, and all others are there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tokio_postgres::Statement;
use types::Invalid;

use super::LOAD_FAILED;
use super::session::Session;
use super::table::Table;
use super::trouble::Trouble;
use crate::answers::records::RecordFault;
use crate::endpoints::ANSWER_BYTES_MAX;
use crate::sink::body::{Body, Record};
use crate::sink::rows::{Filling, Rows};

/// Bytes of records that go into the table with one statement, or one record if that is more.
pub const AT_ONCE_BYTES: usize = 256 * 1024;

/// What a statement did is kept, or undone, before the next one.
const SAVE: &str = "SAVEPOINT millrace";
const KEEP: &str = "RELEASE SAVEPOINT millrace; SAVEPOINT millrace";
const UNDO: &str = "ROLLBACK TO SAVEPOINT millrace";

/// Records that are tried by themselves where it is not sure that a refusal is about records.
const SAMPLES: usize = 16;
/// Connections that one request may cost by what the database says of its records.
const CONNECTIONS_MAX: usize = 64;

/// Records of a request of which the database says more than is read of an answer, as far as that
/// is known from the connections that it ended.
#[derive(Default)]
pub struct Apart {
    /// Where one statement ends and another begins.
    bounds: BTreeSet<usize>,
    /// Records that are not tried any more.
    left_out: BTreeSet<usize>,
    connections: usize,
}

impl Apart {
    /// Whether another connection is to be tried after one that it has ended.
    pub fn has_more(&self) -> bool {
        self.connections < CONNECTIONS_MAX
    }

    /// One of these records is one of them.
    fn has_one(&mut self, range: &Range<usize>) {
        self.connections += 1;
        if range.len() <= 1 {
            self.left_out.insert(range.start);
            return;
        }
        let middle = range.start + range.len() / 2;
        self.bounds.extend([range.start, middle, range.end]);
    }
}

/// A request on its way into the table.
pub struct Load<'a> {
    session: &'a Session,
    body: &'a Body,
    filling: &'a Filling,
    /// What takes the rows of some records.
    statement: Statement,
    faults: BTreeMap<u16, RecordFault>,
    apart: &'a mut Apart,
    /// Some of its records went into the table, so that what is refused besides is for its data.
    takes_some: bool,
}

impl<'a> Load<'a> {
    /// Begins with a request.
    ///
    /// # Errors
    /// When nothing can be put into the table.
    pub async fn new(
        session: &'a Session,
        table: &'a Table,
        (body, apart): (&'a Body, &'a mut Apart),
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
            apart,
            takes_some: false,
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
            let trouble = match self.try_range(range.clone()).await {
                Ok(has_rows) => {
                    self.takes_some |= has_rows;
                    self.session.batch(KEEP).await?;
                    continue;
                }
                Err(Trouble::TooMuch) => {
                    self.apart.has_one(&range);
                    return Err(Trouble::TooMuch);
                }
                Err(trouble) => trouble,
            };
            let message = match (trouble.of_records(), trouble.may_be_of_records()) {
                (Some(message), _) => message.to_owned(),
                (None, Some(message)) => {
                    let message = message.to_owned();
                    self.session.batch(UNDO).await?;
                    if !self.takes_one().await? {
                        return Err(Trouble::Unexplained(message));
                    }
                    message
                }
                (None, None) => return Err(trouble),
            };
            self.session.batch(UNDO).await?;
            if range.len() > 1 {
                let middle = range.start + range.len() / 2;
                // The one that is taken next is the last one.
                ranges.push(middle..range.end);
                ranges.push(range.start..middle);
            } else if let Some(record) = self.body.records().get(range.start) {
                let fault = fault(record, message);
                self.faults.insert(record.number, fault);
            }
        }
        Ok(self.faults.into_values().collect())
    }

    /// Whether the table takes a record: one that has gone into it, or one of some that are tried
    /// by themselves, which are taken back.
    async fn takes_one(&mut self) -> Result<bool, Trouble> {
        let count = self.body.records().len();
        let step = count.div_ceil(SAMPLES).max(1);
        for place in (0..count).step_by(step) {
            if self.takes_some {
                return Ok(true);
            }
            match self.try_range(place..place + 1).await {
                Ok(has_rows) => self.takes_some = has_rows,
                Err(Trouble::TooMuch) => {
                    self.apart.has_one(&(place..place + 1));
                    return Err(Trouble::TooMuch);
                }
                Err(trouble) if trouble.may_be_of_records().is_none() => return Err(trouble),
                Err(_) => {}
            }
            self.session.batch(UNDO).await?;
        }
        Ok(self.takes_some)
    }

    /// All records, those that go together beside each other, the first ones last.
    fn ranges(&self) -> Vec<Range<usize>> {
        let (mut ranges, mut start, mut bytes) = (Vec::new(), 0, 0);
        let records = self.body.records();
        for (place, record) in records.iter().enumerate() {
            let is_apart = self.apart.bounds.contains(&place) && place > start;
            if is_apart || bytes > 0 && bytes + record.bytes() > AT_ONCE_BYTES {
                ranges.push(start..place);
                (start, bytes) = (place, 0);
            }
            bytes += record.bytes();
        }
        ranges.push(start..records.len());
        ranges.reverse();
        ranges
    }

    /// Loads some of the records as a whole, but for those that have no rows. Whether there are
    /// any.
    async fn try_range(&mut self, range: Range<usize>) -> Result<bool, Trouble> {
        let mut rows = Rows::default();
        let records = self.body.records().get(range.clone());
        let none = || Trouble::NotMeant(format!("a request has no records {range:?}"));
        for (place, record) in range.clone().zip(records.ok_or_else(none)?) {
            if self.apart.left_out.contains(&place) {
                let why = format!("the database says more than {ANSWER_BYTES_MAX} bytes about it");
                self.faults.insert(record.number, fault(record, why));
                continue;
            }
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
            return Ok(false);
        }
        match self.filling {
            Filling::Fields { .. } => self.session.copy(&self.statement, rows.text).await?,
            Filling::Objects => {
                let objects = rows.objects().map_err(Invalid)?;
                self.session.execute(&self.statement, &[&objects]).await?;
            }
        }
        Ok(true)
    }
}

fn fault(record: &Record, message: String) -> RecordFault {
    RecordFault {
        record: record.number,
        code: LOAD_FAILED.to_owned(),
        message,
    }
}
