//! Buckets in a directory: `<root>/<bucket>/<key>`, the default without any configuration.
//!
//! An object is written below `<root>/.staging` and synced there, then linked to its name: the
//! link is made once, by whoever comes first, and what it names is whole.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, ObjectStore, ObjectStoreExt, PutOptions, PutPayload,
};
use rustix::fs::{XattrFlags, getxattr, setxattr};
use tokio::runtime::Handle;
use types::Invalid;

use super::comparison::Comparison;
use super::{Created, Found, ObjectError, Objects, cause, local_walk, path};
use crate::arn::BucketName;
use crate::compression::Compression;

/// Bytes of a file's name on every file system that matters (Linux, NAME_MAX). A longer one is
/// refused when it is configured.
const FILE_NAME_BYTES_MAX: usize = 255;
/// Not the name of any bucket.
const STAGING: &str = ".staging";
/// The attribute of a file in which the text beside an object lies, and the bytes that it has at
/// most. A longer one is none of ours, and not read.
const MARK: &str = "user.millrace.made-of";
const MARK_BYTES_MAX: usize = 1_024;
/// Why a bucket takes no objects that is a mount, or a link to another disk.
const OTHER_FILE_SYSTEM: &str = "the bucket's directory lies on another file system than the \
     directory of buckets, and a finished object is linked from there: put all of the directory of \
     buckets on that file system";
