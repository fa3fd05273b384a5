//! The answers to what a guest asks of `http`: checked, counted, and handed to whoever makes calls
//! ([`Outbound`]), redirect by redirect.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::bindings::http;
use crate::call_time::CallStopped;
use crate::grant_book::CallGrant;
use crate::guest_turns::current_turn;
use crate::http_url::HttpUrl;
use crate::limit_reached::LimitReached;
use crate::limits::{
    EFFECT_OVERHEAD_BYTES, HOST_WAIT_MAX, HTTP_ANSWER_BYTES_MAX, HTTP_BODY_BYTES_MAX,
    HTTP_CALL_TIME_MAX, HTTP_CALLS_PER_BATCH_MAX, HTTP_HEADER_BYTES_MAX, HTTP_HEADERS_MAX,
    HTTP_METHOD_CHARS_MAX, HTTP_REDIRECTS_MAX,
};
use crate::outbound::{Answer, Call, CallError};
use crate::printable::printable;
use crate::state::State;

/// Characters of a refusal or a failure that a guest is told.
const TOLD_BYTES_MAX: usize = 1024;
/// Headers that the host says by itself, or that are about the connection (RFC 9110, 7.6.1).
const HEADERS_OF_HOST: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];
/// Headers that a redirect takes along to another server: what is for one is not for the other.
const HEADERS_FOR_ALL: [&str; 5] = [
    "accept",
    "accept-language",
    "content-type",
    "content-language",
    "user-agent",
];

/// Why a guest has no answer, or why its call ends.
enum Unanswered {
    Refused(String),
    Failed(String),
    Ends(wasmtime::Error),
}

impl http::Host for State {
    fn fetch(
        &mut self,
        request: http::Request,
    ) -> wasmtime::Result<Result<http::Response, http::Error>> {
        self.host_call()?;
        self.http_calls += 1;
        if self.http_calls > HTTP_CALLS_PER_BATCH_MAX {
            return Err(LimitReached::HttpCalls(HTTP_CALLS_PER_BATCH_MAX).into());
        }
        let sent = request_bytes(&request);
        self.keep_bytes(1, sent)?;
        let answered = self.answered(request);
        let counts = Arc::clone(self.counts());
        counts.called(sent as u64);
        match answered {
            Ok(answer) => {
                counts.answered(answer.body.len() as u64);
                // Its room is given back with the end of this call, when the guest takes it.
                Ok(Ok(http::Response {
                    status: answer.status,
                    headers: answer.headers,
                    body: answer.body,
                }))
            }
            Err(Unanswered::Refused(why)) => {
                counts.refused();
                Ok(Err(http::Error::Refused(printable(&why, TOLD_BYTES_MAX))))
            }
            Err(Unanswered::Failed(why)) => {
                counts.failed();
                Ok(Err(http::Error::Failed(printable(&why, TOLD_BYTES_MAX))))
            }
            Err(Unanswered::Ends(error)) => {
                counts.failed();
                Err(error)
            }
        }
    }
}

impl State {
    /// The last answer, after redirects.
    fn answered(&mut self, request: http::Request) -> Result<Answer, Unanswered> {
        if !self.may_call {
            let why = "no calls are made outside of a batch, and none by runs that only compare";
            return Err(Unanswered::Refused(why.to_owned()));
        }
        let mut hop = Hop::of(request).map_err(Unanswered::Refused)?;
        for redirect in 0..=HTTP_REDIRECTS_MAX {
            let answer = self.exchange(&hop)?;
            let Some(location) = redirect_of(&answer) else {
                return Ok(answer);
            };
            if redirect == HTTP_REDIRECTS_MAX {
                break;
            }
            hop = hop.redirected(answer.status, &location).map_err(|why| {
                Unanswered::Refused(format!("a redirect cannot be followed: {why}"))
            })?;
        }
        let why = format!("more than {HTTP_REDIRECTS_MAX} redirects");
        Err(Unanswered::Failed(why))
    }

