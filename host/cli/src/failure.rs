//! Why a command did not do what it was asked.

use std::io;
use std::process::ExitCode;

use crate::client::CallError;

/// What clap ends with where the arguments are none.
const CODE_OF_UNABLE: u8 = 2;

/// What ends a command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something a person should read.
    Text(String),
    /// Something that another program reads: it stands alone, without our name in front.
    Bare(String),
    /// A call to a server that it refused, or did not answer.
    Call(CallError),
    /// Nothing could be said of what was asked: the exit code is 2, as for arguments that are none.
    Unable(String),
    /// Whoever read our output has gone, as `head` does when it has enough: no failure of ours.
    ReaderGone,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Failure {
    /// What a person should read of it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Unable(text) | Self::Bare(text) => text.clone(),
            Self::Call(error) => error.to_string(),
            Self::ReaderGone => "whoever read the output has gone".to_owned(),
        }
    }
}

impl From<io::Error> for Failure {
    /// An error of writing our output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Text(format!("write the output: {error}")),
        }
    }
}

/// Says on standard error what went wrong; the exit code is 1 if something did.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::ReaderGone => ExitCode::SUCCESS,
        Failure::Text(text) => {
            // Without a standard error the exit code must do.
            let _ = crate::output::complain(&format!("millrace: {text}"));
            ExitCode::FAILURE
        }
        Failure::Call(error) => {
            let _ = crate::output::complain(&format!("millrace: {error}"));
            if let Some(step) = next_step(error) {
                let _ = crate::output::complain(&format!("  {step}"));
            }
            ExitCode::FAILURE
        }
        Failure::Unable(text) => {
            let _ = crate::output::complain(&format!("millrace: {text}"));
            ExitCode::from(CODE_OF_UNABLE)
        }
        Failure::Bare(text) => {
            let _ = crate::output::complain(text);
            ExitCode::FAILURE
        }
    }
}

/// How what is said of something that is not there begins, and how to see what is.
const MISSING: [(&str, &str, &str); 6] = [
    (NOT_FOUND, "There is no such plugin ", PLUGINS),
    ("InvalidArgumentException", "Lambda function ", PLUGINS),
    (
        NOT_FOUND,
        "Stream ",
        "`millrace stream list` shows those there are, `millrace stream create NAME` makes one",
    ),
    (
        NOT_FOUND,
        "There is no such application ",
        "`millrace app list` shows those there are, `millrace app create NAME` makes one",
    ),
    (
        NOT_FOUND,
        "There is no such delivery stream ",
        "`millrace delivery list` shows those there are, `millrace delivery create NAME` makes one",
    ),
    (
        NOT_FOUND,
        "There is no such table ",
        "`millrace table list` shows those there are; an application makes its own",
    ),
];
const NOT_FOUND: &str = "ResourceNotFoundException";
const PLUGINS: &str =
    "`millrace plugin list` shows those there are, `millrace plugin deploy` adds one";

/// What somebody does next whose call failed, where most who see it need the same.
fn next_step(error: &CallError) -> Option<&'static str> {
    let (code, message) = match error {
        CallError::Refused { code, message, .. } => (code.as_str(), message.as_str()),
        CallError::Broken(what) if what.contains("connect: Connection refused") => {
            return Some(
                "no server answers there: `millrace serve` starts one, and --endpoint or \
                 AWS_ENDPOINT_URL names another",
            );
        }
        CallError::Broken(_) => return None,
    };
    let mut missing = MISSING.iter();
    let missing = missing.find(|(of, begins, _)| code == *of && message.starts_with(begins));
    if let Some((_, _, step)) = missing {
        return Some(step);
    }
    match code {
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException" => Some(
            "who calls is said by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as the server's \
             [[credentials]] have them",
        ),
        "AccessDeniedException" if message.contains("is not authorized to perform") => {
            Some("the server's log says which policy lacks what")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, message: &str) -> CallError {
        CallError::Refused {
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: String::new(),
        }
    }

    #[test]
    fn what_most_need_next_is_said_and_nothing_where_nobody_knows() {
        for (error, words) in [
            (
                refused("ResourceNotFoundException", "There is no such plugin x."),
                "plugin list",
            ),
            (
                refused(
                    "ResourceNotFoundException",
                    "Stream s under account 1 not found.",
                ),
                "stream create",
            ),
            (
                refused(
                    "InvalidArgumentException",
                    "Lambda function x does not exist.",
                ),
                "plugin deploy",
            ),
            (
                CallError::Broken("x at y: connect: Connection refused (os error 111)".to_owned()),
                "millrace serve",
            ),
        ] {
            assert!(next_step(&error).is_some_and(|step| step.contains(words)));
        }
        assert_eq!(
            next_step(&refused("ResourceNotFoundException", "Gone.")),
            None
        );
        assert_eq!(next_step(&CallError::Broken("it broke".to_owned())), None);
    }
}