/// Bytes of an object that is there that are looked at at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The directory of buckets. They need not be made; a bucket is there once an object is.
pub struct LocalObjects {
    /// Makes names durable.
    store: LocalFileSystem,
    /// Does not: whatever is staged when the machine stops is taken away.
    staging: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl LocalObjects {
    /// Opens the directory, which is made if it is not there. What an earlier process left half
    /// done is taken away. One that cannot be written is no reason not to start: deliveries say so,
    /// and wait. Blocks.
    pub fn open(root: &FilePath) -> Result<Self, ObjectError> {
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("open the directory of buckets: {error}"))
        };
        match make_empty(&root.join(STAGING)) {
            Ok(()) => {}
            Err(error) if is_not_writable(error.kind()) && root.is_dir() => {
                tracing::error!(
                    directory = %root.display(),
                    %error,
                    "the directory of buckets cannot be written: deliveries to it wait"
                );
            }
            Err(error) => return Err(failed(&error)),
        }
        let below = |folder: &FilePath| {
            LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(&error))
        };
        Ok(Self {
            store: below(root)?.with_fsync(true),
            staging: Arc::new(below(root)?),
            root: root.to_owned(),
        })
    }

    /// The directory.
    pub fn root(&self) -> &FilePath {
        &self.root
    }

    /// Where an object lies.
    fn file(&self, bucket: &BucketName, key: &str) -> Result<PathBuf, ObjectError> {
        let target = path(&format!("{bucket}/{key}"))?;
        Ok(self.root.join(target.as_ref()))
    }

    /// Writes an object aside, durably. It is done to its end, and taken away, also if nobody waits
    /// for it any more: what the disk is at cannot be given up.
    async fn stage(
        &self,
        content: PutPayload,
        mark: Option<String>,
    ) -> Result<Staged, ObjectError> {
        let staged = Staged {
            folder: self.root.join(STAGING),
            name: random_name()?,
            is_there: true,
        };
        let staging = Arc::clone(&self.staging);
        let writing = tokio::spawn(async move {
            let path = staged.path();
            let put = staging.put_opts(&path, content, PutOptions::default());
            put.await.map_err(|error| failed(&error))?;
            let file = staged.file();
            let sync = move || {
                if let Some(mark) = mark {
                    set_mark(&file, &mark);
                }
                File::open(file)?.sync_all()
            };
            blocking("sync a staged object", sync).await?;
            Ok(staged)
        });
        let written = writing.await;
        written.map_err(|error| ObjectError::Failed(format!("stage an object: {error}")))?
    }

    /// Makes the name of an object durable: the process that made it may have died before that.
    async fn sync_folders(&self, target: &Path) -> Result<(), ObjectError> {
        let (root, path) = (self.root.clone(), self.root.join(target.as_ref()));
        let synced = tokio::task::spawn_blocking(move || {
            let folders = path.ancestors().skip(1);
            folders
                .take_while(|folder| folder.starts_with(&root))
                .try_for_each(|folder| File::open(folder)?.sync_all())
        });
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("sync the folder of an object: {error}"))
        };
        let synced = synced.await.map_err(|error| failed(&error))?;
        synced.map_err(|error| failed(&error))
    }

    async fn there(
        &self,
        target: &Path,
        (content, compression): (PutPayload, Compression),
    ) -> Result<Created, ObjectError> {
        self.sync_folders(target).await?;
        match self.store.head(target).await {
            Ok(_) => {}
            // Something has the name, and it is no object.
            Err(Error::NotFound { .. }) => {
                let why = format!("a folder lies where {target} should be");
                return Err(ObjectError::Impossible(why));
            }
            Err(error) => return Err(failed(&error)),
        }
        let path = self.root.join(target.as_ref());
        let holding = move || holds(&path, Comparison::with(Bytes::from(content), compression));
        let compared = tokio::task::spawn_blocking(holding);
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("look at an object that is there: {error}"))
        };
        let compared = compared.await.map_err(|error| failed(&error))?;
        if compared.map_err(|error| failed(&error))? {
            Ok(Created::There)
        } else {
            Ok(Created::Different)
        }
    }

    /// Makes an object, maybe with a text beside it.
    async fn make(
        &self,
        (bucket, key): (&BucketName, &str),
        content: PutPayload,
        (compression, mark): (Compression, Option<&str>),
    ) -> Result<Created, ObjectError> {
        let target = path(&format!("{bucket}/{key}"))?;
        // Before the work of writing it: a delivery that is done again finds most of its objects.
        match self.store.head(&target).await {
            Ok(_) => return self.there(&target, (content, compression)).await,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
        let staged = self.stage(content.clone(), mark.map(str::to_owned)).await?;
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let path = staged.path();
        let linked = self.store.copy_opts(&path, &target, options).await;
        staged.take_away().await;
        match linked {
            Ok(()) => Ok(Created::New),
            Err(Error::AlreadyExists { .. }) => self.there(&target, (content, compression)).await,
            // It has its name, and only that this is durable is not sure.
            Err(error) if self.store.head(&target).await.is_ok() => {
                Err(ObjectError::Failed(error.to_string()))
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        compression: Compression,
    ) -> Result<Created, ObjectError> {
        self.make((bucket, key), content, (compression, None)).await
    }

    async fn create_marked(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        (compression, mark): (Compression, &str),
    ) -> Result<Created, ObjectError> {
        self.make((bucket, key), content, (compression, Some(mark)))
            .await
    }

    async fn mark_of(&self, bucket: &BucketName, key: &str) -> Result<Option<String>, ObjectError> {
        let file = self.file(bucket, key)?;
        blocking("look beside an object", move || Ok(mark_of(&file))).await
    }

    async fn can_hold(&self, bucket: &BucketName, key: &str) -> Result<(), Invalid> {
        let (root, bucket) = (self.root.clone(), self.root.join(bucket.as_str()));
        if key.split('/').any(str::is_empty) {
            let why = "begins with '/' or has '//', which no file's name can";
            return Err(Invalid(format!("the key '{key}' {why}")));
        }
        let target = path(key).map_err(|error| Invalid(error.to_string()))?;
        let looking = tokio::task::spawn_blocking(move || {
            check_file_system(&root, &bucket)?;
            check_name(&bucket, &target)
        });
        let looked = looking.await;
        looked.map_err(|error| Invalid(format!("look at the bucket: {error}")))?
    }

    async fn list(
        &self,
        bucket: &BucketName,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<Found>, ObjectError> {
        let bucket = self.root.join(bucket.as_str());
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let walk = move || local_walk::list(&bucket, (&prefix, after.as_deref()), limit);
        blocking("list objects", walk).await
    }

    async fn find(&self, bucket: &BucketName, key: &str) -> Result<Option<Found>, ObjectError> {
        let file = self.file(bucket, key)?;
        let key = key.to_owned();
        blocking("look at an object", move || local_walk::find(&file, key)).await
    }

    async fn read(
        &self,
        bucket: &BucketName,
        found: &Found,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError> {
        let file = self.file(bucket, &found.key)?;
        let found = found.clone();
        blocking("read an object", move || {
            local_walk::read(&file, &found, range)
        })
        .await
    }
}

/// A file of the staging folder, which is taken away with this.
struct Staged {
    folder: PathBuf,
    name: String,
    is_there: bool,
}

impl Staged {
    /// Where it lies in the directory of buckets.
    fn path(&self) -> Path {
        Path::from(format!("{STAGING}/{}", self.name))
    }

    fn file(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    async fn take_away(mut self) {
        self.is_there = false;
        let file = self.file();
        let removed = blocking("remove a staged object", || std::fs::remove_file(file)).await;
        if let Err(error) = removed {
            // The next start takes it away.
            tracing::debug!(%error, "a staged object is left over");
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.is_there
            && let Ok(runtime) = Handle::try_current()
        {
            let file = self.file();
            // One that was not written is not there. The next start takes away what is left over.
            runtime.spawn_blocking(move || std::fs::remove_file(file));
        }
    }
}

/// Does what blocks beside the runtime.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ObjectError> {
    let failed = |error: &dyn std::fmt::Display| ObjectError::Failed(format!("{what}: {error}"));
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))
}

/// Writes a text beside an object that is staged. Not every file system has a place for one: then
/// the object is as good without. Blocks.
fn set_mark(file: &FilePath, mark: &str) {
    if let Err(error) = setxattr(file, MARK, mark.as_bytes(), XattrFlags::empty()) {
        tracing::debug!(%error, "the file system keeps no text beside an object");
    }
}

/// The text beside an object, if there is one. Blocks.
fn mark_of(file: &FilePath) -> Option<String> {
    let mut mark = [0_u8; MARK_BYTES_MAX];
    let bytes = getxattr(file, MARK, &mut mark).ok()?;
    String::from_utf8(mark.get(..bytes)?.to_vec()).ok()
}

/// Makes a folder, without what was in it. Blocks.
fn make_empty(folder: &FilePath) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::create_dir_all(folder)
}

/// Whether objects can be linked from the staging folder into the bucket, which may be a link or a
/// mount. Blocks.
fn check_file_system(root: &FilePath, bucket: &FilePath) -> Result<(), Invalid> {
    let device = |path: &FilePath| std::fs::metadata(path).map(|found| found.dev());
    match (device(root), device(bucket)) {
        (Ok(of_root), Ok(of_bucket)) if of_root != of_bucket => {
            Err(Invalid(OTHER_FILE_SYSTEM.to_owned()))
        }
        // One that is not there is made here.
        _ => Ok(()),
    }
}

/// Whether the file system can have a file of this name: each part of it is short enough, and no
/// file lies where a folder has to be, nor a folder where the file has to be. Blocks.
fn check_name(bucket: &FilePath, target: &Path) -> Result<(), Invalid> {
    let mut path = bucket.to_owned();
    let mut parts = target.parts().peekable();
    while let Some(part) = parts.next() {
        let part = part.as_ref();
        let bytes = part.len();
        if bytes > FILE_NAME_BYTES_MAX {
            return Err(Invalid(format!(
                "'{part}' has {bytes} bytes, and objects are files here: each part of a name \
                 between two '/' can have {FILE_NAME_BYTES_MAX}"
            )));
        }
        path.push(part);
        let is_folder = parts.peek().is_some();
        if let Ok(there) = std::fs::metadata(&path)
            && there.is_dir() != is_folder
        {
            let (lies, should) = if is_folder {
                ("an object", "a folder")
            } else {
                ("a folder", "an object")
            };
            return Err(Invalid(format!(
                "{lies} lies at '{part}' where {should} would have to be"
            )));
        }
    }
    Ok(())
}

/// Whether the file holds this. Blocks.
fn holds(path: &FilePath, mut comparison: Comparison) -> std::io::Result<bool> {
    // A pipe or a device may have no end.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        match chunk.get(..read) {
            Some([]) | None => return Ok(comparison.holds_the_same()),
            Some(more) if comparison.add(more) => {}
            Some(_) => return Ok(false),
        }
    }
}

