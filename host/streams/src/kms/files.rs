//! The files of master keys: 32 bytes, or 64 hexadecimal digits, that nobody but their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Bytes of a master key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a file that are looked at: no file of a key is longer.
const FILE_BYTES_MAX: u64 = 256;
/// Those of the owner: others may not even know that it is there.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// What others than the owner may do with a file.
const OTHERS: u32 = 0o077;
/// Any of the permissions.
const PERMISSIONS: u32 = 0o7777;

/// Why a file gives no key.
#[derive(Debug)]
pub enum FileFault {
    /// It is not there.
    Absent,
    /// It may not be read by this process.
    Denied,
    /// Others than its owner may read or write it: with this mode.
    Open(u32),
    /// It holds something else.
    NoKey,
    /// The disk does not give it.
    Io(io::Error),
}

/// Reads a key.
pub fn read(path: &Path) -> Result<[u8; KEY_BYTES], FileFault> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileFault::Absent,
        io::ErrorKind::PermissionDenied => FileFault::Denied,
        _ => FileFault::Io(error),
    };
    // A pipe would be waited for until somebody writes into it.
    if !fs::metadata(path).map_err(fault)?.is_file() {
        return Err(FileFault::NoKey);
    }
    let file = File::open(path).map_err(fault)?;
    // Of the file that was opened, whatever its name leads to a moment later.
    let found = file.metadata().map_err(FileFault::Io)?;
    let mode = found.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(FileFault::Open(mode & PERMISSIONS));
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(FileFault::Io)?;
    parse(&bytes).ok_or(FileFault::NoKey)
}

fn parse(bytes: &[u8]) -> Option<[u8; KEY_BYTES]> {
    if let Ok(raw) = <[u8; KEY_BYTES]>::try_from(bytes) {
        return Some(raw);
    }
    let text = bytes.trim_ascii();
    let mut key = [0; KEY_BYTES];
    if text.len() != 2 * KEY_BYTES {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    }
    Some(key)
}

/// Makes a key and its file, durably and whole or not at all; reads it if there is one by now.
pub fn make(directory: &Path, name: &str) -> Result<[u8; KEY_BYTES], FileFault> {
    let mut key = [0; KEY_BYTES];
    let random = getrandom::fill(&mut key);
    random.map_err(|error| FileFault::Io(io::Error::other(error)))?;
    match keep(directory, name, &key) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Whoever made it may not have come so far.
            let synced = File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(FileFault::Io)?;
            read(&directory.join(name))
        }
        Err(error) => Err(FileFault::Io(error)),
    }
}

fn keep(directory: &Path, name: &str, key: &[u8]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)?;
    if let Some(parent) = directory.parent().filter(|parent| parent.is_dir()) {
        File::open(parent)?.sync_all()?;
    }
    let number = getrandom::u64().map_err(io::Error::other)?;
    let new = directory.join(format!("{name}.{number:016x}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    let written = options.open(&new).and_then(|mut file| {
        file.write_all(key)?;
        file.sync_all()?;
        // Unlike a renaming, a link never takes the place of a key that is there.
        fs::hard_link(&new, directory.join(name))
    });
    let removed = fs::remove_file(&new);
    written?;
    removed?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_or_64_hexadecimal_digits_and_nothing_else() {
        let key: [u8; KEY_BYTES] = std::array::from_fn(|n| u8::try_from(7 * n).unwrap());
        assert_eq!(parse(&key), Some(key));
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [hex.clone(), hex.to_uppercase(), format!("{hex}\n")] {
            assert_eq!(parse(text.as_bytes()), Some(key));
        }
        for wrong in [
            "",
            "ab",
            &hex[1..],
            &format!("{hex}00"),
            &hex.replace('0', "g"),
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse(hex.replace("00", "+1").as_bytes()), None);
        assert_eq!(parse(&[0; 33]), None);
    }

    #[test]
    fn a_key_that_was_made_is_read_again_and_never_made_twice() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("keys");
        let made = make(&place, "a.key").unwrap();
        assert_eq!(make(&place, "a.key").unwrap(), made);
        assert_ne!(make(&place, "b.key").unwrap(), made);
        let names = fs::read_dir(&place).unwrap().count();
        assert_eq!(names, 2, "nothing half made is left");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.join("a.key")), FILE_MODE);
        assert_eq!(mode(&place), DIRECTORY_MODE);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path(), "a.key").unwrap();
        let path = directory.path().join("a.key");
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(FileFault::Open(told)) if told == mode));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
        assert!(matches!(
            read(&directory.path().join("c.key")),
            Err(FileFault::Absent)
        ));
        let directory = read(directory.path());
        assert!(matches!(directory, Err(FileFault::NoKey)));
    }
}
