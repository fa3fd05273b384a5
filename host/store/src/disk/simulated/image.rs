//! The bytes of one file at one moment.

use std::ops::Range;
use std::sync::Arc;

const PAGE_BYTES: usize = 4_096;

type SharedPage = Option<Arc<[u8; PAGE_BYTES]>>;

/// A file's bytes. Copies share their pages, and pages of zeros take no memory, so that
/// thousands of crash images fit in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pages: Vec<SharedPage>,
    length: u64,
}

/// A number of bytes or pages of a file, all of which are in memory.
pub(super) fn in_memory(count: u64) -> usize {
    match usize::try_from(count) {
        Ok(count) => count,
        Err(error) => unreachable!("a file of a simulated disk is larger than memory: {error}"),
    }
}

/// A stretch of a file within one page: which page, which bytes of it.
fn pieces(range: Range<u64>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let page_bytes = PAGE_BYTES as u64;
    let mut at = range.start;
    std::iter::from_fn(move || {
        if range.end <= at {
            return None;
        }
        let end = range.end.min((at / page_bytes + 1) * page_bytes);
        let (page, start) = (in_memory(at / page_bytes), in_memory(at % page_bytes));
        let bytes = in_memory(end - at);
        at = end;
        Some((page, start..start + bytes))
    })
}

impl Image {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Fills as much of `into` as there are bytes at `offset`.
    pub(super) fn read_at(&self, into: &mut [u8], offset: u64) -> usize {
        let end = self.length.min(offset.saturating_add(into.len() as u64));
        let mut done = 0;
        for (page, bytes) in pieces(offset..end) {
            let part = &mut into[done..done + bytes.len()];
            done += part.len();
            match self.pages.get(page) {
                Some(Some(page)) => part.copy_from_slice(&page[bytes]),
                _ => part.fill(0),
            }
        }
        done
    }

    /// Writes at `offset`, growing the file as needed.
    pub(super) fn write_at(&mut self, data: &[u8], offset: u64) {
        let end = offset + data.len() as u64;
        let mut done = 0;
        for (page, bytes) in pieces(offset..end) {
            let part = &data[done..done + bytes.len()];
            done += part.len();
            self.page_to_write(page)[bytes].copy_from_slice(part);
        }
        self.length = self.length.max(end);
    }

    /// Cuts the file or fills it up with zeros.
    pub(super) fn set_length(&mut self, length: u64) {
        self.fill_with_zeros(length..self.length);
        self.pages
            .truncate(in_memory(length.div_ceil(PAGE_BYTES as u64)));
        self.length = length;
    }

    /// Turns a stretch into zeros; does not grow the file.
    pub(super) fn fill_with_zeros(&mut self, range: Range<u64>) {
        for (page, bytes) in pieces(range) {
            if matches!(self.pages.get(page), Some(Some(_))) {
                self.page_to_write(page)[bytes].fill(0);
            }
        }
    }

    /// Takes over every page that has a byte of the stretch, as a write-back does.
    pub(super) fn take_pages(&mut self, from: &Self, range: Range<u64>) {
        for (page, _) in pieces(range) {
            let taken = from.pages.get(page).cloned().flatten();
            if self.pages.len() <= page {
                self.pages.resize(page + 1, None);
            }
            self.pages[page] = taken;
        }
    }

    fn page_to_write(&mut self, page: usize) -> &mut [u8; PAGE_BYTES] {
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        let page = self.pages[page].get_or_insert_with(|| Arc::new([0; PAGE_BYTES]));
        Arc::make_mut(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(image: &Image) -> Vec<u8> {
        let mut bytes = vec![9; usize::try_from(image.length()).unwrap() + 3];
        let length = image.read_at(&mut bytes, 0);
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn bytes_are_kept_across_pages_and_holes_read_as_zeros() {
        let mut image = Image::default();
        image.write_at(b"abc", 4_094);
        image.write_at(b"z", 20_000);
        let bytes = read(&image);
        assert_eq!(bytes.len(), 20_001);
        assert_eq!(&bytes[4_093..4_098], b"\0abc\0");
        assert_eq!(bytes[20_000], b'z');
    }

    #[test]
    fn what_was_cut_off_does_not_come_back_when_the_file_grows() {
        let mut image = Image::default();
        image.write_at(&[7; 9_000], 0);
        image.set_length(100);
        image.set_length(9_000);
        let bytes = read(&image);
        assert!(bytes[..100].iter().all(|&byte| byte == 7));
        assert!(bytes[100..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_copy_does_not_change_with_the_original() {
        let mut image = Image::default();
        image.write_at(b"abc", 0);
        let copy = image.clone();
        image.write_at(b"x", 1);
        assert_eq!(read(&copy), b"abc");
        assert_eq!(read(&image), b"axc");
    }
}
