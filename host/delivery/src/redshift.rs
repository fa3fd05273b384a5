//! A database as a destination, as `RedshiftDestinationConfiguration` says it: PostgreSQL, by a URL
//! that begins with `jdbc:postgresql://`, or Amazon Redshift, by one with `jdbc:redshift://`. It is
//! kept as the client gave it; what its texts mean is in the files below.

pub mod copy_options;
pub mod identifiers;
pub mod jdbc_url;
pub mod load_options;
pub mod manifest;
mod tokens;

use bincode::{Decode, Encode};

use self::jdbc_url::Dialect;
use crate::fallback::Fallback;
use crate::secret::Secret;

/// How long is tried again where nobody says (model, RedshiftRetryOptions).
pub const RETRY_SECONDS_DEFAULT: u32 = 3_600;

/// Where rows go, and what is done about those that are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Redshift {
    /// Where the database is, and how it is spoken to.
    pub url: String,
    /// Who inserts. It is described, as AWS describes it.
    pub user: String,
    /// What the database knows the user by. It is shown to nobody.
    pub password: Secret,
    /// Which rows records become, and where.
    pub copy: CopyTerms,
    /// What is done about what is not taken.
    pub fallback: Fallback,
}

/// `CopyCommand`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CopyTerms {
    /// The table, maybe after its schema and a point.
    pub table: String,
    /// Its columns in the order of the fields, between commas; `None`: all of them in theirs.
    pub columns: Option<String>,
    /// What records look like.
    pub options: Option<String>,
}

impl Redshift {
    /// Whether it fetches what is staged for it, as Redshift does; else rows are sent to it.
    pub fn fetches(&self) -> bool {
        Dialect::of(&self.url) == Some(Dialect::Redshift)
    }

    /// A database before anything is said of it. It has no URL and no table.
    pub fn blank() -> Self {
        Self {
            url: String::new(),
            user: String::new(),
            password: Secret(String::new()),
            copy: CopyTerms {
                table: String::new(),
                columns: None,
                options: None,
            },
            fallback: Fallback::after(RETRY_SECONDS_DEFAULT),
        }
    }
}
