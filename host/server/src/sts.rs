//! What of the Security Token Service is here: GetCallerIdentity, which the AWS CLI, Terraform and
//! others ask before anything else. Its protocol is AWS's "query": a form in, XML out
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use wire::{Answer, ApiError, Requester, form};

use crate::auth::query;
use crate::request_id::RequestId;
use crate::route::TARGET;

/// The service that requests are signed for.
pub(crate) const SERVICE: &str = "sts";
pub(crate) const OPERATION: &str = "GetCallerIdentity";
/// The same in the words of policies.
pub(crate) const ACTION_OF_POLICIES: wire::Action = wire::Action {
    service: SERVICE,
    operation: OPERATION,
};
const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// What answers and errors are written in.
pub(crate) const XML: &str = "text/xml";
const FORM: &str = "application/x-www-form-urlencoded";
const ACTION: &str = "Action";

/// Errors of the other services and what STS calls them, with its status
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).
const CODES: [(&str, &str, u16); 7] = [
    ("AccessDeniedException", "AccessDenied", 403),
    ("ExpiredTokenException", "ExpiredToken", 403),
    ("IncompleteSignatureException", "IncompleteSignature", 400),
    ("InvalidSignatureException", "SignatureDoesNotMatch", 403),
    (
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        403,
    ),
    ("UnrecognizedClientException", "InvalidClientTokenId", 403),
    ("UnknownOperationException", "InvalidAction", 400),
];

/// Whether a request speaks the query protocol: it sends a form, or names an action in its query,
/// as a presigned URL does. One that names its operation in a header speaks another.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    let is_plain = matches!(parts.method, Method::GET | Method::POST);
    let sends_form = || parts.method == Method::POST && is_form(parts);
    let names_action = || form::parameter(query(parts), ACTION).is_some();
    let is_here = parts.uri.path() == "/";
    is_plain && is_here && !parts.headers.contains_key(TARGET) && (sends_form() || names_action())
}

/// Refuses every action but the one that is here.
pub(crate) fn check(parts: &Parts, body: &[u8]) -> Result<(), ApiError> {
    // What is no text names no action.
    let body = str::from_utf8(body).ok();
    let texts = [Some(query(parts)), body];
    let named = |name| {
        let mut texts = texts.iter().flatten();
        texts.find_map(|text| form::parameter(text, name))
    };
    let Some(action) = named(ACTION) else {
        let what = "The request is missing an action or a required parameter.";
        return Err(ApiError::new("MissingAction", what));
    };
    let version = named("Version");
    let version = version.as_deref().unwrap_or("NO_VERSION_SPECIFIED");
    if action == OPERATION && version == VERSION {
        return Ok(());
    }
    let what = format!("Could not find operation {action} for version {version}");
    Err(ApiError::new("InvalidAction", what))
}

/// Who `caller` is. Nobody needs a right to ask that, and no policy can deny it (see there).
pub(crate) fn caller_identity(caller: &Requester, id: &RequestId) -> Answer {
    let (account, principal) = (caller.account, caller.principal());
    let arn = principal.arn(&caller.region);
    // AWS gives users ids of their own; here a name is one.
    let user_id = match &principal.user {
        Some(user) => user.as_str().to_owned(),
        None => account.to_string(),
    };
    let text = format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
         <Arn>{arn}</Arn>\n    <UserId>{user_id}</UserId>\n    \
         <Account>{account}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
         <RequestId>{id}</RequestId>\n  </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
    );
    Answer::whole(Bytes::from(text))
}

/// An error as STS says it, and its status.
pub(crate) fn error(error: &ApiError, id: &RequestId) -> (u16, Answer) {
    let known = CODES.iter().find(|(code, ..)| *code == error.code());
    let (code, status) = match known {
        Some((_, code, status)) => (*code, *status),
        None => (error.code(), error.status()),
    };
    let sent_by = if status < 500 { "Sender" } else { "Receiver" };
    let mut message = String::new();
    for character in error.message().chars() {
        write_escaped(&mut message, character);
    }
    let text = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{sent_by}</Type>\n    \
         <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
         <RequestId>{id}</RequestId>\n</ErrorResponse>\n"
    );
    (status, Answer::whole(Bytes::from(text)))
}

/// Messages repeat what clients sent. What XML has no way to write becomes a mark that says so.
fn write_escaped(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\t' | '\n' | ' ' => out.push(character),
        control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
        '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
        plain => out.push(plain),
    }
}

/// Whether the body says that it is a form, whatever else the header says.
fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE);
    // A header that is no text names no kind.
    let kind = kind.and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
        kind.trim().eq_ignore_ascii_case(FORM)
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const ASKS: &str = "Action=GetCallerIdentity&Version=2011-06-15";

    fn parts(method: &str, uri: &str, kind: &str) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = match kind {
            "" => request,
            kind => request.header(CONTENT_TYPE, kind),
        };
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_query_protocol_is_a_form_or_an_action_in_the_query_at_the_root() {
        for (method, uri, kind, wanted) in [
            ("POST", "/", FORM, true),
            (
                "POST",
                "/",
                "Application/X-WWW-Form-Urlencoded; charset=utf-8",
                true,
            ),
            ("GET", "/?Action=GetCallerIdentity", "", true),
            ("POST", "/?Version=1&Action=X", "", true),
            ("POST", "/", "application/json", false),
            ("POST", "/", "", false),
            ("GET", "/", FORM, false),
            ("GET", "/?action=GetCallerIdentity", "", false),
            ("PUT", "/?Action=GetCallerIdentity", FORM, false),
            // What is asked elsewhere is another protocol's, and answered as that one answers.
            ("GET", "/metrics?Action=GetCallerIdentity", "", false),
            ("POST", "/_millrace/plugins", FORM, false),
            ("POST", "//", FORM, false),
        ] {
            let asked = is_asked(&parts(method, uri, kind));
            assert_eq!(asked, wanted, "{method} {uri} {kind}");
        }
        let mut named = parts("POST", "/", FORM);
        let target = "Kinesis_20131202.ListStreams".parse().unwrap();
        named.headers.insert(TARGET, target);
        assert!(!is_asked(&named));
    }

    #[test]
    fn the_action_is_found_in_the_form_and_in_the_query() {
        let asks = format!("/?{ASKS}");
        for (uri, body) in [("/", ASKS), (&asks, ""), ("/?Version=2011-06-15", ASKS)] {
            assert!(check(&parts("POST", uri, FORM), body.as_bytes()).is_ok());
        }
        for (body, code) in [
            (&b"Version=2011-06-15"[..], "MissingAction"),
            (b"", "MissingAction"),
            (b"Action=GetCallerIdentity", "InvalidAction"),
            (
                b"Action=GetSessionToken&Version=2011-06-15",
                "InvalidAction",
            ),
            (
                b"Action=GetCallerIdentity&Version=2011-06-15&x=\xff",
                "MissingAction",
            ),
        ] {
            let error = check(&parts("POST", "/", FORM), body).unwrap_err();
            assert_eq!(error.code(), code, "{}", body.escape_ascii());
        }
    }
}
