//! An answer that is a stream of events.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::watch;
use wire::EventSource;

use super::{Portion, PortionHeld};
use crate::budget::EventsHeld;
use crate::shutdown::Stage;

type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// The source, and the message that it made.
type Made = (Box<dyn EventSource>, Option<Vec<Bytes>>);

/// Sends one message after the other, and has the next one made only when the connection takes
/// more: a client that does not read costs one message and what its connection has at hand.
pub(super) struct Events {
    state: State,
    /// Pieces of the message that is being sent.
    pieces: VecDeque<Bytes>,
    held: Arc<EventsHeld>,
    /// Comes when the server takes no more requests.
    stops: Option<Waiting<()>>,
}

enum State {
    /// The next message is made.
    Making(Waiting<Made>),
    /// There are no more.
    Over,
}

impl Events {
    pub(super) fn new(source: Box<dyn EventSource>, held: Arc<EventsHeld>) -> Self {
        Self {
            state: State::Making(make(source, &held)),
            pieces: VecDeque::new(),
            held,
            stops: None,
        }
    }

    /// Ends after the message at hand when the server leaves [`Stage::Running`].
    pub(super) fn end_with(&mut self, mut stage: watch::Receiver<Stage>) {
        self.stops = Some(Box::pin(async move {
            // Without its other end the server is gone.
            let _ = stage.wait_for(|stage| *stage != Stage::Running).await;
        }));
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over) && self.pieces.is_empty()
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Portion>> {
        loop {
            if let Some(bytes) = self.pieces.pop_front() {
                let held = PortionHeld::Events(Arc::clone(&self.held));
                return Poll::Ready(Some(Portion {
                    bytes,
                    held,
                    on_its_way: None,
                }));
            }
            let State::Making(making) = &mut self.state else {
                return Poll::Ready(None);
            };
            if let Some(stops) = &mut self.stops
                && stops.as_mut().poll(context).is_ready()
            {
                (self.state, self.stops) = (State::Over, None);
                continue;
            }
            let (source, message) = ready!(making.as_mut().poll(context));
            self.state = match message {
                Some(pieces) => {
                    self.pieces.extend(pieces);
                    State::Making(make(source, &self.held))
                }
                None => State::Over,
            };
        }
    }
}

fn make(mut source: Box<dyn EventSource>, held: &Arc<EventsHeld>) -> Waiting<Made> {
    let held = Arc::clone(held);
    Box::pin(async move {
        let message = source.next(&*held).await;
        (source, message)
    })
}
