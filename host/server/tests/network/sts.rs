//! GetCallerIdentity, in the protocol of STS: a form in, XML out, errors too.

use millrace_server::Running;
use wire::iam::UserName;

use crate::fixture::start;
use crate::fixture::{Answer, GUESSED, NEIGHBOUR, RIGHT, Signature, ask, ask_with_body, protected};

const ASKED: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const NAMESPACE: &str = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";

async fn ask_sts(server: &Running, signature: &Signature, body: &str) -> Answer {
    let signature = Signature {
        service: "sts",
        ..*signature
    };
    ask_with_body(server, &signature.form(server, body.as_bytes()), body).await
}

/// What stands between a tag and its end; exactly once in the whole text.
fn within<'a>(answer: &'a Answer, tag: &str) -> &'a str {
    let (start, end) = (format!("<{tag}>"), format!("</{tag}>"));
    assert_eq!(answer.body.matches(&start).count(), 1, "{}", answer.body);
    let (_, rest) = answer.body.split_once(&start).unwrap();
    rest.split_once(&end).unwrap().0
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    assert!(
        answer
            .body
            .starts_with(&format!("<ErrorResponse {NAMESPACE}>"))
    );
    assert_eq!(within(answer, "Type"), "Sender");
    assert_eq!(within(answer, "Code"), code);
    assert_eq!(within(answer, "Message"), message);
    assert_eq!(
        Some(within(answer, "RequestId")),
        answer.header("x-amzn-requestid")
    );
}

#[tokio::test]
async fn each_caller_is_told_who_it_is() {
    let server = protected(|_| {}).await;
    for (signature, account) in [(RIGHT, "000000000042"), (NEIGHBOUR, "000000000043")] {
        let answer = ask_sts(&server, &signature, ASKED).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("text/xml"));
        assert!(
            answer
                .body
                .starts_with(&format!("<GetCallerIdentityResponse {NAMESPACE}>"))
        );
        assert_eq!(within(&answer, "Account"), account);
        assert_eq!(within(&answer, "UserId"), account);
        assert_eq!(
            within(&answer, "Arn"),
            format!("arn:aws:iam::{account}:root")
        );
        assert_eq!(
            Some(within(&answer, "RequestId")),
            answer.header("x-amzn-requestid")
        );
    }
}

#[tokio::test]
async fn a_user_is_told_its_name() {
    let server = protected(|config| {
        let principal = &mut config.credentials[0].identity.principal;
        principal.user = Some(UserName::parse("alice@example").unwrap());
    })
    .await;
    let answer = ask_sts(&server, &RIGHT, ASKED).await;
    assert_eq!(
        within(&answer, "Arn"),
        "arn:aws:iam::000000000042:user/alice@example"
    );
    assert_eq!(within(&answer, "UserId"), "alice@example");
    assert_eq!(within(&answer, "Account"), "000000000042");
}

#[tokio::test]
async fn without_credentials_everybody_is_the_default_account() {
    let server = start(|_| {}).await;
    let request = format!("GET /?{ASKED} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = ask(&server, &request).await;
    assert_eq!(within(&answer, "Arn"), "arn:aws:iam::000000000000:root");
}

#[tokio::test]
async fn a_request_that_is_not_signed_as_it_must_be_is_refused_in_the_words_of_sts() {
    let server = protected(|_| {}).await;
    let unsigned = format!("GET /?{ASKED} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = ask(&server, &unsigned).await;
    let missing = "Missing Authentication Token";
    is_refused(&answer, 403, "MissingAuthenticationToken", missing);
    let answer = ask_sts(&server, &GUESSED, ASKED).await;
    is_refused(
        &answer,
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.",
    );
    let unknown = Signature {
        key_id: "AKIDOTHER",
        ..RIGHT
    };
    let answer = ask_sts(&server, &unknown, ASKED).await;
    let invalid = "The security token included in the request is invalid.";
    is_refused(&answer, 403, "InvalidClientTokenId", invalid);
    let parts = RIGHT.form(&server, ASKED.as_bytes());
    let answer = ask_with_body(&server, &parts, ASKED).await;
    is_refused(
        &answer,
        403,
        "SignatureDoesNotMatch",
        "Credential should be scoped to correct service: 'sts'. ",
    );
}

#[tokio::test]
async fn an_action_that_is_not_here_is_refused_by_its_name() {
    let server = protected(|_| {}).await;
    for (body, message) in [
        (
            "Action=AssumeRole&Version=2011-06-15",
            "Could not find operation AssumeRole for version 2011-06-15",
        ),
        (
            "Action=GetCallerIdentity",
            "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED",
        ),
        (
            "Version=%3Cb%3E%00&Action=a%26b",
            "Could not find operation a&amp;b for version &lt;b&gt;\u{fffd}",
        ),
    ] {
        let answer = ask_sts(&server, &RIGHT, body).await;
        is_refused(&answer, 400, "InvalidAction", message);
    }
    let answer = ask_sts(&server, &RIGHT, "Version=2011-06-15").await;
    let missing = "The request is missing an action or a required parameter.";
    is_refused(&answer, 400, "MissingAction", missing);
}

#[tokio::test]
async fn an_operation_that_is_named_in_a_header_is_none_of_sts() {
    let server = start(|_| {}).await;
    let head = crate::fixture::LIST_STREAMS.replace("POST /", &format!("POST /?{ASKED}"));
    let answer = ask(&server, &format!("{head}Content-Length: 2\r\n\r\n{{}}")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["StreamNames"].is_array());
}
