//! Buckets in a directory: `<root>/<bucket>/<key>`, the default without any configuration.
//!
//! An object is written below `<root>/.staging` and synced there, then linked to its name: the
//! link is made once, by whoever comes first, and what it names is whole.

use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{CopyMode, CopyOptions, Error, ObjectStore, ObjectStoreExt, PutOptions};

use super::{Created, ObjectError, Objects, path};
use crate::arn::BucketName;

/// Not the name of any bucket.
const STAGING: &str = ".staging";

/// The directory of buckets. They need not be made; a bucket is there once an object is.
pub struct LocalObjects {
    /// Makes names durable.
    store: LocalFileSystem,
    /// Does not: whatever is staged when the machine stops is taken away.
    staging: LocalFileSystem,
    root: PathBuf,
}

impl LocalObjects {
    /// Opens the directory, which is made if it is not there. What an earlier process left half
    /// done is taken away. Blocks.
    pub fn open(root: &FilePath) -> Result<Self, ObjectError> {
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("open the directory of buckets: {error}"))
        };
        let staging = root.join(STAGING);
        match std::fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&error));
            }
            _ => {}
        }
        std::fs::create_dir_all(&staging).map_err(|error| failed(&error))?;
        let below = |folder: &FilePath| {
            LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(&error))
        };
        Ok(Self {
            store: below(root)?.with_fsync(true),
            staging: below(root)?,
            root: root.to_owned(),
        })
    }

    /// The directory.
    pub fn root(&self) -> &FilePath {
        &self.root
    }

    async fn sync_staged(&self, name: &str) -> Result<(), ObjectError> {
        let path = self.root.join(STAGING).join(name);
        let synced = tokio::task::spawn_blocking(move || std::fs::File::open(path)?.sync_all());
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("sync a staged object: {error}"))
        };
        let synced = synced.await.map_err(|error| failed(&error))?;
        synced.map_err(|error| failed(&error))
    }

    /// Whoever made it may have been stopped before its name was durable.
    async fn sync_folders(&self, target: &Path) -> Result<(), ObjectError> {
        let (root, path) = (self.root.clone(), self.root.join(target.as_ref()));
        let synced = tokio::task::spawn_blocking(move || {
            let folders = path.ancestors().skip(1);
            folders
                .take_while(|folder| folder.starts_with(&root))
                .try_for_each(|folder| std::fs::File::open(folder)?.sync_all())
        });
        let failed = |error: &dyn std::fmt::Display| {
            ObjectError::Failed(format!("sync the folder of an object: {error}"))
        };
        let synced = synced.await.map_err(|error| failed(&error))?;
        synced.map_err(|error| failed(&error))
    }

    async fn there(&self, target: &Path, length: usize) -> Result<Created, ObjectError> {
        self.sync_folders(target).await?;
        let found = self.store.head(target).await.map_err(failed)?;
        match usize::try_from(found.size) == Ok(length) {
            true => Ok(Created::There),
            false => Ok(Created::Different),
        }
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: Bytes,
    ) -> Result<Created, ObjectError> {
        let target = path(&format!("{bucket}/{key}"));
        let length = content.len();
        // Before the work of writing it: a delivery that is done again finds most of its objects.
        match self.store.head(&target).await {
            Ok(_) => return self.there(&target, length).await,
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        let name = random_name()?;
        let staged = Path::from(format!("{STAGING}/{name}"));
        let put = self
            .staging
            .put_opts(&staged, content.into(), PutOptions::default())
            .await;
        put.map_err(failed)?;
        self.sync_staged(&name).await?;
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let linked = self.store.copy_opts(&staged, &target, options).await;
        if let Err(error) = self.store.delete(&staged).await {
            // The next start takes it away.
            tracing::debug!(%error, "a staged object is left over");
        }
        match linked {
            Ok(()) => Ok(Created::New),
            Err(Error::AlreadyExists { .. }) => self.there(&target, length).await,
            Err(error) => Err(failed(error)),
        }
    }
}

fn random_name() -> Result<String, ObjectError> {
    let number = getrandom::u64().map_err(|error| ObjectError::Failed(error.to_string()))?;
    Ok(format!("{number:016x}"))
}

fn failed(error: Error) -> ObjectError {
    ObjectError::Failed(error.to_string())
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
            let content = Bytes::from_static(content.as_bytes());
            objects.create(&bucket, key, content).await.unwrap()
        };
        assert_eq!(create("a/b", "one").await, Created::New);
        assert_eq!(create("a/b", "two").await, Created::There);
        assert_eq!(create("a/b", "three").await, Created::Different);
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
        assert_eq!(read("logs/a/b"), "one");
        let staged = std::fs::read_dir(dir.path().join(STAGING)).unwrap();
        assert_eq!(staged.count(), 0);
    }

    #[tokio::test]
    async fn a_key_stays_below_its_bucket_whatever_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("s3");
        let objects = LocalObjects::open(&root).unwrap();
        let keys = [
            "../../x",
            "/x",
            "a//../../../x",
            "..",
            "a\\..\\x",
            "\0",
            "x\ny",
        ];
        for (number, key) in keys.iter().enumerate() {
            let bucket = BucketName::parse(&format!("logs-{number}")).unwrap();
            let made = objects.create(&bucket, key, Bytes::from_static(b"x")).await;
            assert!(made.is_ok(), "{key:?}: {made:?}");
        }
        let outside = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(outside, 1, "nothing lies beside the buckets");
        let names = std::fs::read_dir(&root).unwrap().count();
        assert_eq!(
            names,
            keys.len() + 1,
            "a bucket for each and the staging directory"
        );
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
