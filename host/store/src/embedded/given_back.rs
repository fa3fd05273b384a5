//! Which errors of the system mean that the disk does not give back what was written.

use std::io;

use rustix::io::Errno;

use crate::engine::StoreError;

/// Begins what is told of bytes that the disk does not give back, before the system's own words.
const NOT_GIVEN_BACK: &str = "the disk does not give it back";

/// Whether it is the disk that does not give back what was written. The file is gone, or something
/// else has its name; or the device or the file system cannot read what is in it, or finds it
/// damaged itself. Everything else says nothing about what lies on the disk (no more files may be
/// open, no memory is left, the process may not open the file), so that it is tried again.
pub fn is_not_given_back(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
            true
        }
        _ => Errno::from_io_error(error).is_some_and(is_of_the_disk),
    }
}

fn is_of_the_disk(error: Errno) -> bool {
    let all = [
        // A sector that cannot be read, or a device that is gone: by most drivers and file systems.
        Errno::IO,
        Errno::NXIO,
        // The same as Linux names what a disk says of its medium, of its target, and of data that
        // fail the checksum that is kept beside them.
        Errno::NODATA,
        Errno::REMOTEIO,
        Errno::ILSEQ,
        // A file system that finds itself damaged, or data with a wrong checksum.
        Errno::UCLEAN,
        Errno::BADMSG,
        // The name leads to no file, or to one that a file server no longer has.
        Errno::LOOP,
        Errno::STALE,
    ];
    all.contains(&error)
}

/// What the system's words for bytes that are not given back become.
pub fn not_given_back(error: &io::Error) -> String {
    format!("{NOT_GIVEN_BACK}: {error}")
}

/// Why `file` could not be read at `offset`: damage if the disk does not give it back, else an
/// error that may pass.
pub fn unread(file: &str, offset: u64, source: io::Error) -> StoreError {
    if is_not_given_back(&source) {
        StoreError::corrupt(file, offset, not_given_back(&source))
    } else {
        StoreError::io(format!("read {file}"), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_is_short_of_is_no_damage_of_the_disk() {
        for lost in [
            Errno::IO,
            Errno::NODATA,
            Errno::UCLEAN,
            Errno::NOENT,
            Errno::ISDIR,
        ] {
            assert!(is_not_given_back(&lost.into()), "{lost}");
        }
        let may_pass = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::INTR,
            Errno::AGAIN,
            Errno::ACCESS,
            Errno::ROFS,
            Errno::NOSPC,
        ];
        for passing in may_pass {
            assert!(!is_not_given_back(&passing.into()), "{passing}");
        }
    }
}
