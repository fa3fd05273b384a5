//! ZIP archives (PKWARE's APPNOTE 6.3.10) with the content of an object in one file. Its sizes and
//! its checksum stand after it, so that it is written as it comes.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{DEFLATE_LEVEL, broken};

const FILE_SIGNATURE: u32 = 0x0403_4b50;
const SIZES_SIGNATURE: u32 = 0x0807_4b50;
const LISTED_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
/// The version that is needed to unpack files that are deflated.
const VERSION: u16 = 20;
/// The sizes stand after the file.
const SIZES_AFTER: u16 = 1 << 3;
const DEFLATED: u16 = 8;
/// Midnight of 1980-01-01, the first moment that there is: archives of one content are the same.
const TIME: u16 = 0;
const DATE: u16 = 1 << 5 | 1;
/// What the file is called; further ones are `records-2` and so on.
const NAME: &str = "records";
/// Bytes of a file: its size has 32 bits. What is more goes on in another file.
const FILE_BYTES_MAX: u64 = u32::MAX as u64;
const FILE_HEAD_BYTES: usize = 30;
const SIZES_BYTES: usize = 16;
const END_BYTES: usize = 22;
/// Bytes after the last file of an archive that is read; one with more is none of ours.
const LIST_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are unpacked at once.
const UNPACKED_BYTES: usize = 32 * 1024;

/// Writes an archive.
pub struct ZipWriter<W: Write> {
    /// The files that are whole.
    files: Vec<File>,
    /// The one that is written; `None` only if one could not be ended.
    open: Option<OpenFile<W>>,
    file_bytes_max: u64,
}

/// A file that is whole.
struct File {
    name: String,
    /// Where it begins in the archive.
    at: u64,
    crc: u32,
    packed_bytes: u64,
    bytes: u64,
}

/// A file that is written.
struct OpenFile<W: Write> {
    name: String,
    at: u64,
    content_at: u64,
    bytes: u64,
    crc: Crc,
    content: DeflateEncoder<Counted<W>>,
}

/// Knows how much was written.
struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> ZipWriter<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn new(to: W) -> io::Result<Self> {
        Self::with_files_of(to, FILE_BYTES_MAX)
    }

    /// Begins an archive whose files have so many bytes of content at most.
    ///
    /// # Errors
    /// Those of the writer below.
    pub fn with_files_of(to: W, file_bytes_max: u64) -> io::Result<Self> {
        let to = Counted { to, bytes: 0 };
        Ok(Self {
            files: Vec::new(),
            open: Some(OpenFile::begin(to, NAME.to_owned())?),
            file_bytes_max,
        })
    }

    /// What the archive is written to.
    pub fn get_ref(&self) -> Option<&W> {
        self.open.as_ref().map(|open| &open.content.get_ref().to)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// Those of the writer below, and when the archive is larger than one can be.
    pub fn finish(mut self) -> io::Result<W> {
        let mut to = self.end_file()?;
        let mut list = Vec::new();
        for file in &self.files {
            list.extend(LISTED_SIGNATURE.to_le_bytes());
            list.extend(VERSION.to_le_bytes());
            write_kind(&mut list);
            write_sizes(&mut list, file)?;
            list.extend(name_bytes(&file.name)?);
            // No extra field, no comment, the first disk, no attributes.
            list.extend([0; 12]);
            list.extend(u32::try_from(file.at).map_err(too_large)?.to_le_bytes());
            list.extend(file.name.as_bytes());
        }
        let count = u16::try_from(self.files.len()).map_err(too_large)?;
        let list_bytes = u32::try_from(list.len()).map_err(too_large)?;
        let list_at = u32::try_from(to.bytes).map_err(too_large)?;
        list.extend(END_SIGNATURE.to_le_bytes());
        list.extend([0; 4]);
        list.extend(count.to_le_bytes());
        list.extend(count.to_le_bytes());
        list.extend(list_bytes.to_le_bytes());
        list.extend(list_at.to_le_bytes());
        list.extend([0; 2]);
        to.write_all(&list)?;
        Ok(to.to)
    }

    fn end_file(&mut self) -> io::Result<Counted<W>> {
        let open = self
            .open
            .take()
            .ok_or_else(|| broken("an archive that broke"))?;
        let (file, to) = open.end()?;
        self.files.push(file);
        Ok(to)
    }
}

