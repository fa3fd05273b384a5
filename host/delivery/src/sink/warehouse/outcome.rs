//! Why an object was not loaded, and what that means for its records. What Redshift says of S3, of
//! roles and of data has one code for all (XX000), so that its words are looked at, too. Pure but
//! for the question why data was refused.

use std::time::Duration;

use crate::answers::Fault;
use crate::endpoints::{ANSWER_TIME_MAX, NoReply};
use crate::sink::Answer;
use crate::sink::database::LOAD_FAILED;
use crate::sink::database::session::Session;
use crate::sink::database::trouble::{
    CONNECTION_FAILED, DISK_FULL, During, Failed, READ_ONLY, Trouble, not_connected,
};
use crate::sink::verdict::words;

/// AWS's words for what lasts until somebody changes something, here or there (developer guide,
/// "Amazon Redshift data delivery errors").
const AUTHENTICATION_FAILED: &str = "Redshift.AuthenticationFailed";
const ACCESS_DENIED: &str = "Redshift.AccessDenied";
const BUCKET_ACCESS_DENIED: &str = "Redshift.S3BucketAccessDenied";
const DATABASE_NOT_FOUND: &str = "Redshift.DatabaseNotFound";
const TABLE_NOT_FOUND: &str = "Redshift.TableNotFound";
const COLUMN_NOT_FOUND: &str = "Redshift.ColumnNotFound";
const INSUFFICIENT_PRIVILEGE: &str = "Redshift.InsufficientPrivilege";
const SYNTAX_ERROR: &str = "Redshift.SyntaxError";
const INCORRECT_OPTIONS: &str = "Redshift.IncorrectCopyOptions";
const WRONG_REGION: &str = "Redshift.IncorrectOrMissingRegion";
/// And for what may be another way when it is tried again.
const MISSING_FILE: &str = "Redshift.MissingS3File";

/// What ended a statement that took longer than it may.
const CANCELLED: &str = "57014";
/// Who asks. It is asked for by itself, since the function is one of the leader node, which no
/// statement about a table may name (Amazon Redshift, "Leader node-only functions").
const OWN_SESSION: &str = "SELECT pg_backend_pid()";

impl Failed {
    /// What becomes of the object of this manifest, whose load is tried again for so long.
    pub fn answer(self, manifest: &str, retry_time: Duration) -> Answer {
        let Self(during, trouble) = self;
        let again = |what: &str| Answer::Again {
            why: format!("load {manifest}: {what}"),
            // The object and its manifest are there.
            is_refused: false,
        };
        match (during, &trouble) {
            (During::Committing, Trouble::Lost(_) | Trouble::Late(_) | Trouble::TooMuch) => {
                return Answer::MayBeThere(format!(
                    "load {manifest}: the connection ended before it was known whether it is \
                     there. That is looked for in the ledger"
                ));
            }
            (During::Waiting, Trouble::Late(_)) => return again(ANOTHER_LOADS),
            (During::Waiting, Trouble::Refused { code, .. }) if code == CANCELLED => {
                return again(ANOTHER_LOADS);
            }
            _ => {}
        }
        let is_of_configuration = is_of_configuration(&trouble);
        let (code, message) = told(trouble);
        if is_of_configuration {
            return again(&format!(
                "{code}: {message}. Nothing is dropped: it is tried again until the cluster or the \
                 configuration is changed"
            ));
        }
        Answer::AgainForItsTime {
            why: format!("load {manifest}: {message}"),
            fault: Fault { code, message },
            retry_time,
            is_unasked: matches!(during, During::Unasked | During::Waiting),
        }
    }
}

const ANOTHER_LOADS: &str = "the ledger is held by somebody who loads something else";

/// Whether it lasts until somebody changes the configuration, here or there.
pub fn is_of_configuration(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::NotConnected(NoReply::Forbidden(_)) | Trouble::NotMeant(_) => true,
        Trouble::Refused { code, message } => lasting(code, message).is_some(),
        Trouble::NotConnected(_)
        | Trouble::Lost(_)
        | Trouble::Late(_)
        | Trouble::TooMuch
        | Trouble::Unexplained(_) => false,
    }
}

