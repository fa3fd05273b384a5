//! Objects that are files, as S3 would list and read them. All of it blocks.

use std::collections::BinaryHeap;
use std::fs::{File, FileType, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use types::Timestamp;

use super::Found;

/// Folders in folders that are looked into; what lies deeper is passed over. No name that a prefix
/// gives has more parts.
const DEPTH_MAX: usize = 600;
/// Names of files and folders that are looked at for one listing. One more is an error: a narrower
/// prefix, or a place further on, has fewer before it.
const NAMES_MAX: usize = 1_000_000;

/// Objects of a bucket in the order of the bytes of their keys: see `Objects::list`.
///
/// # Errors
/// When a folder cannot be read, or there is too much in them.
pub fn list(
    bucket: &Path,
    (prefix, after): (&str, Option<&str>),
    limit: usize,
) -> io::Result<Vec<Found>> {
    let mut walk = Walk {
        prefix,
        after,
        limit,
        looked_at: 0,
        found: Vec::new(),
    };
    // What stands before the last '/' are folders that all keys lie in.
    let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let leads_elsewhere = |part| matches!(part, "" | "." | "..");
    if prefix.starts_with('/') || (!folder.is_empty() && folder.split('/').any(leads_elsewhere)) {
        return Ok(Vec::new());
    }
    let within = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    walk.folder(&bucket.join(folder), &within, 0)?;
    Ok(walk.found)
}

/// A file or a folder of a folder. Folders are ordered by what their files' keys begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: String,
    is_folder: bool,
}

struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    looked_at: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, within: &str, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Ok(());
        }
        // Of a folder only as many names are kept as may be wanted; the rest is read again.
        let mut from: Option<Entry> = None;
        loop {
            let entries = self.entries(folder, within, from.as_ref())?;
            let is_last = entries.len() < self.limit;
            for entry in entries {
                if self.found.len() >= self.limit {
                    return Ok(());
                }
                // The name below the bucket is made of names that the folder gave.
                let name = entry.key.get(within.len()..).unwrap_or_default();
                let path = folder.join(name.trim_end_matches('/'));
                if entry.is_folder {
                    self.folder(&path, &entry.key, depth + 1)?;
                } else if let Some(found) = find(&path, entry.key.clone())? {
                    self.found.push(found);
                }
                from = Some(entry);
            }
            if is_last || self.found.len() >= self.limit {
                return Ok(());
            }
        }
    }

    /// The first names of a folder that are wanted and come after one, in order.
    fn entries(
        &mut self,
        folder: &Path,
        within: &str,
        from: Option<&Entry>,
    ) -> io::Result<Vec<Entry>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_not_there(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut first = BinaryHeap::new();
        for entry in entries {
            let entry = entry?;
            self.looked_at += 1;
            if self.looked_at > NAMES_MAX {
                let what = format!("more than {NAMES_MAX} names would have to be looked at");
                return Err(io::Error::other(what));
            }
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            let Some(entry) = name.to_str().and_then(|name| entry_of(within, name, kind)) else {
                continue;
            };
            if self.is_wanted(&entry) && from.is_none_or(|from| *from < entry) {
                first.push(entry);
                if first.len() > self.limit {
                    first.pop();
                }
            }
        }
        Ok(first.into_sorted_vec())
    }

    fn is_wanted(&self, Entry { key, is_folder }: &Entry) -> bool {
        let begins = if *is_folder {
            key.starts_with(self.prefix) || self.prefix.starts_with(key.as_str())
        } else {
            key.starts_with(self.prefix)
        };
        let is_after = self.after.is_none_or(|after| {
            key.as_str() > after || (*is_folder && after.starts_with(key.as_str()))
        });
        begins && is_after
    }
}

/// What a name in a folder stands for. A link is no object: it may lead anywhere.
fn entry_of(within: &str, name: &str, kind: FileType) -> Option<Entry> {
    let (end, is_folder) = match (kind.is_dir(), kind.is_file()) {
        (true, _) => ("/", true),
        (_, true) => ("", false),
        _ => return None,
    };
    Some(Entry {
        key: format!("{within}{name}{end}"),
        is_folder,
    })
}

