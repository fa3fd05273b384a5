//! Rows become a Parquet file (Apache Parquet, file format).

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, GzipLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{self, EnabledStatistics, WriterProperties};
use types::Invalid;

use crate::limits::ROW_GROUP_ROWS;
use crate::settings::{Codec, ParquetSettings, WriterVersion};

/// The level of gzip, as that of objects of records.
const GZIP_LEVEL: u32 = 3;
/// Rows of a batch that are encoded one after the other: what they take follows from their bytes.
const ROWS_PER_WRITE: usize = 1_024;
/// Who made the file. No version stands in it: the bytes of a build are those of the next one that
/// writes the same.
const CREATED_BY: &str = "millrace";

/// A file that is being written.
pub struct ParquetWriter<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file of such rows.
    ///
    /// # Errors
    /// When the settings are not known, or the head cannot be written.
    pub fn begin(schema: SchemaRef, settings: &ParquetSettings, sink: W) -> Result<Self, Invalid> {
        let options = ArrowWriterOptions::new()
            .with_properties(properties(settings)?)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, schema, options);
        Ok(Self(writer.map_err(|error| Invalid(error.to_string()))?))
    }

    /// Adds rows to the row group that is open.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut from = 0;
        while from < batch.num_rows() {
            let count = ROWS_PER_WRITE.min(batch.num_rows() - from);
            self.0.write(&batch.slice(from, count))?;
            from += count;
        }
        Ok(())
    }

    /// Bytes of memory of the row group that is open.
    pub fn open_bytes(&self) -> usize {
        self.0.memory_size()
    }

    /// How many row groups there are, with the one that is open.
    pub fn groups(&self) -> usize {
        self.0.flushed_row_groups().len() + 1
    }

    /// Bytes that are in the sink.
    pub fn bytes_written(&self) -> usize {
        self.0.bytes_written()
    }

    /// The sink.
    pub fn sink(&self) -> &W {
        self.0.inner()
    }

    /// Ends the row group that is open.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_group(&mut self) -> Result<(), ParquetError> {
        self.0.flush()
    }

    /// Ends the file, with a text under a name in its end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, (name, text): (&str, &str)) -> Result<W, ParquetError> {
        let told = KeyValue::new(name.to_owned(), text.to_owned());
        self.0.append_key_value_metadata(told);
        self.0.into_inner()
    }
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
