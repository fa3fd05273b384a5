//! Where requests go, by the kind of the destination.

use std::sync::Arc;
use std::time::Duration;

use types::{Clock, Invalid};

use super::cluster::Cluster;
use super::collector::Collector;
use super::database::Database;
use super::endpoint::Endpoint;
use super::warehouse::Warehouse;
use super::{Answer, Bucket};
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::endpoints::Endpoints;
use crate::kind::Kind;
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;
use crate::secrets::{Credentials, Secrets};

/// What requests are sent with.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    /// Who sends them.
    pub endpoints: &'a Arc<dyn Endpoints>,
    /// What they are named with.
    pub naming: &'a NamingKey,
    /// What is waited by.
    pub clock: &'a Arc<dyn Clock>,
    /// Who tells secrets that are named.
    pub secrets: &'a Arc<Secrets>,
    /// The numbers of the delivery stream and of the lane.
    pub lane: (u64, (u64, u32)),
}

/// How long what Splunk took may be unacknowledged before that is shown: indexing takes a while.
const UNACKNOWLEDGED_SHOWN_AFTER: Duration = Duration::from_secs(60);

/// A request that was taken and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Unacknowledged {
    /// How long ago it was taken.
    since: Duration,
    /// After how long it is sent again.
    within: Duration,
}

impl Unacknowledged {
    /// What to show of it; `None`: nothing yet.
    pub fn shown(self) -> Option<String> {
        let (seconds, within) = (self.since.as_secs(), self.within.as_secs());
        (self.since >= UNACKNOWLEDGED_SHOWN_AFTER).then(|| {
            format!(
                "the destination has taken what was sent and not acknowledged it for {seconds} s; \
                 after {within} s it is sent again"
            )
        })
    }
}

/// Where the requests of one cut go, and what they are known by there.
#[derive(Clone)]
pub struct Remote {
    kind: RemoteKind,
    credentials: Credentials,
}

#[derive(Clone)]
enum RemoteKind {
    /// To an HTTP endpoint.
    Endpoint(Endpoint),
    /// To a Splunk event collector.
    Collector(Collector),
    /// To a cluster.
    Cluster(Cluster),
    /// To a database.
    Database(Database),
    /// Into objects that Redshift fetches.
    Warehouse(Warehouse),
}

impl Remote {
    /// Begins with a cut of this destination, if it gets requests. What is in the bodies follows
    /// from the destination of the cut; where they go, from the one in force.
    ///
    /// # Errors
    /// When that is of another kind, which no update makes of it.
    pub fn begin(
        sending: Sending<'_>,
        stream: &DeliveryStream,
        destination: &Destination,
    ) -> Result<Option<Self>, Invalid> {
        let kind = match (&destination.kind, &stream.destination.kind) {
            (Kind::Bucket, _) => return Ok(None),
            (Kind::HttpEndpoint(of_cut), Kind::HttpEndpoint(now)) => {
                RemoteKind::Endpoint(Endpoint::begin(sending, &stream.arn, (of_cut, now)))
            }
            (Kind::Splunk(of_cut), Kind::Splunk(now)) => {
                RemoteKind::Collector(Collector::begin(sending, (of_cut, now)))
            }
            (Kind::Search(of_cut), Kind::Search(now)) => {
                RemoteKind::Cluster(Cluster::begin(sending, (of_cut, now)))
            }
            (Kind::Redshift(of_cut), Kind::Redshift(now)) if of_cut.fetches() => {
                let role_arn = stream.destination.role_arn.as_str();
                RemoteKind::Warehouse(Warehouse::begin(sending, of_cut, (now, role_arn)))
            }
            (Kind::Redshift(of_cut), Kind::Redshift(now)) => {
                RemoteKind::Database(Database::begin(sending, (of_cut, now)))
            }
            (of_cut, now) => {
                return Err(Invalid(format!(
                    "a cut is for {}, and the delivery stream has {} by now",
                    of_cut.name(),
                    now.name()
                )));
            }
        };
        Ok(Some(Self {
            kind,
            credentials: Credentials::of(sending.secrets, stream),
        }))
    }

    /// Whether requests go where they would go by the configuration of now.
    pub fn is_in_force(&self, stream: &DeliveryStream) -> bool {
        let goes_there = match (&self.kind, &stream.destination.kind) {
            (RemoteKind::Endpoint(endpoint), Kind::HttpEndpoint(now)) => endpoint.is_in_force(now),
            (RemoteKind::Collector(collector), Kind::Splunk(now)) => collector.is_in_force(now),
            (RemoteKind::Cluster(cluster), Kind::Search(now)) => cluster.is_in_force(now),
            (RemoteKind::Database(database), Kind::Redshift(now)) => database.is_in_force(now),
            (RemoteKind::Warehouse(warehouse), Kind::Redshift(now)) => {
                warehouse.is_in_force((now, &stream.destination.role_arn))
            }
            (
                RemoteKind::Endpoint(_)
                | RemoteKind::Collector(_)
                | RemoteKind::Cluster(_)
                | RemoteKind::Database(_)
                | RemoteKind::Warehouse(_),
                _,
            ) => false,
        };
        goes_there && self.credentials.is_in_force(stream)
    }

    /// Whether it fetches what is staged for it, and leaves there what it does not take.
    pub fn fetches(&self) -> bool {
        matches!(self.kind, RemoteKind::Warehouse(_))
    }

    /// Sends the request of a piece that has this place; what is fetched lies in the bucket. Where
    /// the secret that is named has no value nothing is sent, and the piece waits.
    pub async fn hand(&self, bucket: &Bucket, piece: Piece, place: Place) -> Answer {
        let known_by = &self.credentials;
        match &self.kind {
            RemoteKind::Endpoint(endpoint) => endpoint.hand(piece, place, known_by).await,
            RemoteKind::Collector(collector) => collector.hand(piece, place, known_by).await,
            RemoteKind::Cluster(cluster) => cluster.hand(piece, place).await,
            RemoteKind::Database(database) => database.hand(piece, place, known_by).await,
            RemoteKind::Warehouse(warehouse) => {
                warehouse.hand((bucket, known_by), piece, place).await
            }
        }
    }

    /// How long nothing was heard about a piece that was handed over so long ago.
    pub fn quiet_for(&self, since: Duration) -> Duration {
        match &self.kind {
            RemoteKind::Database(database) => database.quiet_for(since),
            RemoteKind::Endpoint(_)
            | RemoteKind::Collector(_)
            | RemoteKind::Cluster(_)
            | RemoteKind::Warehouse(_) => since,
        }
    }

    /// A request that was taken, and of which more is to be heard.
    pub fn unacknowledged(&self) -> Option<Unacknowledged> {
        let RemoteKind::Collector(collector) = &self.kind else {
            return None;
        };
        Some(Unacknowledged {
            since: collector.unacknowledged_for()?,
            within: collector.acknowledged_within(),
        })
    }

    /// Whether what was taken is taken once more when it is sent once more.
    pub fn knows_nothing_again(&self) -> bool {
        match &self.kind {
            RemoteKind::Endpoint(_)
            | RemoteKind::Cluster(_)
            | RemoteKind::Database(_)
            | RemoteKind::Warehouse(_) => false,
            RemoteKind::Collector(_) => true,
        }
    }
}