impl<W: Write> Write for ZipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.bytes == self.file_bytes_max)
        {
            let to = self.end_file()?;
            let name = format!("{NAME}-{}", self.files.len() + 1);
            self.open = Some(OpenFile::begin(to, name)?);
        }
        let open = self.open.as_mut();
        let open = open.ok_or_else(|| broken("an archive that broke"))?;
        let room = usize::try_from(self.file_bytes_max - open.bytes).map_err(too_large)?;
        let bytes = bytes.get(..room).unwrap_or(bytes);
        open.content.write_all(bytes)?;
        open.crc.update(bytes);
        open.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> OpenFile<W> {
    fn begin(mut to: Counted<W>, name: String) -> io::Result<Self> {
        let at = to.bytes;
        let mut head = Vec::with_capacity(FILE_HEAD_BYTES + name.len());
        head.extend(FILE_SIGNATURE.to_le_bytes());
        write_kind(&mut head);
        // The checksum and the sizes come later.
        head.extend([0; 12]);
        head.extend(name_bytes(&name)?);
        head.extend([0; 2]);
        head.extend(name.as_bytes());
        to.write_all(&head)?;
        Ok(Self {
            name,
            at,
            content_at: to.bytes,
            bytes: 0,
            crc: Crc::new(),
            content: DeflateEncoder::new(to, flate2::Compression::new(DEFLATE_LEVEL)),
        })
    }

    fn end(self) -> io::Result<(File, Counted<W>)> {
        let mut to = self.content.finish()?;
        let file = File {
            name: self.name,
            at: self.at,
            crc: self.crc.sum(),
            packed_bytes: to.bytes - self.content_at,
            bytes: self.bytes,
        };
        let mut sizes = Vec::with_capacity(SIZES_BYTES);
        sizes.extend(SIZES_SIGNATURE.to_le_bytes());
        write_sizes(&mut sizes, &file)?;
        to.write_all(&sizes)?;
        Ok((file, to))
    }
}

/// How a file is kept, and when it was changed.
fn write_kind(out: &mut Vec<u8>) {
    for word in [VERSION, SIZES_AFTER, DEFLATED, TIME, DATE] {
        out.extend(word.to_le_bytes());
    }
}

fn write_sizes(out: &mut Vec<u8>, file: &File) -> io::Result<()> {
    out.extend(file.crc.to_le_bytes());
    for bytes in [file.packed_bytes, file.bytes] {
        out.extend(u32::try_from(bytes).map_err(too_large)?.to_le_bytes());
    }
    Ok(())
}

fn name_bytes(name: &str) -> io::Result<[u8; 2]> {
    Ok(u16::try_from(name.len()).map_err(too_large)?.to_le_bytes())
}

fn too_large(error: std::num::TryFromIntError) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, error)
}

/// Reads archives as they are written here: files whose sizes stand after them.
pub struct ZipReader {
    waiting: Vec<u8>,
    state: Reading,
    inflate: Decompress,
    out: Vec<u8>,
    crc: Crc,
    /// Bytes of the file so far.
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// What comes next is a file, or the list after the last of them.
    Head,
    Content,
    Sizes,
    List,
}

impl Default for ZipReader {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            state: Reading::Head,
            inflate: Decompress::new(false),
            out: vec![0; UNPACKED_BYTES],
            crc: Crc::new(),
            bytes: 0,
        }
    }
}