/// AWS's word, and what happened.
fn told(trouble: Trouble) -> (&'static str, String) {
    match trouble {
        Trouble::Refused { code, message } => {
            let lasting = lasting(&code, &message);
            let word = lasting.unwrap_or_else(|| passing(&code, &message));
            (word, message)
        }
        Trouble::NotConnected(no_reply) => (CONNECTION_FAILED, not_connected(no_reply)),
        trouble @ (Trouble::Lost(_) | Trouble::Late(_) | Trouble::TooMuch) => {
            (CONNECTION_FAILED, trouble.of_connection())
        }
        Trouble::Unexplained(why) => (LOAD_FAILED, why),
        Trouble::NotMeant(why) => (INCORRECT_OPTIONS, why),
    }
}

/// AWS's word for a refusal that lasts.
fn lasting(code: &str, message: &str) -> Option<&'static str> {
    let by_code = match code {
        "3D000" => Some(DATABASE_NOT_FOUND),
        "3F000" | "42P01" => Some(TABLE_NOT_FOUND),
        "42703" => Some(COLUMN_NOT_FOUND),
        "42501" => Some(INSUFFICIENT_PRIVILEGE),
        "42601" => Some(SYNTAX_ERROR),
        _ => match code.get(..2) {
            Some("28" | "0P") => Some(AUTHENTICATION_FAILED),
            Some("42" | "0A") => Some(INCORRECT_OPTIONS),
            _ => None,
        },
    };
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    };
    by_code.or_else(|| {
        if says(&[
            "not authorized to assume",
            "not associated to",
            "assumerole",
        ]) {
            Some(ACCESS_DENIED)
        } else if says(&["permanentredirect", "specified endpoint", "wrong region"]) {
            Some(WRONG_REGION)
        } else if says(&[
            "access denied",
            "accessdenied",
            "nosuchbucket",
            "invalidaccesskey",
        ]) {
            Some(BUCKET_ACCESS_DENIED)
        } else {
            None
        }
    })
}

/// AWS's word for one that may pass.
fn passing(code: &str, message: &str) -> &'static str {
    match code {
        "53100" => DISK_FULL,
        "25006" => READ_ONLY,
        _ if code.starts_with("08") || code.starts_with("57P") => CONNECTION_FAILED,
        _ if message.to_ascii_lowercase().contains("nosuchkey") => MISSING_FILE,
        _ => LOAD_FAILED,
    }
}

/// What Redshift has noted of the data that it refuses, after what it said. Where it notes nothing
/// that can be read, what it said has to do.
pub async fn with_reason(session: &Session, trouble: Trouble) -> Trouble {
    let Trouble::Refused { code, message } = &trouble else {
        return trouble;
    };
    let is_of_data = lasting(code, message).is_none() && passing(code, message) == LOAD_FAILED;
    if !is_of_data || session.ask("ROLLBACK", ANSWER_TIME_MAX).await.is_err() {
        return trouble;
    }
    match noted(session).await {
        Some([line, column, reason]) => Trouble::Refused {
            code: code.clone(),
            message: format!("{message} (line {line}, column {column}: {reason})"),
        },
        None => trouble,
    }
}

