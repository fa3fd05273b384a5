//! Columns that grow row by row, for all columns of a schema.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{StringBuilder, TimestampMillisecondBuilder};
use arrow_array::{ArrayRef, BooleanArray, new_null_array};
use arrow_schema::DataType;

use super::coerce::{Sink, Source, first_chars};
use super::escapes::{Raw, resolved};
use super::record::{Limits, Record, faulted};
use super::schema::Metadata;
use crate::batch::{BATCH_ROWS_MAX, Batch, Millis, timestamps};
use crate::fault::{Fault, FaultKind, Invalid};
use crate::operator::FaultedRow;
use crate::ty::{Column, SqlType};

/// Characters of a value that the message of a fault shows.
const SHOWN_CHARS_MAX: usize = 64;

/// The rows of a batch that is not complete.
pub(super) struct Rows {
    rowtimes: Vec<Millis>,
    /// False for rows that were taken back; they are left out when the batch is made.
    kept: Vec<bool>,
    all_kept: bool,
    columns: Vec<Place>,
    needed: Vec<Needed>,
    metadata: Vec<MetadataColumn>,
    record: Begin,
    rowtime: Millis,
    bytes: usize,
    limits: Limits,
    scratch: String,
}

/// Where a column of the batch comes from.
enum Place {
    Needed(usize),
    Unread(SqlType),
}

struct Needed {
    name: String,
    sink: Sink,
}

/// A column of what is known of records, with the value of the one whose rows are added.
enum MetadataColumn {
    Unread(Metadata),
    Arrival {
        builder: TimestampMillisecondBuilder,
        millis: Millis,
    },
    Text {
        of: fn(&Record<'_>) -> String,
        builder: StringBuilder,
        text: String,
    },
}

impl MetadataColumn {
    fn new(kind: Metadata, is_read: bool) -> Self {
        let text = |of| Self::Text {
            of,
            builder: StringBuilder::new(),
            text: String::new(),
        };
        match kind {
            _ if !is_read => Self::Unread(kind),
            Metadata::ApproximateArrivalTime => Self::Arrival {
                builder: TimestampMillisecondBuilder::new(),
                millis: 0,
            },
            Metadata::PartitionKey => text(|record| record.partition_key.to_owned()),
            Metadata::SequenceNumber => text(|record| record.sequence_number.to_owned()),
            Metadata::ShardId => text(|record| record.shard_id.to_owned()),
        }
    }

    fn begin_record(&mut self, record: &Record<'_>) {
        match self {
            Self::Unread(_) => {}
            Self::Arrival { millis, .. } => *millis = record.arrival,
            Self::Text { of, text, .. } => *text = of(record),
        }
    }

    /// Adds the value of the record and tells how many bytes it takes.
    fn push(&mut self) -> usize {
        match self {
            Self::Unread(_) => 0,
            Self::Arrival { builder, millis } => {
                builder.append_value(*millis);
                size_of::<Millis>()
            }
            Self::Text { builder, text, .. } => {
                builder.append_value(&*text);
                text.len()
            }
        }
    }

