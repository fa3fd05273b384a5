//! What an operation gives back.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Codec;
use crate::event_stream;

/// The body of a good answer.
#[derive(Debug)]
pub struct Answer(Body);

/// How an answer is sent.
pub enum Body {
    /// Its length in bytes is known in advance; its bytes may be made while they are sent, so that
    /// a large answer never lies in memory as a whole.
    Known {
        /// Bytes of all chunks together.
        length: u64,
        /// The bytes.
        chunks: Chunks,
    },
    /// Messages of an event stream, for as long as there are any and the client listens.
    Events(Box<dyn EventSource>),
}

/// The bytes of an [`Answer`] whose length is known, in order.
pub struct Chunks(Source);

enum Source {
    Whole(Option<Bytes>),
    Made(Box<dyn Iterator<Item = Bytes> + Send>),
}

/// Who makes the messages of an event stream. It is dropped when the client goes.
#[async_trait]
pub trait EventSource: Send {
    /// Waits for the next message, as pieces that are sent one after the other; `None`: there will
    /// be no more. Before a message is made, `room` is asked for its bytes.
    ///
    /// When its future is dropped, nothing more is asked of it.
    async fn next(&mut self, room: &dyn Room) -> Option<Vec<Bytes>>;
}

/// The memory for messages that a client has not taken yet.
pub trait Room: Send + Sync {
    /// Takes so many bytes for the next message. `false`: there is no room now, and later perhaps.
    fn take(&self, bytes: usize) -> bool;

    /// Gives back bytes that were taken and are not sent.
    fn give_back(&self, bytes: usize);
}

impl Answer {
    /// Status 200 without a body, as AWS answers operations that have no output.
    pub fn empty() -> Self {
        Self::known(0, Source::Whole(None))
    }

    /// A body that is ready.
    pub fn whole(body: Bytes) -> Self {
        Self::known(body.len() as u64, Source::Whole(Some(body)))
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
        Self::known(length, Source::Made(chunks))
    }

    /// A stream of events.
    pub fn events(source: Box<dyn EventSource>) -> Self {
        Self(Body::Events(source))
    }

    fn known(length: u64, source: Source) -> Self {
        let chunks = Chunks(source);
        Self(Body::Known { length, chunks })
    }

    /// Bytes of the whole body; `None` of a stream of events.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Body::Known { length, .. } => Some(*length),
            Body::Events(_) => None,
        }
    }

    /// The type of its body, to a request in `codec`.
    pub fn content_type(&self, codec: Codec) -> &'static str {
        match &self.0 {
            Body::Known { .. } => codec.content_type(),
            Body::Events(_) => event_stream::CONTENT_TYPE,
        }
    }

    /// The body itself.
    pub fn into_body(self) -> Body {
        self.0
    }

    /// The bytes of a body whose length is known.
    pub fn into_chunks(self) -> Option<Chunks> {
        match self.0 {
            Body::Known { chunks, .. } => Some(chunks),
            Body::Events(_) => None,
        }
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

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies hold record data, which never goes to a log.
        f.write_str(match self {
            Self::Known { .. } => "Chunks",
            Self::Events(_) => "Events",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(answer: Answer) -> Vec<u8> {
        let chunks = answer.into_chunks().unwrap();
        chunks.flat_map(|chunk| chunk.to_vec()).collect()
    }

    #[test]
    fn an_answer_tells_its_length_before_its_bytes_are_made() {
        assert_eq!(Answer::empty().length(), Some(0));
        assert_eq!(collect(Answer::empty()), b"");
        let whole = Answer::whole(Bytes::from_static(b"{}"));
        assert_eq!(whole.length(), Some(2));
        assert_eq!(collect(whole), b"{}");
        let parts = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")];
        let made = Answer::chunks(3, Box::new(parts.into_iter()));
        assert_eq!(made.length(), Some(3));
        assert_eq!(collect(made), b"abc");
    }
}
