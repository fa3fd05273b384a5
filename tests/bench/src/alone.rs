//! What a delivery consists of, each part by itself on one thread: compressing, transforming, and
//! writing files. No delivery on one lane is faster than these.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use formats::{Codec, Format, ParquetSettings, ReadingSettings, RowFile, Table, WriterVersion};
use store::Records;
use wasm::{Instance, Slab, Status, Version};

use crate::Failure;
use crate::bench::Bench;
use crate::destination::COLUMNS;
use crate::events::Frames;
use crate::transforms::MOMENT;
use crate::usage::thread_cpu;

/// As delivery compresses.
const GZIP_LEVEL: u32 = 3;
/// As delivery makes batches.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 1024 * 1024;

/// What it took to work on so much.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Bytes of the records that came in.
    pub bytes_in: usize,
    /// Bytes that came out at the end.
    pub bytes_out: usize,
    /// How long.
    pub time: Duration,
    /// Processor time of the one thread.
    pub cpu: Duration,
}

/// The clock, and the thread's own.
struct Begin {
    at: Instant,
    cpu: Duration,
}

impl Begin {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            cpu: thread_cpu(),
        }
    }

    fn took(&self, bytes_in: usize, bytes_out: usize) -> Took {
        Took {
            bytes_in,
            bytes_out,
            time: self.at.elapsed(),
            cpu: thread_cpu().saturating_sub(self.cpu),
        }
    }
}

impl Took {
    /// Megabytes of records in a second.
    pub fn mb_per_second(&self) -> f64 {
        self.bytes_in as f64 / 1e6 / self.time.as_secs_f64()
    }
}

/// Records compressed one after the other, into objects of so many bytes before.
pub fn compress(frames: &Frames, bytes: usize, object_bytes: usize) -> Result<Took, Failure> {
    let begin = Begin::now();
    let mut objects = Objects::new(object_bytes);
    for (body, _) in frames.up_to(bytes) {
        for record in Records::new(body) {
            objects.write(record.data)?;
        }
        objects.end_if_full()?;
    }
    objects.end()?;
    Ok(begin.took(objects.bytes_in, objects.bytes_out))
}

/// Records as rows of Parquet files, each of so many bytes of records.
pub fn rows(frames: &Frames, bytes: usize, object_bytes: usize) -> Result<Took, Failure> {
    let columns = COLUMNS.iter();
    let columns = columns.map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
    let table = Table::parse(&columns.collect::<Vec<_>>())?;
    let reading = ReadingSettings::OpenX {
        ignores_case: true,
        replaces_dots: false,
        mappings: Vec::new(),
    };
    let format = Format::Parquet(ParquetSettings {
        codec: Codec::Snappy,
        block_bytes: 256 << 20,
        page_bytes: 1 << 20,
        has_dictionaries: true,
        version: WriterVersion::V1,
    });
    let open = || RowFile::begin(&table, &reading, &format, Vec::new());
    let begin = Begin::now();
    let (mut file, mut of_file) = (open()?, 0);
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for (body, _) in frames.up_to(bytes) {
        for record in Records::new(body) {
            let added = file.add(&[record.data], &mut |_| true);
            added.map_err(|why| format!("{why:?}"))?;
            bytes_in += record.data.len();
            of_file += record.data.len();
        }
        if of_file >= object_bytes {
            bytes_out += std::mem::replace(&mut file, open()?).finish()?.len();
            of_file = 0;
        }
    }
    bytes_out += file.finish()?.len();
    Ok(begin.took(bytes_in, bytes_out))
}

/// Records through a component, and what came out compressed.
pub fn transform_and_compress(
    version: &Arc<Version>,
    frames: &Frames,
    bytes: usize,
    object_bytes: usize,
) -> Result<Took, Failure> {
    let mut instance = Instance::start(version, MOMENT, version.call_limits())
        .map_err(|fault| fault.to_string())?;
    let mut through = |batch: &mut Slab, objects: &mut Objects| -> Result<(), Failure> {
        let outputs = instance
            .transform(batch, None, version.call_limits().batch_time_max)
            .map_err(|fault| fault.to_string())?;
        batch.clear();
        for output in outputs.iter() {
            if output.status == Status::Ok {
                objects.write(output.data)?;
            }
        }
        Ok(())
    };
    let begin = Begin::now();
    let mut objects = Objects::new(object_bytes);
    let (mut batch, mut bytes_in) = (Slab::default(), 0);
    for (body, _) in frames.up_to(bytes) {
        for record in Records::new(body) {
            if batch.len() == BATCH_RECORDS || BATCH_BYTES < batch.bytes() + record.data.len() {
                through(&mut batch, &mut objects)?;
            }
            if !batch.push(record.data) {
                return Err("a batch of more than 4 GiB".into());
            }
            bytes_in += record.data.len();
        }
        objects.end_if_full()?;
    }
    through(&mut batch, &mut objects)?;
    objects.end()?;
    Ok(begin.took(bytes_in, objects.bytes_out))
}

/// The same bytes into files of so many bytes, each synced before the next begins.
pub fn copy(
    bench: &Bench,
    frames: &Frames,
    bytes: usize,
    file_bytes: usize,
) -> Result<Took, Failure> {
    let dir = bench.fresh_dir()?;
    let begin = Begin::now();
    let (mut content, mut written, mut files) = (Vec::new(), 0, 0);
    let mut write = |content: &mut Vec<u8>| -> Result<(), Failure> {
        let mut file = File::create(dir.path().join(files.to_string()))?;
        file.write_all(content)?;
        file.sync_all()?;
        files += 1;
        written += content.len();
        content.clear();
        Ok(())
    };
    for (body, _) in frames.up_to(bytes) {
        for record in Records::new(body) {
            content.extend_from_slice(record.data);
        }
        if file_bytes <= content.len() {
            write(&mut content)?;
        }
    }
    write(&mut content)?;
    Ok(begin.took(written, written))
}

/// Objects that are compressed and thrown away.
struct Objects {
    open: GzEncoder<Vec<u8>>,
    object_bytes: usize,
    open_bytes: usize,
    bytes_in: usize,
    bytes_out: usize,
}

impl Objects {
    fn new(object_bytes: usize) -> Self {
        Self {
            open: encoder(),
            object_bytes,
            open_bytes: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.open.write_all(data)?;
        self.open_bytes += data.len();
        Ok(())
    }

    fn end_if_full(&mut self) -> Result<(), Failure> {
        if self.object_bytes <= self.open_bytes {
            self.end()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let packed = std::mem::replace(&mut self.open, encoder()).finish()?;
        self.bytes_out += black_box(packed).len();
        self.bytes_in += self.open_bytes;
        self.open_bytes = 0;
        Ok(())
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))
}