impl ZipReader {
    /// Takes the bytes that come next and writes what they hold.
    ///
    /// # Errors
    /// Those of the writer, and when it is no archive of ours.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Write) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        loop {
            if self.state == Reading::Content {
                rest = self.inflate(rest, to)?;
                if self.state == Reading::Content {
                    return Ok(());
                }
            }
            match self.take_words(rest)? {
                Some(taken) => rest = after(rest, taken)?,
                None => break,
            }
        }
        if rest.len() > LIST_BYTES_MAX {
            return Err(broken("an archive with a longer list than ours have"));
        }
        self.waiting = rest.to_vec();
        Ok(())
    }

    /// Whether the archive is whole.
    pub fn has_ended(&self) -> bool {
        let end = self.waiting.len().checked_sub(END_BYTES);
        let end = end.and_then(|at| self.waiting.get(at..));
        self.state == Reading::List && end.is_some_and(|end| word(end, 0) == Some(END_SIGNATURE))
    }

    /// How many of the bytes that wait were understood; `None` if there are too few.
    fn take_words(&mut self, waiting: &[u8]) -> io::Result<Option<usize>> {
        match (self.state, word(waiting, 0)) {
            (Reading::List, _) | (_, None) => Ok(None),
            (Reading::Head, Some(LISTED_SIGNATURE)) => {
                self.state = Reading::List;
                Ok(None)
            }
            (Reading::Head, Some(FILE_SIGNATURE)) => {
                let Some(lengths) = word(waiting, FILE_HEAD_BYTES - 4) else {
                    return Ok(None);
                };
                let names = (lengths & 0xffff) + (lengths >> 16);
                let head = FILE_HEAD_BYTES + usize::try_from(names).map_err(too_large)?;
                if waiting.len() < head {
                    return Ok(None);
                }
                self.state = Reading::Content;
                self.inflate.reset(false);
                (self.crc, self.bytes) = (Crc::new(), 0);
                Ok(Some(head))
            }
            (Reading::Sizes, Some(SIZES_SIGNATURE)) => {
                let (Some(crc), Some(bytes)) = (word(waiting, 4), word(waiting, 12)) else {
                    return Ok(None);
                };
                if crc != self.crc.sum() || u64::from(bytes) != self.bytes {
                    return Err(broken("a file with another checksum"));
                }
                self.state = Reading::Head;
                Ok(Some(SIZES_BYTES))
            }
            _ => Err(broken("no archive as they are written here")),
        }
    }

    /// Unpacks all; what is left where the file has ended.
    fn inflate<'a>(&mut self, mut bytes: &'a [u8], to: &mut impl Write) -> io::Result<&'a [u8]> {
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            let flush = FlushDecompress::None;
            let status = self.inflate.decompress(bytes, &mut self.out, flush)?;
            let read = usize::try_from(self.inflate.total_in() - read).map_err(too_large)?;
            let written = usize::try_from(self.inflate.total_out() - written).map_err(too_large)?;
            let unpacked = self.out.get(..written);
            let unpacked = unpacked.ok_or_else(|| broken("more than there is room for"))?;
            to.write_all(unpacked)?;
            self.crc.update(unpacked);
            self.bytes += written as u64;
            bytes = after(bytes, read)?;
            match status {
                Status::StreamEnd => {
                    self.state = Reading::Sizes;
                    return Ok(bytes);
                }
                Status::Ok | Status::BufError if read == 0 && written == 0 => {
                    let is_all = bytes.is_empty();
                    return if is_all {
                        Ok(bytes)
                    } else {
                        Err(broken("a file that is stuck"))
                    };
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }
}

/// The number of four bytes there.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

/// What comes after so many bytes.
fn after(bytes: &[u8], taken: usize) -> io::Result<&[u8]> {
    let rest = bytes.get(taken..);
    rest.ok_or_else(|| broken("a file that ends before its end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_a_file_goes_on_in_another() {
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(2_500).collect();
        for (file_bytes_max, files) in [(1_000, 3), (1_250, 2), (2_500, 1)] {
            let mut zip = ZipWriter::with_files_of(Vec::new(), file_bytes_max).unwrap();
            for piece in content.chunks(333) {
                zip.write_all(piece).unwrap();
            }
            let archive = zip.finish().unwrap();
            let (mut reader, mut found) = (ZipReader::default(), Vec::new());
            reader.push(&archive, &mut found).unwrap();
            assert!(reader.has_ended() && found == content);
            let count = archive.windows(4).filter(|four| *four == b"PK\x03\x04");
            assert_eq!(count.count(), files);
        }
    }
}
