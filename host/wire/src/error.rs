//! An answer that says no: AWS's code, status and text.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::iam::Denial;
use crate::{Codec, Writer};

/// The content type of an error that comes before the protocol of the request is known.
const XML: &str = "text/xml";
/// The one code whose text is in `Message` and not in `message`.
const SERIALIZATION: &str = "SerializationException";

/// Where codes of DynamoDB come from.
pub const DYNAMODB_ERRORS: &str = "com.amazonaws.dynamodb.v20120810";
/// Where codes of CloudWatch come from.
pub const CLOUDWATCH_ERRORS: &str = "com.amazonaws.cloudwatch.v2010_08_01";

/// An error as a client sees it. The code is the part that programs act on; the message is AWS's
/// text where AWS documents one, and empty where AWS gives none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
    form: Form,
    denial: Option<Denial>,
    /// A member of this error alone, and its value as JSON. Few have one, and errors are passed on
    /// by value.
    detail: Option<Box<(&'static str, Bytes)>>,
}

/// In what the body of an error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `{"__type":"…","message":"…"}` in the codec of the request.
    Own,
    /// `<Code><Message>…</Message></Code>`: what AWS answers when it cannot tell which service,
    /// and so which protocol, a request is for.
    Xml,
}

impl ApiError {
    /// An error of the client with status 400, which is what AWS answers to nearly all of them.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            form: Form::Own,
            denial: None,
            detail: None,
        }
    }

    /// The same error under another HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same error with a member of its own, which services that speak JSON have.
    ///
    /// # Errors
    /// InternalFailure when the value cannot be written as JSON.
    pub fn with_detail<T: Serialize>(self, name: &'static str, value: &T) -> Result<Self, Self> {
        let mut json = Vec::new();
        Codec::Json.write_value(&mut json, value)?;
        Ok(Self {
            detail: Some(Box::new((name, Bytes::from(json)))),
            ..self
        })
    }

    /// A member breaks a constraint of its shape.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The body is not JSON, or a member has another JSON type than its shape.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new(SERIALIZATION, message)
    }

    /// `X-Amz-Target` names no operation of this server. AWS says no more than that.
    pub fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "")
    }

    /// Status 404: an operation is named, and the body is of a type that none takes.
    pub fn unknown_content_type() -> Self {
        let unknown = Self::unknown_operation().with_status(404);
        Self {
            form: Form::Xml,
            ..unknown
        }
    }

    /// Status 403: nothing in the request says what it asks for, as in one that is no POST.
    pub fn no_operation_named() -> Self {
        let text = "Unable to determine service/operation name to be authorized";
        let denied = Self::access_denied(text).with_status(403);
        Self {
            form: Form::Xml,
            ..denied
        }
    }

    /// The caller is known and may not do this.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", message)
    }

    /// A policy denies it, or none allows it.
    pub(crate) fn denied(message: impl Into<String>, denial: Denial) -> Self {
        Self {
            denial: Some(denial),
            ..Self::access_denied(message)
        }
    }

    /// Temporary credentials whose time is over.
    pub fn expired_token() -> Self {
        Self::new(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        )
    }

    /// The request carries no signature though one is needed.
    pub fn missing_authentication_token() -> Self {
        Self::new(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    /// The `Authorization` header lacks a part or a part cannot be read.
    pub fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new("IncompleteSignatureException", message)
    }

    /// No credentials have the access key id of the request.
    pub fn unrecognized_client() -> Self {
        Self::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    /// The signature is not the one of this request, or its time has passed.
    pub fn invalid_signature(message: impl Into<String>) -> Self {
        Self::new("InvalidSignatureException", message)
    }

    /// Status 500: a fault of ours or of the world, which clients retry. The message goes to the
    /// client, so it names no path and no secret.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message).with_status(500)
    }

    /// Status 503: come back later; clients retry.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new("ServiceUnavailable", message).with_status(503)
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code without a namespace, as in `__type`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The text for the client.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Which policy refused it and how, for the log: it says more than the client may know.
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_ref()
    }

    /// The type of [`ApiError::body`], for the `Content-Type` header.
    pub fn content_type(&self, codec: Codec) -> &'static str {
        match self.form {
            Form::Own => codec.content_type(),
            Form::Xml => XML,
        }
    }

    /// The code and, if there is one, the message, as the body of the answer to a request in
    /// `codec`.
    pub fn body(&self, codec: Codec) -> Bytes {
        self.body_of(codec, DYNAMODB_ERRORS)
    }

    /// The same of a service whose own codes come from `home`, which only AWS JSON 1.0 says.
    pub fn body_of(&self, codec: Codec, home: &str) -> Bytes {
        match self.form {
            Form::Own => self.structure(codec, home),
            Form::Xml => self.xml(),
        }
    }

    fn structure(&self, codec: Codec, home: &str) -> Bytes {
        let mut out = Writer::with_capacity(codec, self.message.len() + 64);
        let has_message = !self.message.is_empty();
        let detail = self
            .detail
            .as_ref()
            .filter(|_| matches!(codec, Codec::Json | Codec::Json10));
        out.structure(1 + usize::from(has_message) + usize::from(detail.is_some()));
        out.member("__type");
        match codec {
            Codec::Json | Codec::Cbor | Codec::RpcV2Cbor => out.text(self.code),
            Codec::Json10 => {
                let namespace = shared_namespace(self.code).unwrap_or(home);
                out.text(&format!("{namespace}#{}", self.code));
            }
        }
        if has_message {
            let is_other = self.code == SERIALIZATION;
            out.member(if is_other { "Message" } else { "message" });
            out.text(&self.message);
        }
        if let Some((name, value)) = detail.map(|detail| &**detail) {
            out.member(name);
            out.raw_json(value);
        }
        out.end_structure();
        Bytes::from(out.take())
    }

    /// The messages of these errors are our own and need no escapes.
    fn xml(&self) -> Bytes {
        let Self { code, message, .. } = self;
        let text = if message.is_empty() {
            format!("<{code}/>")
        } else {
            format!("<{code}><Message>{message}</Message></{code}>")
        };
        Bytes::from(text)
    }
}

