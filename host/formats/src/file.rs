//! Rows become a file. The same records give the same bytes in every try of one build. Another
//! build may write the same rows otherwise, so that the file says in its end what it was made of:
//! `millrace.rows`, a digest of the table and of the records.

use std::fmt::Write as _;
use std::io::Write;

use sha2::{Digest, Sha256};
use types::Invalid;

use crate::limits::{BATCH_BYTES, LEAF_BYTES, LEAF_OF_GROUP_BYTES, ROW_GROUP_BYTES, bytes_besides};
use crate::orc::OrcWriter;
use crate::parquet_file::ParquetWriter;
use crate::reading::{Reading, ReadingSettings};
use crate::refusal::Unconverted;
use crate::rows::Rows;
use crate::settings::Format;
use crate::table::Table;

/// The name of the digest in the file's end.
const DIGEST_KEY: &str = "millrace.rows";
/// Hexadecimal digits of it.
const DIGEST_CHARS: usize = 64;
/// Bytes of the end of a file in which the digest is: behind it stands little, of Parquet files how
/// columns are ordered, and of ORC files where the tail is.
pub const END_BYTES: usize = 64 * 1024;
/// What a file ends with, and what stands between the name of the digest and the digest: fields of
/// Thrift and of Protocol Buffers, which have so many bytes.
const PARQUET_END: &[u8] = b"PAR1";
const PARQUET_FIELD: [u8; 2] = [0x18, 0x40];
const ORC_END: &[u8] = b"ORC";
const ORC_FIELD: [u8; 2] = [0x12, 0x40];

/// A file that is being written into a sink.
pub struct RowFile<W: Write + Send> {
    rows: Rows,
    writer: Writer<W>,
    digest: Sha256,
    /// Bytes of memory at which a row group or a stripe ends.
    group_bytes: usize,
    leaves: usize,
    /// Memory of the one that is open.
    open_bytes: usize,
}

/// What writes it.
enum Writer<W: Write + Send> {
    Parquet(Box<ParquetWriter<W>>),
    Orc(Box<OrcWriter<W>>),
}

/// What a file takes and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMemory {
    /// Bytes that are in its sink, or will be, as far as that is known.
    pub file: usize,
    /// No less than what it takes besides its sink until it is finished.
    pub besides: usize,
}

impl<W: Write + Send> RowFile<W> {
    /// Begins a file of a table.
    ///
    /// # Errors
    /// When the settings are not known, or the head cannot be written.
    pub fn begin(
        table: &Table,
        reading: &ReadingSettings,
        format: &Format,
        sink: W,
    ) -> Result<Self, Invalid> {
        let rows = Rows::new(table, Reading::new(reading, format)?);
        let mut digest = Sha256::new();
        digest.update(&table.words);
        let (writer, group_bytes) = match format {
            Format::Parquet(settings) => {
                let writer = ParquetWriter::begin(rows.schema().clone(), settings, sink)?;
                (Writer::Parquet(Box::new(writer)), settings.block_bytes)
            }
            Format::Orc(settings) => {
                let writer = OrcWriter::begin(table, settings, sink);
                let writer = writer.map_err(|error| Invalid(error.to_string()))?;
                (Writer::Orc(Box::new(writer)), settings.stripe_bytes)
            }
        };
        let group_bytes = usize::try_from(group_bytes).unwrap_or(ROW_GROUP_BYTES);
        Ok(Self {
            rows,
            writer,
            digest,
            group_bytes: group_bytes.min(ROW_GROUP_BYTES),
            leaves: table.leaves(),
            open_bytes: 0,
        })
    }

    /// Adds all objects of all these records, or nothing. `may_hold` says whether there may be so
    /// many bytes more in use than [`RowFile::memory`] says.
    ///
    /// # Errors
    /// The first record that does not fit, or that there is no room. After any other than a refusal
    /// the file is of no use any more.
    pub fn add(
        &mut self,
        records: &[&[u8]],
        may_hold: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), Unconverted> {
        self.rows.add(records, may_hold)?;
        for record in records {
            self.digest.update(record.len().to_le_bytes());
            self.digest.update(record);
        }
        if self.rows.bytes() >= BATCH_BYTES {
            self.encode().map_err(Unconverted::Broken)?;
        }
        Ok(())
    }

    /// Encodes what waits, and ends row groups that are large enough.
    fn encode(&mut self) -> Result<(), String> {
        if self.rows.count() == 0 {
            return Ok(());
        }
        let batch = self.rows.take().map_err(|error| error.to_string())?;
        match &mut self.writer {
            Writer::Parquet(writer) => {
                let written = writer.write(&batch);
                written.map_err(|error| error.to_string())?;
                drop(batch);
            }
            Writer::Orc(writer) => writer.write(batch)?,
        }
        self.open_bytes = self.writer.open_bytes();
        if self.open_bytes >= self.group_bytes {
            self.writer.end_group()?;
            self.open_bytes = self.writer.open_bytes();
        }
        Ok(())
    }

    /// What it takes at the moment.
    pub fn memory(&self) -> FileMemory {
        let besides = bytes_besides(self.rows.bytes(), self.open_bytes);
        FileMemory {
            file: self.writer.bytes_written() + self.open_bytes + self.rows.bytes(),
            besides: besides + self.writer.besides_bytes(self.leaves),
        }
    }

    /// Where it is written.
    pub fn sink(&self) -> &W {
        match &self.writer {
            Writer::Parquet(writer) => writer.sink(),
            Writer::Orc(writer) => writer.sink(),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written, which does not happen in memory.
    pub fn finish(mut self) -> Result<W, String> {
        self.encode()?;
        let digest = hexadecimal(&self.digest.finalize());
        let digest = (DIGEST_KEY, digest.as_str());
        match self.writer {
            Writer::Parquet(writer) => writer.finish(digest).map_err(|error| error.to_string()),
            Writer::Orc(writer) => writer.finish(digest).map_err(|error| error.to_string()),
        }
    }
}

impl<W: Write + Send> Writer<W> {
    fn open_bytes(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.open_bytes(),
            Self::Orc(writer) => writer.open_bytes(),
        }
    }

    fn bytes_written(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.bytes_written(),
            Self::Orc(writer) => writer.bytes_written(),
        }
    }

    /// What it takes besides what is in it.
    fn besides_bytes(&self, leaves: usize) -> usize {
        match self {
            Self::Parquet(writer) => leaves * (LEAF_BYTES + writer.groups() * LEAF_OF_GROUP_BYTES),
            Self::Orc(writer) => writer.besides_bytes(),
        }
    }

    fn end_group(&mut self) -> Result<(), String> {
        match self {
            Self::Parquet(writer) => writer.end_group().map_err(|error| error.to_string()),
            Self::Orc(writer) => writer.end_stripe().map_err(|error| error.to_string()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of what a file was made of, from the whole file or its last 64 KiB; `None` where it
/// is no file of millrace.
#[must_use]
pub fn digest_of(end: &[u8]) -> Option<[u8; DIGEST_CHARS]> {
    let end = end.get(end.len().saturating_sub(END_BYTES)..)?;
    let field = if end.ends_with(PARQUET_END) {
        PARQUET_FIELD
    } else {
        // The last byte says how long the postscript is.
        let (_, before) = end.split_last()?;
        before.ends_with(ORC_END).then_some(ORC_FIELD)?
    };
    let key = DIGEST_KEY.as_bytes();
    let at = end.windows(key.len()).rposition(|window| window == key)?;
    let rest = end.get(at + key.len()..)?;
    rest.strip_prefix(&field)?
        .get(..DIGEST_CHARS)?
        .try_into()
        .ok()
}
