//! Pieces become requests to a Splunk HTTP event collector (Splunk, "About HTTP Event Collector
//! indexer acknowledgment"):
//!
//! ```text
//! POST .../services/collector/ack?channel=C      {"acks":[0]}: are there acknowledgements?
//! POST .../services/collector/raw?channel=C      the records -> {"code":0,"ackId":7}
//! POST .../services/collector/ack?channel=C      {"acks":[7]}, until {"acks":{"7":true}}
//! ```
//!
//! A request that was not acknowledged in time is sent again, and Splunk does not know it by then:
//! at least once. All requests of an exchange go to one server, which alone knows its numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use types::Clock;

use super::Answer;
use super::collector_reply::{self as reply, Acknowledged};
use super::remote::Sending;
use super::route::Route;
use super::verdict::Verdict;
use crate::endpoints::{ANSWER_BYTES_MAX, EndpointRequest, Endpoints, NoReply, Reply};
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;
use crate::splunk::{EventForm, Splunk};

/// The pause before an acknowledgement is asked for, and the longest; in between it doubles.
const QUESTION_PAUSE_FIRST: Duration = Duration::from_millis(100);
const QUESTION_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long the answer to such a question is waited for. Then it is asked again.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(30);
/// The number that is asked for to know whether there are acknowledgements at all. Nothing is
/// waited for by that time, so that no answer to it can matter.
const ANY_NUMBER: u64 = 0;
/// What stands for no time.
const NOTHING_SENT: u64 = u64::MAX;

/// Where the requests of one cut go.
#[derive(Clone)]
pub struct Collector {
    endpoints: Arc<dyn Endpoints>,
    naming: NamingKey,
    clock: Arc<dyn Clock>,
    /// As it is configured now: what waits goes to the collector and with the token in force.
    splunk: Splunk,
    /// What the records of the cut are.
    form: EventForm,
    /// What the collector keeps our numbers apart by from those of others: one for each lane.
    channel: String,
    /// Milliseconds of the clock at which it took what it has not acknowledged.
    taken_at_ms: Arc<AtomicU64>,
}

impl Collector {
    /// Begins with a cut of the first of two configurations, whose requests go where the second one
    /// says.
    pub fn begin(sending: Sending<'_>, (of_cut, now): (&Splunk, &Splunk)) -> Self {
        Self {
            endpoints: Arc::clone(sending.endpoints),
            naming: sending.naming.clone(),
            clock: Arc::clone(sending.clock),
            splunk: now.clone(),
            form: of_cut.form,
            channel: sending.naming.channel(sending.lane),
            taken_at_ms: Arc::new(AtomicU64::new(NOTHING_SENT)),
        }
    }

    /// Whether the collector and its token are those of the configuration of now.
    pub fn is_in_force(&self, now: &Splunk) -> bool {
        (&now.url, &now.token) == (&self.splunk.url, &self.splunk.token)
    }

    /// How long what was sent is not acknowledged, if something is.
    pub fn unacknowledged_for(&self) -> Option<Duration> {
        match self.taken_at_ms.load(Ordering::Relaxed) {
            NOTHING_SENT => None,
            taken_at => {
                let taken_at = Duration::from_millis(taken_at);
                Some(self.clock.uptime().saturating_sub(taken_at))
            }
        }
    }

    /// How long an acknowledgement is waited for.
    pub fn acknowledged_within(&self) -> Duration {
        Duration::from_secs(u64::from(self.splunk.acknowledged_within_seconds))
    }

    /// Sends the request of a piece that has this place, and waits until it is acknowledged.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        let id = self.naming.uuid(place);
        self.taken_at_ms.store(NOTHING_SENT, Ordering::Relaxed);
        let verdict = if piece.content.content_length() == 0 {
            // Records without a byte: there is nothing to send, and nothing is missing there.
            Verdict::Taken
        } else {
            self.send(piece.content.into_iter().collect()).await
        };
        self.taken_at_ms.store(NOTHING_SENT, Ordering::Relaxed);
        verdict.answer(&id, self.splunk.fallback.retry_time())
    }

    async fn send(&self, body: Vec<Bytes>) -> Verdict {
        let mut route = Route::default();
        let asked = self.ask(&mut route, ANY_NUMBER).await;
        if let Err(verdict) = reply::answers(&asked, self.form) {
            return verdict;
        }
        let what = match self.form {
            EventForm::Raw => "raw",
            EventForm::Event => "event",
        };
        let sent = self.post(&mut route, what, body).await;
        match reply::sent(&sent, self.form) {
            Ok(ack_id) => self.until_acknowledged(&mut route, ack_id).await,
            Err(verdict) => verdict,
        }
    }

    async fn until_acknowledged(&self, route: &mut Route, ack_id: u64) -> Verdict {
        let begun = self.clock.uptime();
        // What does not fit is later than any time.
        let taken_at = u64::try_from(begun.as_millis()).unwrap_or(NOTHING_SENT);
        self.taken_at_ms.store(taken_at, Ordering::Relaxed);
        let mut pause = QUESTION_PAUSE_FIRST;
        loop {
            sleep(pause).await;
            let asked = self.ask(route, ack_id).await;
            let instead = match reply::acknowledged(&asked, (ack_id, self.form)) {
                Acknowledged::Yes => return Verdict::Taken,
                Acknowledged::Unknown(verdict) => return verdict,
                Acknowledged::NotYet(instead) => instead,
            };
            let within = self.acknowledged_within();
            if self.clock.uptime().saturating_sub(begun) >= within {
                return reply::not_acknowledged(within.as_secs(), instead.as_deref());
            }
            pause = (2 * pause).min(QUESTION_PAUSE_MAX);
        }
    }

    /// Asks for an acknowledgement.
    async fn ask(&self, route: &mut Route, ack_id: u64) -> Result<Reply, NoReply> {
        let question = Bytes::from(format!("{{\"acks\":[{ack_id}]}}"));
        let asked = self.post(route, "ack", vec![question]);
        let asked = timeout(QUESTION_TIME_MAX, asked).await;
        asked.unwrap_or(Err(NoReply::Late))
    }

    async fn post(
        &self,
        route: &mut Route,
        what: &str,
        body: Vec<Bytes>,
    ) -> Result<Reply, NoReply> {
        let (at, channel) = (self.splunk.url.trim_end_matches('/'), &self.channel);
        let mut headers = vec![
            ("authorization", format!("Splunk {}", self.splunk.token.0)),
            ("x-splunk-request-channel", channel.clone()),
        ];
        if what != "raw" {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(cookies) = route.cookie_header() {
            headers.push(("cookie", cookies));
        }
        let request = EndpointRequest {
            url: format!("{at}/services/collector/{what}?channel={channel}"),
            headers,
            body,
            address: route.address,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answered = self.endpoints.post(request).await;
        if let Ok(reply) = &answered {
            route.follow(reply);
        }
        answered
    }
}