/// Where a code comes from that all services have. Services that speak AWS JSON 1.0 put that before
/// a code, or where their own ones come from.
fn shared_namespace(code: &str) -> Option<&'static str> {
    Some(match code {
        "ValidationException" => "com.amazon.coral.validate",
        SERIALIZATION
        | "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InternalFailure"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "ServiceUnavailable"
        | "UnknownOperationException"
        | "UnrecognizedClientException" => "com.amazon.coral.service",
        _ => return None,
    })
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(error: &ApiError) -> serde_json::Value {
        assert_eq!(
            error.content_type(Codec::Json),
            "application/x-amz-json-1.1"
        );
        serde_json::from_slice(&error.body(Codec::Json)).unwrap()
    }

    #[test]
    fn the_body_of_an_error_is_json_whatever_the_message_holds() {
        let message = "a \"quote\", a \\ and a \n";
        assert_eq!(
            json(&ApiError::validation(message)),
            json!({"__type": "ValidationException", "message": message})
        );
    }

    #[test]
    fn a_serialization_exception_has_its_text_in_another_member() {
        assert_eq!(
            json(&ApiError::serialization("Expected list or null")),
            json!({"__type": "SerializationException", "Message": "Expected list or null"})
        );
    }

    #[test]
    fn an_error_in_json_1_0_says_where_its_code_comes_from_and_may_have_a_detail() {
        let error = ApiError::new("ConditionalCheckFailedException", "no");
        let error = error
            .with_detail("Item", &json!({"a": {"S": "b"}}))
            .unwrap();
        let body = error.body(Codec::Json10);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        assert_eq!(
            body,
            json!({"__type": code, "message": "no", "Item": {"a": {"S": "b"}}})
        );
    }

    #[test]
    fn a_code_of_another_service_comes_from_there_and_one_that_all_have_does_not() {
        let told = |code| {
            let body = ApiError::new(code, "no").body_of(Codec::Json10, CLOUDWATCH_ERRORS);
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            body["__type"].as_str().unwrap().to_owned()
        };
        assert_eq!(
            told("InvalidParameterValue"),
            "com.amazonaws.cloudwatch.v2010_08_01#InvalidParameterValue"
        );
        assert_eq!(
            told("AccessDeniedException"),
            "com.amazon.coral.service#AccessDeniedException"
        );
    }

    #[test]
    fn an_unknown_operation_has_no_text() {
        assert_eq!(
            json(&ApiError::unknown_operation()),
            json!({"__type": "UnknownOperationException"})
        );
        let error = ApiError::unknown_content_type();
        assert_eq!(
            &error.body(Codec::Json)[..],
            b"<UnknownOperationException/>"
        );
        assert_eq!(error.status(), 404);
    }

    #[test]
    fn a_request_for_nothing_is_told_so_in_xml() {
        let error = ApiError::no_operation_named();
        let text = "<AccessDeniedException><Message>Unable to determine service/operation name to \
                    be authorized</Message></AccessDeniedException>";
        assert_eq!(error.body(Codec::Json), text);
        assert_eq!(
            (error.status(), error.content_type(Codec::Json)),
            (403, "text/xml")
        );
    }

    #[test]
    fn our_own_faults_have_a_status_that_clients_retry() {
        assert_eq!(ApiError::internal("x").status(), 500);
        assert_eq!(ApiError::unavailable("x").status(), 503);
        assert_eq!(ApiError::validation("x").status(), 400);
    }
}
