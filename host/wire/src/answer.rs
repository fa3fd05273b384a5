//! What an operation gives back.

use std::fmt;

use bytes::Bytes;

/// The body of a good answer: its length in bytes is known in advance, its bytes may be made while
/// they are sent, so that a large answer never lies in memory as a whole.
#[derive(Debug)]
pub struct Answer {
    length: u64,
    chunks: Chunks,
}

/// The bytes of an [`Answer`], in order.
pub struct Chunks(Source);

enum Source {
    Whole(Option<Bytes>),
    Made(Box<dyn Iterator<Item = Bytes> + Send>),
}

impl Answer {
    /// Status 200 without a body, as AWS answers operations that have no output.
    pub fn empty() -> Self {
        Self {
            length: 0,
            chunks: Chunks(Source::Whole(None)),
        }
    }

    /// A body that is ready.
    pub fn whole(body: Bytes) -> Self {
        Self {
            length: body.len() as u64,
            chunks: Chunks(Source::Whole(Some(body))),
        }
    }

    /// A body of parts that are ready.
    pub fn parts<const COUNT: usize>(parts: [Vec<u8>; COUNT]) -> Self {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Self::chunks(length, Box::new(parts.map(Bytes::from)))
    }

    /// A body of exactly `length` bytes that `chunks` makes on demand. A source that gives more or
    /// fewer bytes breaks the connection that the answer is sent on.
    pub fn chunks(length: u64, chunks: Box<dyn Iterator<Item = Bytes> + Send>) -> Self {
        Self {
            length,
            chunks: Chunks(Source::Made(chunks)),
        }
    }

    /// Bytes of the whole body.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The body itself.
    pub fn into_chunks(self) -> Chunks {
        self.chunks
    }
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Source::Whole(body) => body.take(),
            Source::Made(chunks) => chunks.next(),
        }
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies hold record data, which never goes to a log.
        f.write_str("Chunks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(answer: Answer) -> Vec<u8> {
        answer
            .into_chunks()
            .flat_map(|chunk| chunk.to_vec())
            .collect()
    }

    #[test]
    fn an_answer_tells_its_length_before_its_bytes_are_made() {
        assert_eq!(Answer::empty().length(), 0);
        assert_eq!(collect(Answer::empty()), b"");
        let whole = Answer::whole(Bytes::from_static(b"{}"));
        assert_eq!(whole.length(), 2);
        assert_eq!(collect(whole), b"{}");
        let parts = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let made = Answer::chunks(3, Box::new(parts.into_iter()));
        assert_eq!(made.length(), 3);
        assert_eq!(collect(made), b"abc");
    }
}