    /// One request and its answer, while the thread's place is another turn's.
    fn exchange(&mut self, hop: &Hop) -> Result<Answer, Unanswered> {
        let grant = self.call_grant(&hop.url);
        let CallGrant { outbound, ranges } = grant.map_err(Unanswered::Refused)?;
        let left = HOST_WAIT_MAX.saturating_sub(self.call_time.waited());
        if left.is_zero() {
            let most = HOST_WAIT_MAX.as_secs();
            let why = format!("the batch has waited for {most} s, all that one may");
            return Err(Unanswered::Failed(why));
        }
        let room = self.effects.bytes_left();
        let turn = current_turn();
        let is_stopped = || turn.as_ref().is_some_and(|turn| turn.is_stopped());
        let plugin = self.plugin().clone();
        let call = Call {
            plugin: &plugin,
            account: turn.as_ref().map(|turn| turn.account()),
            method: &hop.method,
            url: &hop.url,
            headers: &hop.headers,
            body: &hop.body,
            time_max: left.min(HTTP_CALL_TIME_MAX),
            answer_bytes_max: HTTP_ANSWER_BYTES_MAX.min(room),
            ranges: &ranges,
            is_stopped: &is_stopped,
        };
        // Without what the turn waits after that for its place: others have it, and it is no
        // fault of the server that is called.
        let fetch = || {
            let from = Instant::now();
            let fetched = outbound.fetch(&call);
            (fetched, from.elapsed())
        };
        let (fetched, waited) = match &turn {
            Some(turn) => turn.away(fetch),
            None => fetch(),
        };
        self.waited(waited);
        match fetched {
            Ok(answer) => {
                let heads = answer.headers.iter();
                let heads: usize = heads.map(|(name, value)| name.len() + value.len()).sum();
                let bytes = heads.saturating_add(answer.body.len());
                let kept = self.keep_bytes(answer.headers.len(), bytes);
                kept.map_err(Unanswered::Ends)?;
                // Whoever runs a consumer counts it with what tables answer.
                let overhead = answer.headers.len().saturating_mul(EFFECT_OVERHEAD_BYTES);
                let carried = self.effects.carries(bytes.saturating_add(overhead));
                carried.map_err(Unanswered::Ends)?;
                Ok(answer)
            }
            Err(CallError::Refused(why)) => Err(Unanswered::Refused(why)),
            Err(CallError::Failed(why)) => Err(Unanswered::Failed(why)),
            Err(CallError::TooLarge) if room < HTTP_ANSWER_BYTES_MAX => {
                let most = self.limits().output_bytes_max;
                Err(Unanswered::Ends(LimitReached::EffectBytes(most).into()))
            }
            Err(CallError::TooLarge) => {
                let most = HTTP_ANSWER_BYTES_MAX / (1024 * 1024);
                Err(Unanswered::Failed(format!(
                    "an answer of more than {most} MiB"
                )))
            }
            Err(CallError::Stopped) => Err(Unanswered::Ends(CallStopped.into())),
        }
    }

    /// Notes that the guest waited for so long, which is no time of a processor.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.call_time.wait(time);
        self.counts().waited(time);
    }
}

/// One request on its way through redirects.
struct Hop {
    method: String,
    url: HttpUrl,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
}

impl Hop {
    /// # Errors
    /// Why a request may not be sent.
    fn of(request: http::Request) -> Result<Self, String> {
        let method = request.method;
        let is_method = (1..=HTTP_METHOD_CHARS_MAX).contains(&method.len())
            && method.bytes().all(|byte| byte.is_ascii_alphabetic())
            // It makes a tunnel of the connection.
            && !method.eq_ignore_ascii_case("CONNECT");
        if !is_method {
            let most = HTTP_METHOD_CHARS_MAX;
            return Err(format!(
                "a method that is not 1 to {most} letters, or is CONNECT"
            ));
        }
        if request.body.len() > HTTP_BODY_BYTES_MAX {
            return Err(format!("a body of more than {HTTP_BODY_BYTES_MAX} bytes"));
        }
        let headers = request.headers;
        if headers.len() > HTTP_HEADERS_MAX {
            return Err(format!("more than {HTTP_HEADERS_MAX} headers"));
        }
        let bytes: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > HTTP_HEADER_BYTES_MAX {
            return Err(format!(
                "headers of more than {HTTP_HEADER_BYTES_MAX} bytes"
            ));
        }
        let headers = headers.into_iter().map(checked_header);
        Ok(Self {
            method: method.to_ascii_uppercase(),
            url: HttpUrl::parse(&request.url)?,
            headers: headers.collect::<Result<_, _>>()?,
            body: Bytes::from(request.body),
        })
    }

