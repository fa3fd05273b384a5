//! Rows become a Parquet file (Apache Parquet, file format). The same records give the same bytes
//! in every try of one build. Another build may write the same rows otherwise, so that the file
//! says in its end what it was made of: `millrace.rows`, a digest of the table and of the records.

use std::fmt::Write as _;
use std::io::Write;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, GzipLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{self, EnabledStatistics, WriterProperties};
use sha2::{Digest, Sha256};
use types::Invalid;

use crate::limits::{
    BATCH_BYTES, LEAF_BYTES, LEAF_OF_GROUP_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, bytes_besides,
};
use crate::reading::{Reading, ReadingSettings};
use crate::refusal::Unconverted;
use crate::rows::Rows;
use crate::settings::{Codec, ParquetSettings, WriterVersion};
use crate::table::Table;

/// The level of gzip, as that of objects of records.
const GZIP_LEVEL: u32 = 3;
/// Rows of a batch that are encoded one after the other: what they take follows from their bytes.
const ROWS_PER_WRITE: usize = 1_024;
/// Who made the file. No version stands in it: the bytes of a build are those of the next one that
/// writes the same.
const CREATED_BY: &str = "millrace";
/// The name of the digest in the file's end.
const DIGEST_KEY: &str = "millrace.rows";
/// Hexadecimal digits of it.
const DIGEST_CHARS: usize = 64;
/// Bytes of the end of a file in which the digest is: behind it stands little but how columns are
/// ordered.
pub const END_BYTES: usize = 64 * 1024;
/// What a file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// A file that is being written into `sink`.
pub struct ParquetFile<W: Write + Send> {
    rows: Rows,
    writer: ArrowWriter<W>,
    digest: Sha256,
    row_group_bytes: usize,
    leaves: usize,
    /// Memory of the row group that is open, and bytes of those that are written.
    open_bytes: usize,
    written_bytes: usize,
}

/// What a file takes and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMemory {
    /// Bytes that are in its sink, or will be, as far as that is known.
    pub file: usize,
    /// No less than what it takes besides its sink until it is finished.
    pub besides: usize,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file of a table.
    ///
    /// # Errors
    /// When the settings are not known, or the head cannot be written.
    pub fn begin(
        table: &Table,
        reading: &ReadingSettings,
        settings: &ParquetSettings,
        sink: W,
    ) -> Result<Self, Invalid> {
        let rows = Rows::new(table, Reading::new(reading)?);
        let mut digest = Sha256::new();
        digest.update(&table.words);
        let options = ArrowWriterOptions::new()
            .with_properties(properties(settings)?)
            .with_skip_arrow_metadata(true);
        let schema = rows.schema().clone();
        let writer = ArrowWriter::try_new_with_options(sink, schema, options);
        let block = usize::try_from(settings.block_bytes).unwrap_or(ROW_GROUP_BYTES);
        Ok(Self {
            rows,
            writer: writer.map_err(|error| Invalid(error.to_string()))?,
            digest,
            row_group_bytes: block.min(ROW_GROUP_BYTES),
            leaves: table.leaves(),
            open_bytes: 0,
            written_bytes: 0,
        })
    }

    /// Adds all objects of all these records, or nothing. `may_hold` says whether there may be so
    /// many bytes more in use than [`ParquetFile::memory`] says.
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
            let encoded = self.encode();
            encoded.map_err(|error| Unconverted::Broken(error.to_string()))?;
        }
        Ok(())
    }

    /// Encodes what waits, and ends row groups that are large enough.
    fn encode(&mut self) -> Result<(), ParquetError> {
        if self.rows.count() == 0 {
            return Ok(());
        }
        let batch = self.rows.take()?;
        let mut from = 0;
        while from < batch.num_rows() {
            let count = ROWS_PER_WRITE.min(batch.num_rows() - from);
            self.writer.write(&batch.slice(from, count))?;
            from += count;
        }
        drop(batch);
        self.open_bytes = self.writer.memory_size();
        if self.open_bytes >= self.row_group_bytes {
            self.writer.flush()?;
            self.open_bytes = self.writer.memory_size();
        }
        self.written_bytes = self.writer.bytes_written();
        Ok(())
    }

    /// What it takes at the moment.
    pub fn memory(&self) -> FileMemory {
        let groups = self.writer.flushed_row_groups().len() + 1;
        let leaf = LEAF_BYTES + groups * LEAF_OF_GROUP_BYTES;
        let besides = bytes_besides(self.rows.bytes(), self.open_bytes);
        FileMemory {
            file: self.written_bytes + self.open_bytes + self.rows.bytes(),
            besides: besides + self.leaves * leaf,
        }
    }

    /// Where it is written.
    pub fn sink(&self) -> &W {
        self.writer.inner()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written, which does not happen in memory.
    pub fn finish(mut self) -> Result<W, String> {
        let ended = self.encode().and_then(|()| {
            let digest = hexadecimal(&self.digest.finalize());
            let digest = KeyValue::new(DIGEST_KEY.to_owned(), digest);
            self.writer.append_key_value_metadata(digest);
            self.writer.into_inner()
        });
        ended.map_err(|error| error.to_string())
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn properties(settings: &ParquetSettings) -> Result<WriterProperties, Invalid> {
    let compression = match settings.codec {
        Codec::Uncompressed => Compression::UNCOMPRESSED,
        Codec::Snappy => Compression::SNAPPY,
        Codec::Gzip => {
            let level = GzipLevel::try_new(GZIP_LEVEL);
            Compression::GZIP(level.map_err(|error| Invalid(error.to_string()))?)
        }
    };
    let version = match settings.version {
        WriterVersion::V1 => properties::WriterVersion::PARQUET_1_0,
        WriterVersion::V2 => properties::WriterVersion::PARQUET_2_0,
    };
    Ok(WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(compression)
        .set_data_page_size_limit(settings.page_bytes)
        .set_dictionary_page_size_limit(settings.page_bytes)
        .set_dictionary_enabled(settings.has_dictionaries)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by(CREATED_BY.to_owned())
        .build())
}

/// The digest of what a file was made of, from the whole file or its last 64 KiB; `None` where it
/// is no file of millrace.
#[must_use]
pub fn digest_of(end: &[u8]) -> Option<[u8; DIGEST_CHARS]> {
    let end = end.get(end.len().saturating_sub(END_BYTES)..)?;
    if !end.ends_with(MAGIC) {
        return None;
    }
    let key = DIGEST_KEY.as_bytes();
    let at = end.windows(key.len()).rposition(|window| window == key)?;
    // Thrift's compact protocol: the second field is binary, and has so many bytes.
    let rest = end.get(at + key.len()..)?;
    let rest = rest.strip_prefix(&[0x18, 0x40])?;
    rest.get(..DIGEST_CHARS)?.try_into().ok()
}
