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
        Failure::Text(_) | Failure::Call(_) => {
            // Without a standard error the exit code must do.
            let _ = crate::output::complain(&format!("millrace: {}", failure.text()));
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
