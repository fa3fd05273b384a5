//! Why a command did not do what it was asked.

use std::io;
use std::process::ExitCode;

use crate::client::CallError;

/// What ends a command early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something a person should read.
    Text(String),
    /// Something that another program reads: it stands alone, without our name in front.
    Bare(String),
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
        Self::Text(error.to_string())
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
        Failure::Bare(text) => {
            let _ = crate::output::complain(text);
            ExitCode::FAILURE
        }
    }
}