fn random_name() -> Result<String, ObjectError> {
    let number = getrandom::u64().map_err(|error| ObjectError::Failed(error.to_string()))?;
    Ok(format!("{number:016x}"))
}

fn failed(error: &Error) -> ObjectError {
    let text = error.to_string();
    let Some(kind) = cause::<io::Error>(error).map(io::Error::kind) else {
        return match error {
            Error::InvalidPath { .. } => ObjectError::Impossible(text),
            _ => ObjectError::Failed(text),
        };
    };
    match kind {
        // The name is too long, or a file lies where a folder should be, or the other way round.
        ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory => ObjectError::Impossible(text),
        ErrorKind::CrossesDevices => ObjectError::Refused(OTHER_FILE_SYSTEM.to_owned()),
        kind if is_not_writable(kind) => ObjectError::Refused(text),
        // A full disk, a broken one, a network file system that is away.
        _ => ObjectError::Failed(text),
    }
}

fn is_not_writable(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_made_once_and_lies_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(dir.path()).unwrap();
        let bucket = BucketName::parse("logs").unwrap();
        let create = async |key: &str, content: &'static str| {
            let content = PutPayload::from_static(content.as_bytes());
            objects
                .create(&bucket, key, content, Compression::Uncompressed)
                .await
                .unwrap()
        };
        assert_eq!(create("a/b", "one").await, Created::New);
        assert_eq!(create("a/b", "one").await, Created::There);
        for other in ["two", "three", "on", ""] {
            assert_eq!(create("a/b", other).await, Created::Different);
        }
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!(read("logs/a/b"), "one");
        let staged = std::fs::read_dir(dir.path().join(STAGING)).unwrap();
        assert_eq!(staged.count(), 0);
    }

    /// Nothing can be linked into it, and each put failed without an end.
    #[tokio::test]
    async fn a_bucket_on_another_file_system_is_refused_and_said_to_be_where_it_came_later() {
        let (dir, elsewhere) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir_in("/dev/shm").unwrap(),
        );
        let device = |path: &FilePath| std::fs::metadata(path).unwrap().dev();
        let is_other = device(dir.path()) != device(elsewhere.path());
        let objects = LocalObjects::open(dir.path()).unwrap();
        let bucket = BucketName::parse("logs").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("logs")).unwrap();
        let held = objects.can_hold(&bucket, "a").await;
        assert_eq!(held.is_err(), is_other, "{held:?}");
        let content = PutPayload::from_static(b"x");
        match objects
            .create(&bucket, "a", content, Compression::Uncompressed)
            .await
        {
            Ok(created) => assert_eq!((created, is_other), (Created::New, false)),
            Err(ObjectError::Refused(why)) => assert!(is_other && why.contains("file system")),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_key_that_is_no_path_is_refused_and_none_leaves_its_bucket() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("s3");
        let objects = LocalObjects::open(&root).unwrap();
        let create = async |key: &str| {
            let bucket = BucketName::parse("logs").unwrap();
            let content = PutPayload::from_static(b"x");
            objects
                .create(&bucket, key, content, Compression::Uncompressed)
                .await
        };
        for key in ["../../x", "/x", "a//../../../x", "..", "a/./x"] {
            let made = create(key).await;
            assert!(
                matches!(made, Err(ObjectError::Impossible(_))),
                "{key:?}: {made:?}"
            );
        }
        for key in ["a\\..\\x", "..x/y..", "x"] {
            assert_eq!(create(key).await, Ok(Created::New), "{key:?}");
        }
        let outside = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(outside, 1, "nothing lies beside the buckets");
        let names = std::fs::read_dir(&root).unwrap().count();
        assert_eq!(names, 2, "the bucket and the staging directory");
        let objects = std::fs::read_dir(root.join("logs")).unwrap().count();
        assert_eq!(objects, 3);
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_is_told_from_a_folder_that_nobody_may_write_to() {
        let dir = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(dir.path()).unwrap();
        let bucket = BucketName::parse("logs").unwrap();
        let create = async |key: &str| {
            let content = PutPayload::from_static(b"x");
            objects
                .create(&bucket, key, content, Compression::Uncompressed)
                .await
        };
        assert_eq!(create("a/b").await, Ok(Created::New));
        let long = "x".repeat(256);
        for key in [&long, &format!("{long}/x"), "a/b/c", "a/b/c/d", "a"] {
            let error = create(key).await.unwrap_err();
            assert!(matches!(error, ObjectError::Impossible(_)), "{error:?}");
        }
        assert_eq!(create(&long[1..]).await, Ok(Created::New));
        let kinds = [
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::StorageFull,
            ErrorKind::Other,
        ];
        let refused = kinds.map(|kind| {
            let error = Error::Generic {
                store: "a store",
                source: Box::new(io::Error::from(kind)),
            };
            matches!(failed(&error), ObjectError::Refused(_))
        });
        assert_eq!(refused, [true, true, false, false]);
    }

    /// A device answers for as long as it is read, and a pipe never.
    #[tokio::test]
    async fn a_device_where_an_object_should_be_is_another_object() {
        let dir = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join("bucket")).unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("bucket/key")).unwrap();
        let bucket = BucketName::parse("bucket").unwrap();
        let content = PutPayload::from_static(b"");
        let created = objects
            .create(&bucket, "key", content, Compression::Uncompressed)
            .await;
        assert_eq!(created, Ok(Created::Different));
    }

    /// A delivery that is given up, as by an order, left the file there until the next start.
    #[tokio::test]
    async fn a_put_that_is_given_up_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(dir.path()).unwrap();
        let bucket = BucketName::parse("logs").unwrap();
        let staged = || std::fs::read_dir(dir.path().join(STAGING)).unwrap().count();
        let mut given_up = 0;
        for polls in 0..40 {
            let content = PutPayload::from(vec![b'x'; 64 << 10]);
            let key = format!("a/{polls}");
            let put = objects.create(&bucket, &key, content, Compression::Uncompressed);
            let mut put = std::pin::pin!(put);
            for _ in 0..polls {
                let waited = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(put.as_mut().poll(context).is_pending())
                });
                if !waited.await {
                    break;
                }
                given_up += 1;
                tokio::task::yield_now().await;
            }
        }
        assert!(given_up > 0);
        let taken_away = async {
            while staged() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let time = std::time::Duration::from_secs(30);
        tokio::time::timeout(time, taken_away).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_crash_left_half_done_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join(STAGING)).unwrap();
        std::fs::write(dir.path().join(STAGING).join("half"), "x").unwrap();
        LocalObjects::open(dir.path()).unwrap();
        assert_eq!(
            std::fs::read_dir(dir.path().join(STAGING)).unwrap().count(),
            0
        );
    }
}
