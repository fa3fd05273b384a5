//! Which web pages may call, and what their browsers are told (the CORS protocol of
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A browser sends the requests of any page, and keeps only the answers from it. So a request of a
//! foreign page is refused here, whether or not it is signed and whatever it is for.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST,
    ORIGIN, VARY,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use wire::ApiError;

use crate::web_origin::WebOrigin;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");
/// What AWS's SDK for JavaScript sends, versions 2 and 3.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, x-amz-target, x-amz-date, x-amz-content-sha256, \
     x-amz-security-token, x-amz-user-agent, x-amz-api-version, x-amzn-trace-id, \
     amz-sdk-invocation-id, amz-sdk-request, cache-control",
);
/// What a page may read of an answer besides its body and type.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("x-amzn-RequestId, x-amz-id-2, x-amzn-ErrorType, Date");
/// Seconds that a browser may remember what it was told. No browser remembers it much longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
/// Asked and answered where a page of the internet calls an address of a private network
/// (<https://wicg.github.io/private-network-access/>).
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// Knows the origins that may call.
pub(crate) struct Cors {
    origins: Vec<WebOrigin>,
}

/// The page that a request comes from.
pub(crate) enum CallingPage {
    /// None, or one of this very server: nothing has to be told.
    Own,
    /// One of an origin that the configuration names, as its browser writes it.
    Named(HeaderValue),
}

impl Cors {
    pub(crate) fn new(origins: Vec<WebOrigin>) -> Self {
        Self { origins }
    }

    /// Which page a request comes from.
    ///
    /// # Errors
    /// Status 403 when it is one that may not call.
    pub(crate) fn admit(&self, parts: &Parts) -> Result<CallingPage, ApiError> {
        let mut values = parts.headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            return Ok(CallingPage::Own);
        };
        let refused = || {
            let what = "Web pages of this origin may not call this server. \
                        cors_origins in its configuration names those that may.";
            ApiError::access_denied(what).with_status(403)
        };
        if values.next().is_some() {
            return Err(refused());
        }
        let origin = value.to_str().ok().and_then(WebOrigin::parse);
        let origin = origin.ok_or_else(refused)?;
        if self.origins.contains(&origin) {
            Ok(CallingPage::Named(value.clone()))
        } else if host(parts).is_some_and(|host| origin.is_at(&host)) {
            Ok(CallingPage::Own)
        } else {
            Err(refused())
        }
    }

    /// Tells the browser of `page` what it may do with an answer. Where any origin is named, a
    /// cache must keep the answers to each apart.
    pub(crate) fn tell(&self, page: &CallingPage, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(VARY, VARY_ORIGIN);
        if let CallingPage::Named(origin) = page {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

impl CallingPage {
    /// The answer to a browser that asks whether the page may send a request at all; `None` if
    /// this request does not ask that.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<HeaderMap> {
        let asks = parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || matches!(self, Self::Own) {
            return None;
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if parts.headers.contains_key(REQUEST_PRIVATE_NETWORK) {
            headers.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        Some(headers)
    }
}

/// The name that the request calls this server by.
fn host(parts: &Parts) -> Option<Authority> {
    match parts.headers.get(HOST) {
        Some(host) => Authority::try_from(host.as_bytes()).ok(),
        None => parts.uri.authority().cloned(),
    }
}