/// The object that lies at a path; `None` if none does.
///
/// # Errors
/// When it cannot be known.
pub fn find(path: &Path, key: String) -> io::Result<Option<Found>> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Found {
            key,
            bytes: metadata.len(),
            made_at: made_at(&metadata),
            tag: Some(tag(&metadata)),
        })),
        Ok(_) => Ok(None),
        Err(error) if is_not_there(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes of an object that was found: see `Objects::read`.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path, found: &Found, range: Range<u64>) -> io::Result<Option<Bytes>> {
    // A pipe or a device, which may have no end, is not opened.
    if find(path, found.key.clone())?.as_ref() != Some(found) {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let bytes = range.end.saturating_sub(range.start);
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    Ok((read.len() as u64 == bytes).then(|| Bytes::from(read)))
}

fn made_at(metadata: &Metadata) -> Timestamp {
    let since = metadata.modified().ok();
    let since = since.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let ms = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    // A file system without times has no more to say.
    Timestamp(ms.unwrap_or(0))
}

/// Another file of the same name has another number or another time.
fn tag(metadata: &Metadata) -> String {
    let (seconds, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    format!("{}-{seconds}-{nanos}-{}", metadata.ino(), metadata.len())
}

fn is_not_there(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bucket: &Path, of: (&str, Option<&str>), limit: usize) -> Vec<String> {
        let found = list(bucket, of, limit).unwrap();
        found.into_iter().map(|found| found.key).collect()
    }

    #[test]
    fn objects_are_listed_in_the_order_of_their_keys_however_many_at_once() {
        let bucket = tempfile::tempdir().unwrap();
        let mut all = [
            "a/b", "a/b-c/d", "a-b", "a/c/d/e", "a/b.c", "a0", "b", "ab/c",
        ];
        for key in all {
            let path = bucket.path().join(key);
            // "a/b" is a file, so that nothing lies in it.
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, key).unwrap();
        }
        std::os::unix::fs::symlink("/dev/null", bucket.path().join("a1")).unwrap();
        all.sort_unstable();
        for limit in 1..=all.len() + 1 {
            for prefix in ["", "a", "a/", "a/b", "a/c/d", "b", "c", "ab", "x/y", "../"] {
                let wanted: Vec<_> = all.iter().filter(|key| key.starts_with(prefix)).collect();
                let mut seen: Vec<String> = Vec::new();
                loop {
                    let after = seen.last().cloned();
                    let more = keys(bucket.path(), (prefix, after.as_deref()), limit);
                    if more.is_empty() {
                        break;
                    }
                    assert!(more.len() <= limit);
                    seen.extend(more);
                }
                assert!(seen.iter().eq(wanted), "{prefix}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_prefix_that_leads_out_of_the_bucket_finds_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (bucket, other) = (data.path().join("mine"), data.path().join("other"));
        for folder in [&bucket, &other] {
            std::fs::create_dir_all(folder.join("a")).unwrap();
            std::fs::write(folder.join("a/b"), "content").unwrap();
        }
        let elsewhere = other.to_str().unwrap();
        for prefix in [
            format!("{elsewhere}/a/"),
            format!("{elsewhere}/"),
            "/".to_owned(),
            "//".to_owned(),
            "a//".to_owned(),
            "../other/a/".to_owned(),
            "a/../../other/a/".to_owned(),
        ] {
            let found = keys(&bucket, (&prefix, None), 10);
            assert!(found.is_empty(), "{prefix}: {found:?}");
        }
        assert_eq!(keys(&bucket, ("a/", None), 10), ["a/b"]);
    }

    #[test]
    fn an_object_that_is_another_by_now_is_not_read() {
        let bucket = tempfile::tempdir().unwrap();
        let path = bucket.path().join("a");
        std::fs::write(&path, "content").unwrap();
        let found = find(&path, "a".to_owned()).unwrap().unwrap();
        let read = |range| read(&path, &found, range).unwrap();
        assert_eq!(read(3..7).as_deref(), Some(&b"tent"[..]));
        assert_eq!(read(3..8), None);
        std::fs::write(bucket.path().join("b"), "another").unwrap();
        std::fs::rename(bucket.path().join("b"), &path).unwrap();
        assert_eq!(read(3..7), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(3..7), None);
        assert_eq!(find(&path, "a".to_owned()).unwrap(), None);
    }
}
