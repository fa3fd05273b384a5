//! Answers that are no operation's: text for people and for Prometheus, and for browsers.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::Response;
use wire::Answer;

pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

pub(super) fn not_allowed(allowed: &'static str) -> Response<Answer> {
    let what = format!("The methods here are {allowed}.\n");
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, TEXT, what);
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The answer to a browser that asks what a page may send.
pub(super) fn preflight(headers: HeaderMap) -> Response<Answer> {
    let mut response = Response::new(Answer::empty());
    *response.headers_mut() = headers;
    response
}

pub(super) fn text(status: StatusCode, kind: HeaderValue, what: String) -> Response<Answer> {
    plain(status, kind, Answer::whole(Bytes::from(what)))
}

pub(super) fn plain(status: StatusCode, kind: HeaderValue, answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
