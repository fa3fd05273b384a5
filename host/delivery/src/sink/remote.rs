//! Where requests go, by the kind of the destination.

use std::sync::Arc;

use types::Invalid;

use super::Answer;
use super::endpoint::Endpoint;
use crate::delivery_stream::{DeliveryStream, Destination};
use crate::endpoints::Endpoints;
use crate::kind::Kind;
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;

/// What requests are sent with.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    /// Who sends them.
    pub endpoints: &'a Arc<dyn Endpoints>,
    /// What they are named with.
    pub naming: &'a NamingKey,
}

/// Where the requests of one cut go.
#[derive(Clone)]
pub enum Remote {
    /// To an HTTP endpoint.
    Endpoint(Endpoint),
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
        match (&destination.kind, &stream.destination.kind) {
            (Kind::Bucket, _) => Ok(None),
            (Kind::HttpEndpoint(of_cut), Kind::HttpEndpoint(now)) => {
                let endpoint = Endpoint::begin(sending, &stream.arn, (of_cut, now));
                Ok(Some(Self::Endpoint(endpoint)))
            }
            (of_cut, now) => Err(Invalid(format!(
                "a cut is for {}, and the delivery stream has {} by now",
                of_cut.name(),
                now.name()
            ))),
        }
    }

    /// Whether requests go where they would go by the configuration of now.
    pub fn is_in_force(&self, stream: &DeliveryStream) -> bool {
        match (self, &stream.destination.kind) {
            (Self::Endpoint(endpoint), Kind::HttpEndpoint(now)) => endpoint.is_in_force(now),
            (Self::Endpoint(_), _) => false,
        }
    }

    /// Sends the request of a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        match self {
            Self::Endpoint(endpoint) => endpoint.hand(piece, place).await,
        }
    }
}
