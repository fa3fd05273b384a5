//! An answer's body on its way out.

mod events;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use wire::{Answer, Chunks};

use events::Events;

use crate::activity::{Activity, Answering};
use crate::budget::{EventsHeld, Held, NoRoom};
use crate::shutdown::Stage;

/// The bytes of an answer. The memory budget counts all of them until the client has taken them.
pub(crate) struct AnswerBody {
    source: Source,
    /// Tells its connection that an answer is under way.
    _answering: Option<Answering>,
}

enum Source {
    /// The number of bytes is known in advance; they are made as they are sent.
    Known {
        left: u64,
        chunks: Chunks,
        held: Arc<Held>,
    },
    Events(Events),
}

/// A stretch of an answer. As it is written to the socket, its bytes are given back to the budget.
pub(crate) struct Portion {
    bytes: Bytes,
    held: PortionHeld,
}

enum PortionHeld {
    Answer(Arc<Held>),
    Events(Arc<EventsHeld>),
}

/// The source of an answer has made more or fewer bytes than it had announced.
#[derive(Debug)]
pub(crate) struct WrongLength;

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer does not have the length that it was announced with")
    }
}

impl std::error::Error for WrongLength {}

impl AnswerBody {
    /// An answer whose memory is charged to `held`.
    ///
    /// # Errors
    /// A stream of events is not charged as one.
    pub(crate) fn new(answer: Answer, held: Held) -> Result<Self, NoRoom> {
        let source = match answer.into_body() {
            wire::Body::Known { length, chunks } => Source::Known {
                left: length,
                chunks,
                held: Arc::new(held),
            },
            wire::Body::Events(source) => {
                Source::Events(Events::new(source, EventsHeld::new(held).ok_or(NoRoom)?))
            }
        };
        Ok(Self {
            source,
            _answering: None,
        })
    }

    /// Lets the connection count the answer as under way until this body is dropped, and ends it,
    /// if it has no end of its own, when the server stops.
    pub(crate) fn noted_in(
        mut self,
        activity: &Arc<Activity>,
        stage: &watch::Receiver<Stage>,
    ) -> Self {
        if let Source::Events(events) = &mut self.source {
            events.end_with(stage.clone());
        }
        Self {
            _answering: Some(activity.answers()),
            ..self
        }
    }
}

impl Body for AnswerBody {
    type Data = Portion;
    type Error = WrongLength;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Portion>, WrongLength>>> {
        match &mut self.source {
            Source::Known { left, chunks, held } => {
                Poll::Ready(next_chunk(left, chunks, held).transpose())
            }
            Source::Events(events) => {
                let portion = events.poll_next(context);
                portion.map(|portion| portion.map(|portion| Ok(Frame::data(portion))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Known { left, .. } => *left == 0,
            Source::Events(events) => events.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Known { left, .. } => SizeHint::with_exact(*left),
            Source::Events(_) => SizeHint::default(),
        }
    }
}

fn next_chunk(
    left: &mut u64,
    chunks: &mut Chunks,
    held: &Arc<Held>,
) -> Result<Option<Frame<Portion>>, WrongLength> {
    let Some(bytes) = chunks.next() else {
        return if *left == 0 {
            Ok(None)
        } else {
            Err(WrongLength)
        };
    };
    *left = left.checked_sub(bytes.len() as u64).ok_or(WrongLength)?;
    let held = PortionHeld::Answer(Arc::clone(held));
    Ok(Some(Frame::data(Portion { bytes, held })))
}

impl Buf for Portion {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        match &self.held {
            PortionHeld::Answer(held) => held.sent(count),
            PortionHeld::Events(held) => held.sent(count),
        }
    }
}