    /// The request that a redirect asks for (RFC 9110, 15.4).
    fn redirected(self, status: u16, location: &[u8]) -> Result<Self, String> {
        let location = std::str::from_utf8(location).map_err(|_| "it is no text".to_owned())?;
        let url = self.url.redirected(location)?;
        if self.url.is_https() && !url.is_https() {
            return Err("it leads from https to http".to_owned());
        }
        let mut headers = self.headers;
        if !url.is_of_same_server(&self.url) {
            headers.retain(|(name, _)| HEADERS_FOR_ALL.contains(&name.as_str()));
        }
        let becomes_get = status == 303 || (matches!(status, 301 | 302) && self.method == "POST");
        if !becomes_get || self.method == "HEAD" {
            return Ok(Self {
                method: self.method,
                url,
                headers,
                body: self.body,
            });
        }
        headers.retain(|(name, _)| !name.starts_with("content-"));
        Ok(Self {
            method: "GET".to_owned(),
            url,
            headers,
            body: Bytes::new(),
        })
    }
}

/// A header whose name is in lower case, and that cannot be taken for several.
fn checked_header((name, value): (String, Vec<u8>)) -> Result<(String, Vec<u8>), String> {
    let name = name.to_ascii_lowercase();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err("a header whose name is none".to_owned());
    }
    if HEADERS_OF_HOST.contains(&name.as_str()) {
        return Err(format!("the header {name}, which the host says by itself"));
    }
    // RFC 9110, 5.5: neither an end of line nor another control character.
    let is_odd = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    if value.iter().any(is_odd) {
        return Err(format!(
            "the header {name} with a control character in its value"
        ));
    }
    Ok((name, value))
}

/// Where an answer leads on to, if it does.
fn redirect_of(answer: &Answer) -> Option<Vec<u8>> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut headers = answer.headers.iter();
    let location = headers.find(|(name, _)| name == "location");
    location.map(|(_, value)| value.clone())
}

fn request_bytes(request: &http::Request) -> usize {
    let headers = request.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + value.len() + EFFECT_OVERHEAD_BYTES)
        .sum();
    headers + request.method.len() + request.url.len() + request.body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, headers: &[(&str, &str)]) -> http::Request {
        let headers = headers.iter();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        http::Request {
            method: "post".to_owned(),
            url: url.to_owned(),
            headers: headers.map(own).collect(),
            body: b"body".to_vec(),
        }
    }

    fn names(hop: &Hop) -> Vec<&str> {
        hop.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn headers_that_would_make_another_request_of_it_are_refused() {
        for (name, value) in [
            ("x", "a\r\nhost: evil.test"),
            ("x", "a\nb"),
            ("x", "a\0b"),
            ("x\r\ny", "a"),
            ("x y", "a"),
            ("", "a"),
            ("Host", "evil.test"),
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "upgrade"),
            ("Proxy-Authorization", "Basic eA=="),
        ] {
            let refused = Hop::of(request("http://a.test/", &[(name, value)]));
            assert!(refused.is_err(), "{name:?}: {value:?}");
        }
        let many: Vec<_> = (0..65).map(|_| ("x", "y")).collect();
        assert!(Hop::of(request("http://a.test/", &many)).is_err());
        let long = "y".repeat(16 * 1024);
        assert!(Hop::of(request("http://a.test/", &[("x", &long)])).is_err());
        let mut other = request("http://a.test/", &[]);
        for method in ["", "CONNECT", "GET /", "G\r\nX", "ABCDEFGHIJKLMNOPQ"] {
            other.method = method.to_owned();
            assert!(Hop::of(other.clone()).is_err(), "{method:?}");
        }
    }

    #[test]
    fn a_redirect_to_another_server_takes_no_keys_along() {
        let headers = [
            ("Authorization", "Bearer x"),
            ("X-Api-Key", "x"),
            ("Cookie", "x"),
            ("Accept", "text/plain"),
            ("Content-Type", "text/plain"),
        ];
        let of = || Hop::of(request("https://a.test/one", &headers)).unwrap();
        let same = of().redirected(307, b"/two").unwrap();
        assert_eq!(same.headers.len(), headers.len());
        assert_eq!(
            (same.method.as_str(), &same.body[..]),
            ("POST", &b"body"[..])
        );
        let other = of().redirected(308, b"https://b.test/").unwrap();
        assert_eq!(names(&other), ["accept", "content-type"]);
        let get = of().redirected(303, b"https://a.test:8443/").unwrap();
        assert_eq!(names(&get), ["accept"]);
        assert_eq!((get.method.as_str(), get.body.len()), ("GET", 0));
        for wrong in [
            &b"http://a.test/"[..],
            b"https://u@b.test/",
            b"\xff",
            b"gopher://b.test/",
        ] {
            assert!(of().redirected(302, wrong).is_err());
        }
    }
}
