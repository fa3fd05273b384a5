//! The file of tables and catalog as redb sees it, and what is made of redb's errors.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Database, StorageBackend};

use crate::disk::DiskFile;
use crate::embedded::panics::text_of;
use crate::embedded::wal::{read_full, write_all};
use crate::engine::StoreError;

/// The file of tables and catalog.
pub const CATALOG_FILE: &str = "tables.redb";

/// Names a failure of redb: a damaged file, or a disk that refuses.
pub fn failed<E: Into<redb::Error>>(doing: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| match error.into() {
        redb::Error::Io(source) if is_damage(&source) => {
            StoreError::corrupt(CATALOG_FILE, 0, format!("{doing}: {source}"))
        }
        redb::Error::Io(source) => StoreError::io(format!("{doing} in {CATALOG_FILE}"), source),
        error @ redb::Error::PreviousIo => StoreError::io(
            format!("{doing} in {CATALOG_FILE}"),
            io::Error::other(error),
        ),
        other => StoreError::corrupt(CATALOG_FILE, 0, format!("{doing}: {other}")),
    }
}

/// Whether the error is about what the file holds, not about getting it.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
    )
}

/// Where redb has read last. What it finds damaged is there: it stops at the first page that is
/// not what its parent says.
#[derive(Clone, Debug, Default)]
pub struct ReadMark(Arc<AtomicU64>);

impl ReadMark {
    /// Does what needs redb. It panics on some damage that it was not told to look for, and that
    /// must end neither a thread nor the start: it is reported like other damage. The database is
    /// not used after that, but opened anew.
    pub fn guard<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let what = format!("redb panicked: {}", text_of(panic.as_ref()));
            Err(StoreError::corrupt(CATALOG_FILE, 0, what))
        });
        outcome.map_err(|error| self.locate(error))
    }

    fn locate(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Corrupt {
                file,
                offset: 0,
                what,
            } if file == CATALOG_FILE => {
                StoreError::corrupt(file, self.0.load(Ordering::Relaxed), what)
            }
            other => other,
        }
    }
}

/// Opens the database in `file`, and makes one if the file is empty. All of it is compared with
/// its checksums: redb does not look at them when it reads.
pub fn open_database(
    file: Arc<dyn DiskFile>,
    mark: &ReadMark,
    cache_bytes: usize,
) -> Result<Database, StoreError> {
    mark.guard(|| {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        builder.set_check_integrity_on_open(true);
        let backend = Backend {
            file,
            mark: mark.clone(),
        };
        builder.create_with_backend(backend).map_err(failed("open"))
    })
}

/// redb's view of a file of ours.
struct Backend {
    file: Arc<dyn DiskFile>,
    mark: ReadMark,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CATALOG_FILE)
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.mark.0.store(offset, Ordering::Relaxed);
        if read_full(self.file.as_ref(), out, offset)? == out.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        write_all(self.file.as_ref(), &mut [io::IoSlice::new(data)], offset)
    }
}
