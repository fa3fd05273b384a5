//! Pieces become requests to `_bulk` of an OpenSearch or Elasticsearch cluster, which answers for
//! each document.

use std::sync::Arc;

use super::cluster_reply::{Judged, Sent, judge};
use super::remote::Sending;
use super::{Answer, InPart};
use crate::endpoints::{EndpointRequest, Endpoints};
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;
use crate::search::Search;

/// What is told of each document, and no more: what is left out of an answer takes no memory.
const TOLD: &str = "items.*.status,items.*.error.type,items.*.error.reason";
/// Bytes of an answer: so many for each of the documents of the largest request.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where the requests of one cut go.
#[derive(Clone)]
pub struct Cluster {
    endpoints: Arc<dyn Endpoints>,
    naming: NamingKey,
    /// As it is configured now: what waits goes to the cluster in force. Which index a document
    /// goes into stands in the request.
    search: Search,
    /// Whether the documents of the cut have ids.
    has_ids: bool,
}

impl Cluster {
    /// Begins with a cut of the first of two configurations, whose requests go where the second one
    /// says.
    pub fn begin(sending: Sending<'_>, (of_cut, now): (&Search, &Search)) -> Self {
        Self {
            endpoints: Arc::clone(sending.endpoints),
            naming: sending.naming.clone(),
            search: now.clone(),
            has_ids: of_cut.gives_ids,
        }
    }

    /// Whether the cluster is that of the configuration of now.
    pub fn is_in_force(&self, now: &Search) -> bool {
        now.url == self.search.url
    }

    /// Sends the request of a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        let id = self.naming.uuid(place);
        let at = self.search.url.trim_end_matches('/');
        let request = EndpointRequest {
            url: format!("{at}/_bulk?filter_path={TOLD}"),
            headers: vec![("content-type", "application/x-ndjson".to_owned())],
            body: piece.content.into_iter().collect(),
            address: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answered = self.endpoints.post(request).await;
        let retry_time = self.search.fallback.retry_time();
        let sent = Sent {
            product: self.search.product,
            has_ids: self.has_ids,
            records: &piece.records,
        };
        match judge(&answered, sent) {
            Judged::Whole(verdict) => verdict.answer(&id, retry_time),
            Judged::InPart { faults, again } => {
                let (count, first) = (faults.len(), faults.first());
                let first = first.map_or("", |fault| fault.message.as_str());
                Answer::InPart(InPart {
                    why: format!(
                        "send request {id} to the cluster: {count} records were not taken, the \
                         first of them for {first}"
                    ),
                    faults,
                    again: again.map(|fault| (fault, retry_time)),
                })
            }
        }
    }
}
