//! Why a transaction did not go through, and what that means for its records. Pure but for the
//! error of the client that it is read from.

use std::time::Duration;

use types::Invalid;

use super::LOAD_FAILED;
use crate::answers::Fault;
use crate::endpoints::{ANSWER_BYTES_MAX, NoReply};
use crate::secret::Secret;
use crate::sink::Answer;
use crate::sink::verdict::{misconfigured, words};

/// When something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    /// Before the ledger was asked for.
    Unasked,
    /// Before the ledger was had: whoever has it is loading something else.
    Waiting,
    /// Before it was asked for that what was loaded lasts. Nothing is there.
    Loading,
    /// While it was. If the answer was lost it may be there.
    Committing,
}

/// When something went wrong, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(pub During, pub Trouble);

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self(During::Unasked, trouble)
    }
}

impl From<Invalid> for Failed {
    fn from(invalid: Invalid) -> Self {
        Trouble::from(invalid).into()
    }
}

/// Why a transaction did not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no connection.
    NotConnected(NoReply),
    /// The database refused something. Nothing of the transaction is there.
    Refused {
        /// Its code (PostgreSQL, "PostgreSQL Error Codes").
        code: String,
        /// What it says, after the code.
        message: String,
    },
    /// The database refuses all of the records that were tried by themselves. That may be for
    /// their data or not.
    Unexplained(String),
    /// The database answered more than is read. The connection has ended.
    TooMuch,
    /// The connection ended, or was given up. Where that was at the end, the transaction may be
    /// there.
    Lost(String),
    /// The same, since there was no answer for so long.
    Late(Duration),
    /// What is kept of the configuration or of the request cannot be meant.
    NotMeant(String),
}

impl From<Invalid> for Trouble {
    fn from(Invalid(why): Invalid) -> Self {
        Self::NotMeant(why)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::told(&error, None)
    }
}

impl Trouble {
    /// What an error says, without the password that it may repeat.
    pub fn told(error: &tokio_postgres::Error, password: Option<&Secret>) -> Self {
        let clean = |text: String| match password {
            Some(password) => password.crossed_out_of(text),
            None => text,
        };
        if let Some(said) = error.as_db_error() {
            let detail = said.detail().map(|it| format!(" ({it})"));
            let text = format!("{}{}", said.message(), detail.unwrap_or_default());
            return Self::refused(said.code().code(), &clean(text));
        }
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        Self::Lost(clean(format!("{error}{}", cause.unwrap_or_default())))
    }

    /// A refusal in the database's own form.
    pub fn refused(code: &str, text: &str) -> Self {
        Self::Refused {
            code: code.to_owned(),
            message: format!("{code}: {}", words(text)),
        }
    }

    /// What the database says, if it refuses records and nothing else: data that it cannot take
    /// (classes 22 and 23), what is too large or too deep for it (54), a view or a trigger that
    /// says no (44000, P0001).
    pub fn of_records(&self) -> Option<&str> {
        let Self::Refused { code, message } = self else {
            return None;
        };
        let is_of_records = match code.get(..2) {
            Some("22" | "23" | "54") => true,
            _ => matches!(code.as_str(), "44000" | "P0001"),
        };
        is_of_records.then_some(message)
    }

    /// What the database says, if it may refuse records, of which it is not sure by its code: a
    /// text that its type cannot read has the code of a wrong statement (42601, 42P01, 42704,
    /// XX000), and a trigger may give any. It is not what is sure to be about something else: the
    /// connection (08), who asks and what he may do (28, 0P, 42501), the database and the schema
    /// (3D, 3F), and what may pass: a deadlock (40), a lock (55), a disk or memory that is full
    /// (53), a shutdown or a cancellation (57), files (58, XX001, XX002), a standby (25).
    pub fn may_be_of_records(&self) -> Option<&str> {
        let Self::Refused { code, message } = self else {
            return None;
        };
        let class = code.get(..2)?;
        let is_other = matches!(
            class,
            "08" | "25" | "28" | "0P" | "3D" | "3F" | "40" | "53" | "55" | "57" | "58"
        ) || matches!(code.as_str(), "42501" | "XX001" | "XX002");
        (!is_other).then_some(message)
    }

