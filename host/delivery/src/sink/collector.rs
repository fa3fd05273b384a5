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
//! at least once. All requests of an exchange go to one server, which alone knows its numbers. Each
//! exchange has a channel of its own: a server that counted others on the same one, or the server
//! itself after a restart, would say of another request that this one is indexed.

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
use super::verdict::{Verdict, misconfigured};
use crate::endpoints::{ANSWER_BYTES_MAX, EndpointRequest, Endpoints, NoReply, Reply};
use crate::object_name::{NamingKey, Place, random_uuid};
use crate::piece::Piece;
use crate::secret::Secret;
use crate::secrets::{Credentials, OF_SPLUNK};
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

/// The requests of one try, and where they go.
struct Exchange {
    /// What the collector knows us by.
    token: Secret,
    /// What the collector keeps its numbers apart by from all others.
    channel: String,
    route: Route,
}

impl Exchange {
    /// # Errors
    /// When the system gives no random number.
    fn begin(token: Secret) -> Result<Self, getrandom::Error> {
        let (head, tail) = (getrandom::u64()?, getrandom::u64()?);
        Ok(Self {
            token,
            channel: random_uuid(head, tail),
            route: Route::default(),
        })
    }
}

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
    pub async fn hand(&self, piece: Piece, place: Place, known_by: &Credentials) -> Answer {
        let id = self.naming.uuid(place);
        let token = match known_by.members(OF_SPLUNK).await {
            Ok(Some([token])) => token,
            Ok(None) => self.splunk.token.clone(),
            Err(why) => return misconfigured(&id, &why, true),
        };
        self.taken_at_ms.store(NOTHING_SENT, Ordering::Relaxed);
        let verdict = if piece.content.content_length() == 0 {
            // Records without a byte: there is nothing to send, and nothing is missing there.
            Verdict::Taken
        } else {
            match Exchange::begin(token) {
                Ok(exchange) => {
                    self.send(exchange, piece.content.into_iter().collect())
                        .await
                }
                Err(error) => {
                    return Answer::Again {
                        why: format!("the system gives no random number: {error}"),
                        is_refused: true,
                    };
                }
            }
        };
        self.taken_at_ms.store(NOTHING_SENT, Ordering::Relaxed);
        verdict.answer(&id, self.splunk.fallback.retry_time())
    }

    async fn send(&self, mut exchange: Exchange, body: Vec<Bytes>) -> Verdict {
        let asked = self.ask(&mut exchange, ANY_NUMBER).await;
        if let Err(verdict) = reply::answers(&asked, self.form) {
            return verdict;
        }
        let what = match self.form {
            EventForm::Raw => "raw",
            EventForm::Event => "event",
        };
        let sent = self.post(&mut exchange, what, body).await;
        match reply::sent(&sent, self.form) {
            Ok(ack_id) => self.until_acknowledged(&mut exchange, ack_id).await,
            Err(verdict) => verdict,
        }
    }

    async fn until_acknowledged(&self, exchange: &mut Exchange, ack_id: u64) -> Verdict {
        let begun = self.clock.uptime();
        // What does not fit is later than any time.
        let taken_at = u64::try_from(begun.as_millis()).unwrap_or(NOTHING_SENT);
        self.taken_at_ms.store(taken_at, Ordering::Relaxed);
        let mut pause = QUESTION_PAUSE_FIRST;
        loop {
            sleep(pause).await;
            let asked = self.ask(exchange, ack_id).await;
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
    async fn ask(&self, exchange: &mut Exchange, ack_id: u64) -> Result<Reply, NoReply> {
        let question = Bytes::from(format!("{{\"acks\":[{ack_id}]}}"));
        let asked = self.post(exchange, "ack", vec![question]);
        let asked = timeout(QUESTION_TIME_MAX, asked).await;
        asked.unwrap_or(Err(NoReply::Late))
    }

    async fn post(
        &self,
        Exchange {
            token,
            channel,
            route,
        }: &mut Exchange,
        what: &str,
        body: Vec<Bytes>,
    ) -> Result<Reply, NoReply> {
        let at = self.splunk.url.trim_end_matches('/');
        let mut headers = vec![
            ("authorization", format!("Splunk {}", token.0)),
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
        let mut answered = self.endpoints.post(request).await;
        if let Ok(reply) = &mut answered {
            route.follow(reply);
            token.cross_out(&mut reply.body);
        }
        answered
    }
}