/// Line, column and reason of what was refused last, as Redshift has noted them (Amazon Redshift,
/// STL_LOAD_ERRORS). What stood there is a record's, and is not asked for.
async fn noted(session: &Session) -> Option<[String; 3]> {
    let own = session.ask(OWN_SESSION, ANSWER_TIME_MAX).await.ok()?;
    let own: u32 = own.first()?.try_get(0).ok()??.parse().ok()?;
    let select = format!(
        "SELECT line_number, TRIM(colname), TRIM(err_reason) FROM stl_load_errors WHERE session = \
         {own} ORDER BY starttime DESC LIMIT 1"
    );
    let rows = session.ask(&select, ANSWER_TIME_MAX).await.ok()?;
    let row = rows.first()?;
    let text = |column| row.try_get(column).ok().flatten().map(words);
    Some([text(0)?, text(1)?, text(2)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(1);

    fn answer(during: During, trouble: Trouble) -> Answer {
        Failed(during, trouble).answer("s3://b/m", TIME)
    }

    #[test]
    fn the_configuration_costs_no_record() {
        for (code, message, word) in [
            ("28000", "password", AUTHENTICATION_FAILED),
            ("3D000", "database", DATABASE_NOT_FOUND),
            ("42P01", "relation", TABLE_NOT_FOUND),
            ("3F000", "schema", TABLE_NOT_FOUND),
            ("42703", "column", COLUMN_NOT_FOUND),
            ("42501", "permission", INSUFFICIENT_PRIVILEGE),
            ("42601", "syntax", SYNTAX_ERROR),
            ("0A000", "options", INCORRECT_OPTIONS),
            (
                "XX000",
                "User arn:x is not authorized to assume IAM Role arn:y",
                ACCESS_DENIED,
            ),
            (
                "XX000",
                "S3ServiceException:Access Denied,Status 403,Error AccessDenied",
                BUCKET_ACCESS_DENIED,
            ),
            (
                "XX000",
                "S3ServiceException:must be addressed using the specified endpoint",
                WRONG_REGION,
            ),
        ] {
            let answered = answer(During::Loading, Trouble::refused(code, message));
            let Answer::Again { why, is_refused } = answered else {
                panic!("{code}: {answered:?}");
            };
            assert!(!is_refused && why.contains("Nothing is dropped"), "{why}");
            assert!(why.contains(word) && why.contains("s3://b/m"), "{why}");
        }
    }

    #[test]
    fn what_may_pass_and_what_the_data_is_wrong_about_is_tried_for_its_time() {
        for (trouble, word) in [
            (
                Trouble::refused("XX000", "Load into table 'events' failed."),
                LOAD_FAILED,
            ),
            (Trouble::refused("53100", "full"), DISK_FULL),
            (Trouble::refused("25006", "resize"), READ_ONLY),
            (Trouble::refused("57P01", "shutdown"), CONNECTION_FAILED),
            (Trouble::refused(CANCELLED, "timeout"), LOAD_FAILED),
            (
                Trouble::refused("XX000", "S3ServiceException:NoSuchKey"),
                MISSING_FILE,
            ),
            (Trouble::Lost("reset".to_owned()), CONNECTION_FAILED),
            (Trouble::Late(TIME), CONNECTION_FAILED),
            (Trouble::NotConnected(NoReply::Late), CONNECTION_FAILED),
        ] {
            let answered = answer(During::Loading, trouble.clone());
            let Answer::AgainForItsTime { fault, .. } = answered else {
                panic!("{trouble:?}: {answered:?}");
            };
            assert_eq!(fault.code, word, "{trouble:?}");
        }
    }

    #[test]
    fn neither_waiting_for_others_nor_a_lost_answer_costs_time() {
        let cancelled = Trouble::refused(CANCELLED, "timeout");
        let lost = Trouble::Lost("reset".to_owned());
        for trouble in [Trouble::Late(TIME), cancelled.clone()] {
            let answered = answer(During::Waiting, trouble.clone());
            let is_untimed = matches!(
                answered,
                Answer::Again {
                    is_refused: false,
                    ..
                }
            );
            assert!(is_untimed, "{trouble:?}: {answered:?}");
        }
        for trouble in [lost.clone(), Trouble::Late(TIME)] {
            let answered = answer(During::Committing, trouble);
            assert!(matches!(answered, Answer::MayBeThere(_)), "{answered:?}");
        }
        // A refused COMMIT is an answer: nothing is there.
        for (during, trouble, wanted) in [
            (During::Committing, cancelled.clone(), false),
            (During::Loading, cancelled, false),
            (During::Waiting, lost.clone(), true),
            (During::Unasked, lost, true),
        ] {
            let Answer::AgainForItsTime { is_unasked, .. } = answer(during, trouble) else {
                panic!("{during:?}");
            };
            assert_eq!(is_unasked, wanted, "{during:?}");
        }
    }
}
