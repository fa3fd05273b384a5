//! A stripe while it is written: the streams of all columns, and where they are (ORC specification
//! v1, "Stripes").

use std::io::{self, Write};

use super::packer::Packer;
use super::protobuf::Message;
use super::statistics::Statistics;

/// The zone that moments are written in: those of tables have none.
const ZONE: &[u8] = b"UTC";

/// What a stream holds (`Stream.Kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Which values there are.
    Present,
    /// The values, or the seconds of moments.
    Data,
    /// How long values are.
    Length,
    /// Scales of decimals, and nanoseconds.
    Secondary,
}

/// A stripe that goes into a file.
pub struct Stripe<'a> {
    sink: &'a mut dyn Write,
    packer: &'a mut Packer,
    data_bytes: usize,
    streams: Message,
    encodings: Message,
    statistics: Message,
}

/// What the tail of the file says of a stripe.
pub struct Ended {
    /// Bytes of its streams.
    pub data_bytes: usize,
    /// Bytes of what stands behind them.
    pub footer_bytes: usize,
    /// `StripeStatistics`.
    pub statistics: Message,
}

impl<'a> Stripe<'a> {
    /// Begins one where the file ends so far.
    pub fn begin(sink: &'a mut dyn Write, packer: &'a mut Packer) -> Self {
        Self {
            sink,
            packer,
            data_bytes: 0,
            streams: Message::default(),
            encodings: Message::default(),
            statistics: Message::default(),
        }
    }

    /// Adds a column, before its streams. `has_runs_2`: its integers are those of the second
    /// version.
    pub fn column(&mut self, has_runs_2: bool, statistics: &Statistics) {
        let mut encoding = Message::default();
        encoding.number(1, if has_runs_2 { 2 } else { 0 });
        self.encodings.message(2, &encoding);
        self.statistics.message(1, &statistics.message());
    }

    /// Adds a stream of that column, block by block, of which none stays in memory.
    pub fn stream(
        &mut self,
        (column, kind): (u64, StreamKind),
        take: impl FnOnce(&mut Packer) -> Vec<Vec<u8>>,
    ) -> io::Result<()> {
        let mut bytes = 0;
        for block in take(self.packer) {
            self.sink.write_all(&block)?;
            bytes += block.len();
        }
        self.data_bytes += bytes;
        let mut stream = Message::default();
        stream.number(
            1,
            match kind {
                StreamKind::Present => 0,
                StreamKind::Data => 1,
                StreamKind::Length => 2,
                StreamKind::Secondary => 5,
            },
        );
        stream.number(2, column);
        stream.number(3, bytes as u64);
        self.streams.message(1, &stream);
        Ok(())
    }

    /// Ends it.
    pub fn end(self) -> io::Result<Ended> {
        let mut footer = self.streams;
        footer.fields(&self.encodings);
        footer.text(3, ZONE);
        let footer = self.packer.pack_all(footer.bytes());
        self.sink.write_all(&footer)?;
        Ok(Ended {
            data_bytes: self.data_bytes,
            footer_bytes: footer.len(),
            statistics: self.statistics,
        })
    }
}