    fn finish(&mut self, nulls: &mut Nulls) -> ArrayRef {
        match self {
            Self::Unread(kind) => nulls.of(kind.column().ty),
            Self::Arrival { builder, .. } => Arc::new(builder.finish()),
            Self::Text { builder, .. } => Arc::new(builder.finish()),
        }
    }
}

/// Columns that nobody reads: one for each type, however many columns are of it.
struct Nulls {
    rows: usize,
    columns: HashMap<DataType, ArrayRef>,
}

impl Nulls {
    fn of(&mut self, ty: SqlType) -> ArrayRef {
        let column = self.columns.entry(ty.arrow());
        column
            .or_insert_with_key(|ty| new_null_array(ty, self.rows))
            .clone()
    }
}

/// How much there was before a record.
#[derive(Clone, Copy, Default)]
pub(super) struct Begin {
    rows: usize,
    bytes: usize,
}

impl Rows {
    pub fn new(
        columns: &[Column],
        is_needed: impl Fn(usize) -> bool,
        metadata: Vec<(Metadata, bool)>,
        limits: Limits,
    ) -> Result<Self, Invalid> {
        let mut places = Vec::with_capacity(columns.len());
        let mut needed = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if is_needed(at) {
                places.push(Place::Needed(needed.len()));
                let sink = Sink::new(column.ty)?;
                let name = column.name.clone();
                needed.push(Needed { name, sink });
            } else {
                places.push(Place::Unread(column.ty));
            }
        }
        let metadata = metadata.into_iter();
        let metadata = metadata.map(|(kind, is_read)| MetadataColumn::new(kind, is_read));
        Ok(Self {
            rowtimes: Vec::new(),
            kept: Vec::new(),
            all_kept: true,
            columns: places,
            needed,
            metadata: metadata.collect(),
            record: Begin::default(),
            rowtime: 0,
            bytes: 0,
            limits,
            scratch: String::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.rowtimes.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows of the record that is being read.
    pub fn of_record(&self) -> usize {
        self.rowtimes.len() - self.record.rows
    }

    /// What is added from now on is of this record.
    pub fn begin_record(&mut self, record: &Record<'_>) -> Begin {
        self.record = Begin {
            rows: self.rowtimes.len(),
            bytes: self.bytes,
        };
        self.rowtime = record.rowtime;
        for column in &mut self.metadata {
            column.begin_record(record);
        }
        self.record
    }

    /// Takes all rows back that were added since then.
    pub fn undo(&mut self, begin: &Begin) {
        for kept in &mut self.kept[begin.rows..] {
            *kept = false;
            self.all_kept = false;
        }
    }

    /// Adds a row of what `source` gives for each needed column. Where a value does not fit, the
    /// row becomes a fault with its `text`.
    ///
    /// # Errors
    ///
    /// More than the rows of a record may hold.
    pub fn push<'a>(
        &mut self,
        text: &str,
        source: impl Fn(usize) -> Raw<'a>,
        faults: &mut Vec<FaultedRow>,
    ) -> Result<(), Fault> {
        let mut fault = None;
        for (at, column) in self.needed.iter_mut().enumerate() {
            let source = resolved(source(at), &mut self.scratch);
            match column.sink.push(source) {
                Ok(bytes) => self.bytes += bytes,
                Err(_) if fault.is_some() => {}
                Err(_) => fault = Some(mismatch(column, source)),
            }
        }
        for column in &mut self.metadata {
            self.bytes += column.push();
        }
        self.rowtimes.push(self.rowtime);
        self.kept.push(fault.is_none());
        if let Some(fault) = fault {
            self.all_kept = false;
            faults.push(faulted(fault, self.rowtime, text.as_bytes()));
        }
        if self.bytes - self.record.bytes > self.limits.row_bytes {
            let message = "the rows of the record take more than they may";
            return Err(Fault::new(FaultKind::Limit, message));
        }
        Ok(())
    }

    pub fn finish(&mut self) -> Result<Vec<Batch>, Invalid> {
        let rowtimes = std::mem::take(&mut self.rowtimes);
        let rows = rowtimes.len();
        let mut nulls = Nulls {
            rows,
            columns: HashMap::new(),
        };
        let mut columns = vec![timestamps(rowtimes)];
        for place in &self.columns {
            columns.push(match place {
                Place::Needed(at) => self.needed[*at].sink.finish(),
                Place::Unread(ty) => nulls.of(*ty),
            });
        }
        for column in &mut self.metadata {
            columns.push(column.finish(&mut nulls));
        }
        self.bytes = 0;
        self.record = Begin::default();
        let kept = BooleanArray::from(std::mem::take(&mut self.kept));
        let all_kept = std::mem::replace(&mut self.all_kept, true);
        if columns.iter().any(|column| column.len() != rows) {
            return Err(Invalid::new(
                "internal: columns of a batch of unequal length",
            ));
        }
        pieces(columns, (!all_kept).then_some(&kept))
    }
}

/// Batches of at most [`BATCH_ROWS_MAX`] of the rows that are kept.
fn pieces(columns: Vec<ArrayRef>, kept: Option<&BooleanArray>) -> Result<Vec<Batch>, Invalid> {
    let mut all = Batch::new(columns);
    if let Some(kept) = kept {
        all = all
            .filter(kept)
            .map_err(|error| Invalid::new(format!("internal: leave rows out: {error}")))?;
    }
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < all.rows() {
        let length = (all.rows() - at).min(BATCH_ROWS_MAX);
        pieces.push(all.slice(at, length));
        at += length;
    }
    Ok(pieces)
}

fn mismatch(column: &Needed, source: Source<'_>) -> Fault {
    let value = match source {
        Source::Null => "null",
        Source::Boolean(true) => "true",
        Source::Boolean(false) => "false",
        Source::Number(text) | Source::Text(text) | Source::Composite(text) => text,
    };
    let shown = first_chars(value, SHOWN_CHARS_MAX);
    let more = if shown.len() < value.len() { "…" } else { "" };
    let (name, ty) = (&column.name, column.sink.ty());
    let message = format!("column {name}: {shown}{more} cannot be made {ty}");
    Fault::new(FaultKind::Coercion, message)
}
