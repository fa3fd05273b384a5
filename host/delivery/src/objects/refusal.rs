//! What an S3 endpoint says when it does not take an object, and whether that can ever change.

use std::fmt;

use hyper::StatusCode;

use super::ObjectError;

/// Characters of an answer's message that are repeated.
const MESSAGE_CHARS_MAX: usize = 300;
/// Characters of its code; a longer one is none.
const CODE_CHARS_MAX: usize = 100;

/// An answer to a put that was no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    /// S3's word for what is wrong; empty where the answer has none.
    code: String,
    /// The same in a sentence.
    message: String,
}

impl Refusal {
    /// Reads an answer: XML as S3 writes it, or whatever a proxy writes in its place.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let element = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            let (text, _) = rest.split_once(&format!("</{name}>"))?;
            Some(text.trim())
        };
        let code = element("Code").filter(|code| code.len() <= CODE_CHARS_MAX);
        let text = element("Message").unwrap_or(&body);
        let mut message = String::new();
        // Each word has a character at least.
        for word in text.split_whitespace().take(MESSAGE_CHARS_MAX) {
            if !message.is_empty() {
                message.push(' ');
            }
            message.extend(word.chars().take(MESSAGE_CHARS_MAX));
        }
        Self {
            status,
            code: code.unwrap_or("").to_owned(),
            message: message.chars().take(MESSAGE_CHARS_MAX).collect(),
        }
    }

    /// What the answer means for the object.
    pub(super) fn error(&self) -> ObjectError {
        let text = self.to_string();
        match self.verdict() {
            Verdict::Impossible => ObjectError::Impossible(text),
            Verdict::Refused => ObjectError::Refused(text),
            Verdict::MayPass => ObjectError::Failed(text),
        }
    }

    /// By the code where it says more than the status (S3 API reference, "Error responses").
    fn verdict(&self) -> Verdict {
        match self.code.as_str() {
            // The same request may go through the next time.
            "RequestTimeout"
            | "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "Busy"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "InternalError"
            | "OperationAborted"
            | "ConditionalRequestConflict"
            // The bucket's name is not known everywhere yet.
            | "TemporaryRedirect"
            | "IncompleteBody"
            | "BadDigest"
            | "XAmzContentSHA256Mismatch" => return Verdict::MayPass,
            // Somebody can change something in the store or in the server's configuration.
            "AccessDenied"
            | "AccountProblem"
            | "AllAccessDisabled"
            // The region that is configured is not the bucket's.
            | "AuthorizationHeaderMalformed"
            | "ExpiredToken"
            | "InvalidAccessKeyId"
            | "InvalidAccessPoint"
            | "InvalidObjectState"
            | "InvalidPayer"
            | "InvalidSecurity"
            | "InvalidToken"
            | "NoSuchAccessPoint"
            | "NoSuchBucket"
            | "NotSignedUp"
            | "QuotaExceeded"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch" => return Verdict::Refused,
            // The key, the object or the place where it is sent is wrong, and stays so.
            "EntityTooLarge"
            | "IllegalLocationConstraintException"
            | "InvalidArgument"
            | "InvalidBucketName"
            | "InvalidRequest"
            | "InvalidURI"
            | "KeyTooLongError"
            | "MethodNotAllowed"
            | "NotImplemented"
            | "PermanentRedirect"
            | "Redirect"
            | "XMinioInvalidObjectName" => return Verdict::Impossible,
            _ => {}
        }
        match self.status.as_u16() {
            // Something before the store did not understand it, perhaps since it was torn.
            400 if self.code.is_empty() => Verdict::MayPass,
            307 | 408 | 409 | 425 | 429 => Verdict::MayPass,
            // A code that is not known here, or a proxy's answer such as 413: the object was not
            // taken, and an operator can change that.
            300..=499 | 501 | 505 => Verdict::Refused,
            _ => Verdict::MayPass,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the endpoint answered {}", self.status.as_u16())?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Never, whatever is done about the store.
    Impossible,
    /// Not before somebody does something about it.
    Refused,
    /// Perhaps the next time.
    MayPass,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, code: &str) -> Verdict {
        let body = format!(
            "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>Why.</Message></Error>"
        );
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(status, body.as_bytes()).verdict()
    }

    #[test]
    fn what_s3_refuses_for_good_is_told_from_what_may_pass() {
        for (status, code, wanted) in [
            (400, "KeyTooLongError", Verdict::Impossible),
            (301, "PermanentRedirect", Verdict::Impossible),
            (400, "EntityTooLarge", Verdict::Impossible),
            (501, "NotImplemented", Verdict::Impossible),
            (400, "AuthorizationHeaderMalformed", Verdict::Refused),
            (400, "SomethingNew", Verdict::Refused),
            (301, "", Verdict::Refused),
            (302, "", Verdict::Refused),
            (405, "", Verdict::Refused),
            (413, "", Verdict::Refused),
            (501, "", Verdict::Refused),
            (307, "TemporaryRedirect", Verdict::MayPass),
            (307, "", Verdict::MayPass),
            (404, "NoSuchBucket", Verdict::Refused),
            (403, "AccessDenied", Verdict::Refused),
            (403, "RequestTimeTooSkewed", Verdict::Refused),
            (400, "ExpiredToken", Verdict::Refused),
            (401, "", Verdict::Refused),
            (400, "", Verdict::MayPass),
            (400, "RequestTimeout", Verdict::MayPass),
            (400, "IncompleteBody", Verdict::MayPass),
            (409, "OperationAborted", Verdict::MayPass),
            (429, "", Verdict::MayPass),
            (503, "SlowDown", Verdict::MayPass),
            (500, "InternalError", Verdict::MayPass),
            (502, "", Verdict::MayPass),
        ] {
            assert_eq!(verdict(status, code), wanted, "{status} {code}");
        }
    }

    #[test]
    fn an_answer_is_told_in_its_own_words() {
        let told = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            Refusal::read(status, body.as_bytes()).to_string()
        };
        let body = "<Error><Code>KeyTooLongError</Code>\n<Message>Your key\n is too long</Message>";
        assert_eq!(
            told(400, body),
            "the endpoint answered 400 KeyTooLongError: Your key is too long"
        );
        assert_eq!(told(502, ""), "the endpoint answered 502");
        let page = format!("<html>{}", "x".repeat(5_000));
        assert_eq!(told(502, &page).len(), 28 + MESSAGE_CHARS_MAX - 1);
    }
}
