//! An answer that says no: AWS's code, status and text.

use std::fmt;

use bytes::Bytes;

use crate::json::write_string;

/// An error as a client sees it. The code is the part that programs act on; the message is AWS's
/// text where AWS documents one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
}

impl ApiError {
    /// An error of the client with status 400, which is what AWS answers to nearly all of them.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    /// The same error under another HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A member breaks a constraint of its shape.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The body is not JSON, or a member has another JSON type than its shape.
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// `X-Amz-Target` names no operation of this server.
    pub fn unknown_operation(message: impl Into<String>) -> Self {
        Self::new("UnknownOperationException", message)
    }

    /// The caller is known and may not do this.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", message)
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

    /// `{"__type":"…","message":"…"}`.
    pub fn body(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.message.len() + 64);
        out.extend_from_slice(b"{\"__type\":");
        write_string(&mut out, self.code);
        out.extend_from_slice(b",\"message\":");
        write_string(&mut out, &self.message);
        out.push(b'}');
        Bytes::from(out)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_an_error_is_json_whatever_the_message_holds() {
        let error = ApiError::validation("a \"quote\", a \\ and a \n");
        let body: serde_json::Value = serde_json::from_slice(&error.body()).unwrap();
        assert_eq!(body["__type"], "ValidationException");
        assert_eq!(body["message"], "a \"quote\", a \\ and a \n");
        assert_eq!(body.as_object().unwrap().len(), 2);
    }

    #[test]
    fn our_own_faults_have_a_status_that_clients_retry() {
        assert_eq!(ApiError::internal("x").status(), 500);
        assert_eq!(ApiError::unavailable("x").status(), 503);
        assert_eq!(ApiError::validation("x").status(), 400);
    }
}
