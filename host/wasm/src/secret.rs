//! Secrets: what plugins call theirs, and values of files, which are wiped once nobody holds them
//! any more.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use types::Invalid;
use zeroize::Zeroizing;

use crate::printable::printable;

/// Characters of a secret's name; a longer one is none.
const NAME_CHARS_MAX: usize = 64;
/// Bytes of a value. A shorter one could be guessed, and logs from which it is taken out could not
/// be read; a longer file is refused.
const VALUE_BYTES_MIN: usize = 8;
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Room beside a file's bytes, so that reading to its end moves none of them.
const READ_SLACK_BYTES: usize = 64;
/// What others than the owner may do with a file.
const BY_OTHERS: u32 = 0o077;
const PERMISSIONS: u32 = 0o7777;

/// What a secret is called, by a plugin's manifest and by the operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// 1 to 64 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// A sentence that says so.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        let shown = printable(text, NAME_CHARS_MAX);
        Err(Invalid(format!(
            "a secret's name is 1 to {NAME_CHARS_MAX} letters, digits, '-' and '_', and '{shown}' \
             is none"
        )))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value. Clones share its bytes, which are overwritten when the last of them goes.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

impl SecretValue {
    /// Reads a value from its file: all of it, but an end of line at its end, which editors and
    /// shells write. Blocks.
    ///
    /// # Errors
    /// A sentence that says why the file gives none; never with bytes of it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let unread = |error: std::io::Error| format!("it cannot be read: {error}");
        // A pipe would be waited for until somebody writes into it.
        if !path.metadata().map_err(unread)?.is_file() {
            return Err("it is no file".to_owned());
        }
        let file = File::open(path).map_err(unread)?;
        // Of the file that was opened, whatever its name leads to a moment later.
        let mode = file.metadata().map_err(unread)?.mode();
        if mode & BY_OTHERS != 0 {
            let mode = mode & PERMISSIONS;
            return Err(format!(
                "others can read or write it (its mode is {mode:04o}): chmod 0600"
            ));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES_MAX + READ_SLACK_BYTES));
        // With an end of line it may be two longer; one more tells that there is more.
        let read = file
            .take(VALUE_BYTES_MAX as u64 + 3)
            .read_to_end(&mut bytes);
        read.map_err(unread)?;
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.pop();
            }
        }
        Self::of(&bytes)
    }

    /// A value of these bytes.
    ///
    /// # Errors
    /// They are too few or too many.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, String> {
        let count = bytes.len();
        if (VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&count) {
            return Ok(Self(Arc::new(Zeroizing::new(bytes.to_vec()))));
        }
        let what = if count > VALUE_BYTES_MAX {
            "more".to_owned()
        } else {
            count.to_string()
        };
        Err(format!(
            "it holds {what} bytes, not {VALUE_BYTES_MIN} to {VALUE_BYTES_MAX}"
        ))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What of it may stand in a text: all of it, and each of its lines that is no shorter than a
    /// value, since logs are written by the line.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let text = std::str::from_utf8(self.bytes()).unwrap_or_default();
        let lines = text.lines().filter(move |line| line.len() < text.len());
        std::iter::once(text)
            .chain(lines)
            .filter(|text| text.len() >= VALUE_BYTES_MIN)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(content: &[u8], mode: u32) -> Result<Vec<u8>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        SecretValue::read(&path).map(|secret| secret.bytes().to_vec())
    }

    #[test]
    fn a_value_is_all_of_a_file_of_its_owner_but_an_end_of_line() {
        assert_eq!(read(b"hush-hush", 0o600).unwrap(), b"hush-hush");
        assert_eq!(read(b"hush\nhush\n", 0o400).unwrap(), b"hush\nhush");
        assert_eq!(read(b"hush-hush\r\n", 0o600).unwrap(), b"hush-hush");
        assert_eq!(read(&[0xff; 64 * 1024], 0o600).unwrap(), [0xff; 64 * 1024]);
        for (content, mode, why) in [
            (&b"hush-hush"[..], 0o640, "its mode is 0640"),
            (b"hush-hush", 0o602, "its mode is 0602"),
            (b"hush\n", 0o600, "it holds 4 bytes, not 8 to 65536"),
            (b"", 0o600, "it holds 0 bytes"),
            (&[b'x'; 70_000], 0o600, "it holds more bytes"),
        ] {
            let told = read(content, mode).unwrap_err();
            assert!(told.contains(why) && !told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn what_is_no_file_gives_no_value_and_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        assert!(SecretValue::read(directory.path()).is_err());
        assert!(SecretValue::read(&directory.path().join("none")).is_err());
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(SecretValue::read(&pipe).unwrap_err(), "it is no file");
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = SecretValue::of(b"hush-hush").unwrap();
        assert_eq!(format!("{secret:?}"), "SecretValue");
    }

    #[test]
    fn names_are_plain() {
        assert!(SecretName::parse("api_key-2").is_ok());
        for wrong in ["", "a b", "../key", &"x".repeat(65)] {
            assert!(SecretName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