    /// What becomes of the request of this id, which is tried again for so long.
    pub fn answer(self, id: &str, (during, retry_time): (During, Duration)) -> Answer {
        let again = |code: &'static str, message: String| Answer::AgainForItsTime {
            why: format!("send request {id} to the database: {message}"),
            fault: Fault { code, message },
            retry_time,
            is_unasked: during == During::Unasked,
        };
        match (during, self) {
            (During::Committing, trouble @ (Self::Lost(_) | Self::Late(_) | Self::TooMuch)) => {
                let why = trouble.of_connection();
                Answer::MayBeThere(format!(
                    "send request {id} to the database: {why}, before it was known whether it is \
                     there. That is looked for in the ledger"
                ))
            }
            (_, Self::NotConnected(NoReply::Forbidden(why))) => misconfigured(id, &why, true),
            (_, Self::Refused { code, message }) if is_of_configuration(&code) => {
                misconfigured(id, &message, true)
            }
            (_, Self::NotMeant(why)) => misconfigured(id, &why, false),
            (_, Self::Refused { code, message }) => again(word_for(&code), message),
            (_, Self::Unexplained(message)) => again(LOAD_FAILED, message),
            (_, Self::NotConnected(no_reply)) => again(CONNECTION_FAILED, not_connected(no_reply)),
            (_, trouble @ (Self::Lost(_) | Self::Late(_) | Self::TooMuch)) => {
                again(CONNECTION_FAILED, trouble.of_connection())
            }
        }
    }

    /// What happened to a connection, as a sentence.
    pub fn of_connection(&self) -> String {
        match self {
            Self::Late(time) => ended(&format!("it has not answered for {} s", time.as_secs())),
            Self::TooMuch => ended(&format!("it answers more than {ANSWER_BYTES_MAX} bytes")),
            Self::Lost(why) | Self::NotMeant(why) | Self::Unexplained(why) => ended(why),
            Self::Refused { message, .. } => ended(message),
            Self::NotConnected(no_reply) => not_connected(no_reply.clone()),
        }
    }
}

/// Why there is no connection, as a sentence.
pub fn not_connected(no_reply: NoReply) -> String {
    let why = match no_reply {
        NoReply::NotConnected(why) | NoReply::Broken(why) | NoReply::Forbidden(why) => words(&why),
        NoReply::Late => "it did not answer".to_owned(),
        NoReply::TooLarge => "it answered too much".to_owned(),
    };
    format!("Unable to connect to the database: {why}")
}

fn ended(why: &str) -> String {
    format!("The connection to the database ended: {}", words(why))
}

/// AWS's words (developer guide, "Amazon Redshift data delivery errors").
pub const CONNECTION_FAILED: &str = "Redshift.ConnectionFailed";
pub const DISK_FULL: &str = "Redshift.DiskFull";
pub const READ_ONLY: &str = "Redshift.ReadOnlyCluster";

fn word_for(code: &str) -> &'static str {
    match code {
        "53100" => DISK_FULL,
        "25006" => READ_ONLY,
        _ if code.starts_with("08") => CONNECTION_FAILED,
        _ => LOAD_FAILED,
    }
}

/// Whether a refusal lasts until somebody changes the configuration, here or there: who asks (28,
/// 0P), which database or schema (3D, 3F), which table, columns and rights (42), what the database
/// cannot do (0A).
fn is_of_configuration(code: &str) -> bool {
    matches!(code.get(..2), Some("28" | "0P" | "3D" | "3F" | "42" | "0A"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(1);

    #[test]
    fn data_costs_its_records_and_the_configuration_none() {
        for code in [
            "22P02", "22001", "23505", "23502", "54000", "P0001", "44000",
        ] {
            let trouble = Trouble::refused(code, "no\nwell");
            let said = format!("{code}: no well");
            assert_eq!(trouble.of_records(), Some(said.as_str()), "{code}");
        }
        for code in [
            "28P01", "28000", "3D000", "3F000", "42P01", "42703", "42501", "0A000",
        ] {
            let trouble = Trouble::refused(code, "no");
            assert_eq!(trouble.of_records(), None, "{code}");
            let Answer::Again { why, is_refused } = trouble.answer("x", (During::Loading, TIME))
            else {
                panic!("{code}");
            };
            assert!(is_refused && why.contains("Nothing is dropped"), "{why}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_for_its_time() {
        for (trouble, word) in [
            (Trouble::refused("53100", "full"), DISK_FULL),
            (Trouble::refused("25006", "standby"), READ_ONLY),
            (Trouble::refused("08006", "gone"), CONNECTION_FAILED),
            (Trouble::refused("40P01", "deadlock"), LOAD_FAILED),
            (Trouble::refused("57014", "timeout"), LOAD_FAILED),
            (Trouble::refused("XX000", "bug"), LOAD_FAILED),
            (Trouble::Lost("reset".to_owned()), CONNECTION_FAILED),
            (Trouble::NotConnected(NoReply::Late), CONNECTION_FAILED),
        ] {
            assert_eq!(trouble.of_records(), None);
            let Answer::AgainForItsTime { fault, .. } =
                trouble.clone().answer("x", (During::Loading, TIME))
            else {
                panic!("{trouble:?}");
            };
            assert_eq!(fault.code, word, "{trouble:?}");
        }
        let forbidden = Trouble::NotConnected(NoReply::Forbidden("no".to_owned()));
        assert!(matches!(
            forbidden.answer("x", (During::Unasked, TIME)),
            Answer::Again {
                is_refused: true,
                ..
            }
        ));
    }
}
