//! A destination is a sink for one cut.
//!
//! ```text
//! begin     the cut is decided, and with it all that its pieces follow from
//! write     its records, in the order of the log, become pieces: `packing`, pure
//!           the cut is kept before its first piece leaves
//! hand      each piece goes to its place, one after the other, and is answered:
//!             delivered   all of its records are there
//!             again       the same piece is handed over later, by the same name
//!             refused     it never is: that is kept, the cut is done again, and the records of
//!                         the piece become lines in the error output in its place
//!             undecided   something else has its name: an operator decides
//! finish    what became of all records, and the lane's position, are durable together
//! ```
//!
//! A piece is named by its lane, its cut and its number among the pieces of its kind (see
//! [`crate::object_name::Place`]), so that it has the same name in every try and after a restart.
//! Which pieces there are, in which order, and what they hold is a function of the cut, the log and
//! what is settled: so the first so many that are known to be there stay the first so many.

mod body;
mod bucket;
mod cluster;
mod cluster_reply;
mod collector;
mod collector_reply;
mod database;
pub mod documents;
mod endpoint;
pub mod envelope;
mod events;
mod form;
mod remote;
mod reply;
pub mod requests;
mod route;
mod rows;
mod verdict;
mod warehouse;

use std::time::Duration;

use crate::answers::Fault;
use crate::answers::records::RecordFault;
use crate::delivery_stream::DeliveryStream;
use crate::object_name::Place;
use crate::piece::{Piece, PieceKind};
pub use bucket::{Bucket, manifests_of};
pub use form::{Form, Forms};
pub use remote::{Remote, Sending};

/// How long an answer is waited for before that is shown.
const SHOWN_AFTER: Duration = Duration::from_secs(5);
/// The same where an object is loaded as a whole, after the loads that came before it.
const LOAD_SHOWN_AFTER: Duration = Duration::from_secs(60);

/// What a place says to a piece that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of its records are there, under this name.
    Delivered(String),
    /// Not now. The same piece may be taken later.
    Again {
        /// What happened, to which piece.
        why: String,
        /// Whether it is certain that nothing of the piece is there.
        is_refused: bool,
    },
    /// The same, for as long as the configuration says.
    AgainForItsTime {
        /// What happened, to which piece.
        why: String,
        /// What stands in the lines of its records once that time is over.
        fault: Fault,
        /// How long that is.
        retry_time: Duration,
        /// The place knows what is there, and could not be asked. Where an earlier try may have
        /// left the piece there, it is not given up before that is known.
        is_unasked: bool,
    },
    /// The piece may be there: that is found out by the next try.
    MayBeThere(String),
    /// Some of its records are not taken, and all others are there.
    InPart(InPart),
    /// Never, whatever anybody does. Nothing of the piece is there.
    Refused(Fault),
    /// Something else has its name. An operator decides; this says about what.
    Undecided(String),
}

/// What a place says to a piece of which it takes each record by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPart {
    /// What happened, to which piece.
    pub why: String,
    /// The records that were not taken, each once, in order.
    pub faults: Vec<RecordFault>,
    /// Why they may be taken later, and how long that is tried, if one of them may.
    pub again: Option<(Fault, Duration)>,
}

/// Where the pieces of one cut go.
#[derive(Clone)]
pub struct Sink {
    bucket: Bucket,
    /// Where delivered records go, if not into the bucket.
    remote: Option<Remote>,
}

impl Sink {
    /// Begins with a cut whose delivered records become requests, if they go somewhere by these.
    pub fn begin(bucket: Bucket, remote: Option<Remote>) -> Self {
        Self { bucket, remote }
    }

    /// Hands over a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        match (&self.remote, piece.kind) {
            (Some(remote), PieceKind::Delivered) => remote.hand(&self.bucket, piece, place).await,
            (Some(remote), PieceKind::Refused) if remote.fetches() => {
                remote.hand(&self.bucket, piece, place).await
            }
            (None, PieceKind::Delivered)
            | (_, PieceKind::Failed | PieceKind::Refused | PieceKind::Backup) => {
                self.bucket.hand(piece, place).await
            }
        }
    }

    /// Whether what is handed over goes where it would go by the configuration of now. To a bucket
    /// it always does: objects of a cut stay in that of their time.
    pub fn is_in_force(&self, stream: &DeliveryStream) -> bool {
        let remote = self.remote.as_ref();
        remote.is_none_or(|remote| remote.is_in_force(stream))
    }

    /// What to show of a piece that was handed over so long ago and is not answered; `None`:
    /// nothing yet.
    pub fn hangs(&self, since: Duration) -> Option<String> {
        let unacknowledged = self.remote.as_ref().and_then(Remote::unacknowledged);
        if let Some(unacknowledged) = unacknowledged {
            return unacknowledged.shown();
        }
        let remote = self.remote.as_ref();
        let since = remote.map_or(since, |remote| remote.quiet_for(since));
        let seconds = since.as_secs();
        let shown = || format!("the destination has not answered for {seconds} s");
        let fetches = self.remote.as_ref().is_some_and(Remote::fetches);
        let after = if fetches {
            LOAD_SHOWN_AFTER
        } else {
            SHOWN_AFTER
        };
        (since >= after).then(shown)
    }

    /// Whether what was taken is taken once more when it is sent once more.
    pub fn knows_nothing_again(&self) -> bool {
        self.remote
            .as_ref()
            .is_some_and(Remote::knows_nothing_again)
    }

    /// Whether delivered records become requests.
    pub fn sends_requests(&self) -> bool {
        self.remote.is_some()
    }
}
