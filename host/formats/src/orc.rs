//! Rows become an ORC file (Apache ORC, specification v1): a head, stripes, and a tail that says
//! where they are. There are no indexes of rows, no dictionaries and no bloom filters, which
//! readers do without: what a stripe and the file hold at least and at most is told.
//!
//! ```text
//! column      what a column has in the stripe that is open; values make an array's values that
//! integers    streams of integers, by runs_1 or runs_2, and of bits and bytes, by byte_runs
//! stream      the bytes of one stream, block by block, which packer packs
//! stripe      the streams of all columns, one behind the other
//! statistics  what is known of the values of a column
//! types       the columns, as the tail lists them
//! protobuf    how the tail is written, of varints
//! ```

mod bits;
mod byte_runs;
mod column;
mod integers;
mod moment;
mod packer;
mod protobuf;
mod runs_1;
mod runs_2;
mod statistics;
mod stream;
mod stripe;
mod types;
mod values;
mod varint;

use std::io::{self, Write};

use arrow_array::{RecordBatch, StructArray};

use crate::settings::{OrcCodec, OrcSettings, OrcVersion};
use crate::table::Table;
use column::{COLUMN_BYTES, Column};
use packer::{BLOCK_BYTES, PACKER_BYTES, Packer};
use protobuf::Message;
use stripe::Stripe;

pub use moment::can_be_written;

/// What a file begins with, and what stands before its last byte.
const MAGIC: &[u8] = b"ORC";
/// Numbers of writers' versions that have no number of their own begin here; from here on moments
/// in statistics are those of UTC.
const WRITER_VERSION: u64 = 6;
/// The calendar without a gap in 1582.
const PROLEPTIC_GREGORIAN: u64 = 2;
/// The number of the last member of the postscript.
const MAGIC_FIELD: u64 = 8_000;
/// Tails are there twice while they are written.
const TAIL_COPIES: usize = 2;

/// A file that is being written into `sink`.
pub struct OrcWriter<W> {
    sink: W,
    settings: OrcSettings,
    packer: Packer,
    types: Message,
    nodes: usize,
    root: Column,
    /// Rows of the stripe that is open, and of those before it.
    open_rows: u64,
    ended_rows: u64,
    /// Bytes that are written.
    written: usize,
    stripes: Message,
    stripe_statistics: Message,
}

impl<W: Write> OrcWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When its head cannot be written.
    pub fn begin(table: &Table, settings: &OrcSettings, mut sink: W) -> io::Result<Self> {
        sink.write_all(MAGIC)?;
        let columns = table.columns.iter();
        let nodes = columns
            .map(|column| types::nodes(&column.kind))
            .sum::<u64>()
            + 1;
        Ok(Self {
            sink,
            settings: *settings,
            packer: Packer::new(settings.codec),
            types: types::of_table(&table.columns),
            nodes: usize::try_from(nodes).map_err(io::Error::other)?,
            root: Column::of_rows(&table.columns, settings.version),
            open_rows: 0,
            ended_rows: 0,
            written: MAGIC.len(),
            stripes: Message::default(),
            stripe_statistics: Message::default(),
        })
    }

    /// Adds rows to the stripe that is open.
    ///
    /// # Errors
    /// When they are none of the table.
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), String> {
        self.open_rows += batch.num_rows() as u64;
        let rows = StructArray::from(batch);
        self.root.write(&rows, None, &mut self.packer)
    }

    /// Bytes of memory of the stripe that is open. It becomes about as many bytes of the file.
    pub fn open_bytes(&self) -> usize {
        self.root.memory_bytes()
    }

    /// No less than the memory that it takes besides.
    pub fn besides_bytes(&self) -> usize {
        let tail = self.types.memory_bytes()
            + self.stripes.memory_bytes()
            + self.stripe_statistics.memory_bytes();
        self.nodes * COLUMN_BYTES + PACKER_BYTES + TAIL_COPIES * tail
    }

    /// Bytes that are in the sink.
    pub fn bytes_written(&self) -> usize {
        self.written
    }

    /// The sink.
    pub fn sink(&self) -> &W {
        &self.sink
    }

    /// Ends the stripe that is open, if there is anything in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end_stripe(&mut self) -> io::Result<()> {
        if self.open_rows == 0 {
            return Ok(());
        }
        let mut stripe = Stripe::begin(&mut self.sink, &mut self.packer);
        self.root.end(&mut stripe)?;
        let ended = stripe.end()?;
        let mut told = Message::default();
        told.number(1, self.written as u64);
        told.number(2, 0);
        told.number(3, ended.data_bytes as u64);
        told.number(4, ended.footer_bytes as u64);
        told.number(5, self.open_rows);
        self.stripes.message(3, &told);
        self.stripe_statistics.message(1, &ended.statistics);
        self.written += ended.data_bytes + ended.footer_bytes;
        self.ended_rows += self.open_rows;
        self.open_rows = 0;
        Ok(())
    }

    /// Ends the file, with a text under a name in its tail.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, (name, text): (&str, &str)) -> io::Result<W> {
        self.end_stripe()?;
        let metadata = self.packer.pack_all(self.stripe_statistics.bytes());
        self.sink.write_all(&metadata)?;
        let mut footer = self.packer.pack_all(self.footer().bytes());
        // It is found by its bytes, so that it is not packed.
        let mut item = Message::default();
        item.text(1, name.as_bytes());
        item.text(2, text.as_bytes());
        let mut items = Message::default();
        items.message(5, &item);
        footer.extend_from_slice(&self.packer.keep(items.bytes()));
        self.sink.write_all(&footer)?;
        let end = postscript(&self.settings, footer.len() as u64, metadata.len() as u64);
        self.sink.write_all(end.bytes())?;
        // It is a few tens of bytes long.
        let length = u8::try_from(end.bytes().len()).map_err(io::Error::other)?;
        self.sink.write_all(&[length])?;
        Ok(self.sink)
    }

    /// `Footer`, without what is added to it.
    fn footer(&self) -> Message {
        let mut footer = Message::default();
        footer.number(1, MAGIC.len() as u64);
        footer.number(2, self.written as u64);
        footer.fields(&self.stripes);
        footer.fields(&self.types);
        footer.number(6, self.ended_rows);
        self.root
            .statistics(&mut |statistics| footer.message(7, &statistics.message()));
        // No index of rows.
        footer.number(8, 0);
        footer.number(11, PROLEPTIC_GREGORIAN);
        footer
    }
}

/// `PostScript`.
fn postscript(settings: &OrcSettings, footer_bytes: u64, metadata_bytes: u64) -> Message {
    let mut told = Message::default();
    told.number(1, footer_bytes);
    let codec = match settings.codec {
        OrcCodec::Uncompressed => 0,
        OrcCodec::Zlib => 1,
        OrcCodec::Snappy => 2,
    };
    told.number(2, codec);
    told.number(3, BLOCK_BYTES as u64);
    let minor = match settings.version {
        OrcVersion::V0_11 => 11,
        OrcVersion::V0_12 => 12,
    };
    told.numbers(4, &[0, minor]);
    told.number(5, metadata_bytes);
    told.number(6, WRITER_VERSION);
    told.text(MAGIC_FIELD, MAGIC);
    told
}
