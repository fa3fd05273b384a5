//! Lines of records that are not delivered, and the objects of these.

use formats::Refusal;
use types::Timestamp;

use super::{Packing, Task};
use crate::content::FAILED_OBJECT_BYTES_MAX;
use crate::counts::Counts;
use crate::failed_record::{self, Failure, Origin};
use crate::piece::{Piece, PieceKind};
use crate::sink::Form;
use crate::sink::requests::Record;

impl Packing {
    /// A record could not be worked on.
    pub fn fail(&mut self, record: (&[u8], Timestamp), failure: Failure<'_>) {
        if self.has_no_room {
            return;
        }
        let Task {
            function_arn,
            decided_at,
            ..
        } = &self.task;
        self.line.clear();
        let origin = Origin::Function(function_arn);
        failed_record::write_line(&mut self.line, record, failure, *decided_at, origin);
        self.failed.write(&self.line);
        self.counts.failed += 1;
        self.in_failed = self.in_failed.and(one_failed(record.0.len()));
        if self.failed.len() >= FAILED_OBJECT_BYTES_MAX {
            self.end_failed();
        }
        self.grow();
    }

    /// No row can be made of a record. It is kept as it came in.
    pub(super) fn is_unconverted(&mut self, record: Record<'_>, refusal: &Refusal) {
        let table = match &self.delivered {
            Form::Rows(rows) => rows.catalog_table(),
            Form::Partitions(partitions) => partitions.catalog_table(),
            Form::Object(_) | Form::Requests(_) => return,
        };
        let failure = Failure {
            code: refusal.code,
            message: &refusal.message,
            reason: None,
            attempts: record.history.attempts.saturating_add(1),
        };
        self.line.clear();
        let data = (record.data, record.history.arrival);
        let (line, origin) = (&mut self.line, Origin::Table(table));
        failed_record::write_line(line, data, failure, self.task.decided_at, origin);
        self.unconverted.write(&self.line);
        self.counts.failed += 1;
        self.in_unconverted = self.in_unconverted.and(one_failed(record.data.len()));
        if self.unconverted.len() >= FAILED_OBJECT_BYTES_MAX {
            self.end_unconverted();
        }
    }

    /// Ends the object of failed records that is begun.
    pub fn end_failed(&mut self) {
        if !self.failed.is_empty() {
            self.counts.failed_objects += 1;
            let holds = Counts {
                failed_objects: 1,
                ..std::mem::take(&mut self.in_failed)
            };
            let part = self.failed_parts;
            self.failed_parts = self.after(part);
            let content = std::mem::take(&mut self.failed).finish();
            self.end(Piece::new(part, PieceKind::Failed, content, holds));
        }
    }

    /// Ends the object of records that no row can be made of, if it is begun.
    pub fn end_unconverted(&mut self) {
        if !self.unconverted.is_empty() {
            self.counts.failed_objects += 1;
            let holds = Counts {
                failed_objects: 1,
                ..std::mem::take(&mut self.in_unconverted)
            };
            let part = self.unconverted_parts;
            self.unconverted_parts = self.after(part);
            let content = std::mem::take(&mut self.unconverted).finish();
            self.end(Piece::new(part, PieceKind::Refused, content, holds));
        }
    }
}

fn one_failed(record_bytes: usize) -> Counts {
    Counts {
        records_in: 1,
        bytes_in: record_bytes as u64,
        failed: 1,
        ..Counts::default()
    }
}
