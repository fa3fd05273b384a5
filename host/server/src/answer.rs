//! An answer's body on its way out.

mod events;
mod way;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use wire::{Answer, Chunks};

use events::Events;
use way::{OnItsWay, PIECE_BYTES_MAX, Way};

use crate::activity::{Activity, Answering};
use crate::budget::{EventsHeld, Held, NoRoom};
use crate::ending::StreamEnding;
use crate::shutdown::Stage;

/// The bytes of an answer. The memory budget counts all of them until the client has taken them.
pub(crate) struct AnswerBody {
    source: Source,
    /// Over HTTP/2 it shares its connection.
    way: Option<Way>,
    /// What is left of a stretch that is handed on in pieces.
    rest: Option<Portion>,
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
    on_its_way: Option<OnItsWay>,
}

#[derive(Clone)]
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
            way: None,
            rest: None,
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

    /// Is sent over this stream of HTTP/2, or over none.
    pub(crate) fn sent_over(self, stream: Option<Arc<StreamEnding>>) -> Self {
        let way = stream.map(Way::new);
        Self { way, ..self }
    }
}

impl Body for AnswerBody {
    type Data = Portion;
    type Error = WrongLength;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Portion>, WrongLength>>> {
        let this = &mut *self;
        let portion = match (this.rest.take(), &mut this.source) {
            (Some(rest), _) => Some(Ok(rest)),
            (None, Source::Known { left, chunks, held }) => {
                next_chunk(left, chunks, held).transpose()
            }
            (None, Source::Events(events)) => ready!(events.poll_next(context)).map(Ok),
        };
        let Some(way) = &mut this.way else {
            return Poll::Ready(portion.map(|portion| portion.map(Frame::data)));
        };
        match portion {
            Some(Ok(mut portion)) => {
                let bytes = portion.bytes.len().min(PIECE_BYTES_MAX);
                let piece = Portion {
                    bytes: portion.bytes.split_to(bytes),
                    held: portion.held.clone(),
                    on_its_way: Some(way.takes(bytes)),
                };
                this.rest = Some(portion).filter(Portion::has_remaining);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => way.poll_sent(context).map(|()| None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_made = match &self.source {
            Source::Known { left, .. } => *left == 0,
            Source::Events(events) => events.is_over(),
        };
        is_made && self.rest.is_none() && self.way.as_ref().is_none_or(Way::ends_at_once)
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
) -> Result<Option<Portion>, WrongLength> {
    let Some(bytes) = chunks.next() else {
        return if *left == 0 {
            Ok(None)
        } else {
            Err(WrongLength)
        };
    };
    *left = left.checked_sub(bytes.len() as u64).ok_or(WrongLength)?;
    let held = PortionHeld::Answer(Arc::clone(held));
    Ok(Some(Portion {
        bytes,
        held,
        on_its_way: None,
    }))
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
        if let Some(on_its_way) = &self.on_its_way {
            on_its_way.sent(count);
        }
    }
}
