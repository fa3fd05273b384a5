//! Writing past the operating system's cache.
//!
//! A page that is new to the cache costs more than the copy into it (measured: 170 µs/MiB, and
//! 2,400 where a virtual machine's memory is given to it page by page; past the cache 100), and
//! takes the place of one that is read. What was flushed is read by those who lag, if at all.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::at_most;

/// What offsets, lengths and addresses must be multiples of: no disk has larger blocks, and no
/// page of the cache is in two writes.
const ALIGNMENT: usize = 4096;
/// Fewer bytes are not worth the calls.
const WORTH_BYTES_MIN: usize = 128 * 1024;
/// More bytes are a short write, so that their copy stays small.
const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// How the first of `bytes` are to be written at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WritePath {
    /// So many through the cache.
    Cached(usize),
    /// So many past it.
    Direct(usize),
}

impl WritePath {
    /// Up to the next multiple and from the last one on through the cache, what lies between past
    /// it.
    pub(super) fn of(bytes: usize, offset: u64) -> Self {
        let head = offset.next_multiple_of(ALIGNMENT as u64) - offset;
        let head = at_most(bytes, head);
        match bytes - head {
            0..WORTH_BYTES_MIN => Self::Cached(bytes),
            _ if head != 0 => Self::Cached(head),
            _ => Self::Direct(bytes.min(WRITE_BYTES_MAX) / ALIGNMENT * ALIGNMENT),
        }
    }
}

/// Writes all of `bytes` or the first of them; both they and the offset are multiples of
/// [`ALIGNMENT`]. `None` if file system or kernel have no such way.
pub(super) fn write(file: &File, bytes: &[u8], offset: u64) -> io::Result<Option<usize>> {
    // The flag belongs to an opening, and this file's other users read anywhere.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flag = OFlags::DIRECT.bits().cast_signed();
    let Ok(direct) = OpenOptions::new().write(true).custom_flags(flag).open(path) else {
        return Ok(None);
    };
    let mut copy: Vec<u8> = Vec::with_capacity(bytes.len() + ALIGNMENT);
    let skipped = copy.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    copy.resize(skipped, 0);
    copy.extend_from_slice(bytes);
    match direct.write_at(&copy[skipped..], offset) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_in_the_middle_of_much_go_past_the_cache() {
        let much = WORTH_BYTES_MIN + ALIGNMENT - 1;
        assert_eq!(WritePath::of(0, 5), WritePath::Cached(0));
        assert_eq!(
            WritePath::of(WORTH_BYTES_MIN - 1, 0),
            WritePath::Cached(WORTH_BYTES_MIN - 1)
        );
        assert_eq!(WritePath::of(much, 1), WritePath::Cached(ALIGNMENT - 1));
        assert_eq!(WritePath::of(much - 1, 1), WritePath::Cached(much - 1));
        assert_eq!(
            WritePath::of(much, 8192),
            WritePath::Direct(WORTH_BYTES_MIN)
        );
        assert_eq!(
            WritePath::of(usize::MAX, 0),
            WritePath::Direct(WRITE_BYTES_MAX)
        );
    }
}
