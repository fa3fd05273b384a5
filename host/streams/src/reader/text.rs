//! One record as text.

use store::StoredRecord;
use types::{SequenceNumber, Timestamp};
use wire::{Codec, Writer};

use crate::encryption::KMS;

/// How records are written; what is the same for all of them is made once.
#[derive(Debug)]
pub(super) struct RecordText {
    pub(super) codec: Codec,
    before_number: Vec<u8>,
    /// The same of records that are sealed, which say so first.
    before_number_sealed: Vec<u8>,
    before_time: Vec<u8>,
    before_data: Vec<u8>,
    before_key: Vec<u8>,
    end: Vec<u8>,
    /// Whether the records of the frame are sealed.
    is_sealed: bool,
    /// From after the sequence number to before the data, of the records of one frame.
    middle: Vec<u8>,
}

impl RecordText {
    pub(super) fn new(codec: Codec) -> Self {
        let mut out = Writer::with_capacity(codec, 0);
        out.structure(5);
        out.member("EncryptionType");
        out.word(KMS.as_bytes());
        out.member("SequenceNumber");
        let before_number_sealed = out.take();
        let mut out = Writer::with_capacity(codec, 0);
        out.structure(4);
        out.member("SequenceNumber");
        let before_number = out.take();
        out.member("ApproximateArrivalTimestamp");
        let before_time = out.take();
        out.member("Data");
        let before_data = out.take();
        out.member("PartitionKey");
        let before_key = out.take();
        out.end_structure();
        Self {
            codec,
            before_number,
            before_number_sealed,
            before_time,
            before_data,
            before_key,
            end: out.take(),
            is_sealed: false,
            middle: Vec::new(),
        }
    }

    /// What follows is of a frame that arrived at this time.
    pub(super) fn begin_frame(&mut self, arrival: Timestamp, is_sealed: bool) {
        self.is_sealed = is_sealed;
        self.middle.clear();
        self.middle.extend_from_slice(&self.before_time);
        self.codec.write_time(&mut self.middle, arrival);
        self.middle.extend_from_slice(&self.before_data);
    }

    fn begin(&self) -> &[u8] {
        if self.is_sealed {
            &self.before_number_sealed
        } else {
            &self.before_number
        }
    }

    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        number: SequenceNumber,
        record: &StoredRecord<'_>,
    ) {
        out.extend_from_slice(self.begin());
        self.codec.write_word(out, &number.digits());
        out.extend_from_slice(&self.middle);
        self.codec.write_blob(out, record.data);
        out.extend_from_slice(&self.before_key);
        self.codec.write_text(out, record.partition_key);
        out.extend_from_slice(&self.end);
    }

    /// Bytes that [`RecordText::write`] appends.
    pub(super) fn length(&self, record: &StoredRecord<'_>) -> usize {
        self.begin().len()
            + self.codec.word_len(SequenceNumber::DIGITS)
            + self.middle.len()
            + self.codec.blob_len(record.data.len())
            + self.before_key.len()
            + self.codec.text_len(record.partition_key)
            + self.end.len()
    }
}
