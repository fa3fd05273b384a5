//! URLs of databases as JDBC has them: `jdbc:postgresql://host:port/database?sslmode=verify-full`
//! (the PostgreSQL JDBC driver, "Connecting to the Database"), and the same with `redshift` (Amazon
//! Redshift, "Getting the JDBC URL"). Pure.

use types::Invalid;

use crate::endpoints::{DatabaseServer, Security};

/// What a database is, as its URL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL: rows are sent to it.
    PostgreSql,
    /// Amazon Redshift: it fetches objects.
    Redshift,
}

impl Dialect {
    const ALL: [Self; 2] = [Self::PostgreSql, Self::Redshift];

    /// What URLs of it begin with.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::PostgreSql => "jdbc:postgresql://",
            Self::Redshift => "jdbc:redshift://",
        }
    }

    /// That of a URL; `None`: it is another one's, or no URL.
    pub fn of(url: &str) -> Option<Self> {
        let is_of = |dialect: &Self| url.starts_with(dialect.scheme());
        Self::ALL.into_iter().find(is_of)
    }
}

/// A database, and the server that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JdbcUrl {
    /// What it is.
    pub dialect: Dialect,
    /// The server, and what protects the way to it.
    pub server: DatabaseServer,
    /// The database's name.
    pub database: String,
}

impl JdbcUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence that says what is wrong. No text of the URL's parameters is in it: there may be
    /// a password.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let schemes = Dialect::ALL.map(Dialect::scheme).join(" or ");
        let dialect = Dialect::of(text);
        let dialect = dialect.ok_or_else(|| Invalid(format!("it begins with no {schemes}")))?;
        let scheme = dialect.scheme();
        let rest = text.strip_prefix(scheme).unwrap_or_default();
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let not_whole = || Invalid(format!("it is not {scheme}host:port/database"));
        let (authority, database) = place.split_once('/').ok_or_else(not_whole)?;
        let (host, port) = authority.rsplit_once(':').ok_or_else(not_whole)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_$-".contains(&byte);
        // The model's pattern has the same letters.
        if database.is_empty() || !database.bytes().all(is_of_name) {
            return Err(Invalid(
                "the name of the database is not of letters, digits, _, $ and -".to_owned(),
            ));
        }
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]_".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_of_host) {
            return Err(Invalid("its host is none".to_owned()));
        }
        Ok(Self {
            dialect,
            server: DatabaseServer {
                host: host.to_owned(),
                port: port.ok_or_else(not_whole)?,
                security: security(parameters)?,
            },
            database: database.to_owned(),
        })
    }
}

/// What protects the way: `sslmode`, which is the one parameter that is known.
fn security(parameters: &str) -> Result<Security, Invalid> {
    let mut security = None;
    for parameter in parameters.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name != "sslmode" {
            return Err(Invalid(
                "it has a parameter besides sslmode, and none is known; user and password are \
                 Username and Password"
                    .to_owned(),
            ));
        }
        let said = match value {
            "disable" => Security::Plain,
            "require" => Security::Encrypted,
            "verify-full" => Security::Verified,
            _ => {
                return Err(Invalid(
                    "sslmode is none of disable, require and verify-full".to_owned(),
                ));
            }
        };
        if security.replace(said).is_some() {
            return Err(Invalid("sslmode is there twice".to_owned()));
        }
    }
    Ok(security.unwrap_or(Security::Verified))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRESQL: &str = "jdbc:postgresql://";

    #[test]
    fn a_url_names_server_database_and_what_protects_the_way() {
        for (rest, host, port, security) in [
            (
                "db.example:5432/dev",
                "db.example",
                5432,
                Security::Verified,
            ),
            ("[::1]:1/dev?sslmode=disable", "[::1]", 1, Security::Plain),
            (
                "10.0.0.1:65535/dev?sslmode=require",
                "10.0.0.1",
                65535,
                Security::Encrypted,
            ),
            ("a:1/dev?sslmode=verify-full", "a", 1, Security::Verified),
        ] {
            for dialect in Dialect::ALL {
                let url = JdbcUrl::parse(&format!("{}{rest}", dialect.scheme())).unwrap();
                let wanted = DatabaseServer {
                    host: host.to_owned(),
                    port,
                    security,
                };
                assert_eq!((url.dialect, url.server), (dialect, wanted));
                assert_eq!(url.database, "dev");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused_and_no_password_is_told() {
        for rest in [
            "",
            "a",
            "a:1",
            "a:1/",
            "a/dev",
            "a:0/dev",
            "a:65536/dev",
            ":1/dev",
            "a b:1/dev",
            "user@a:1/dev",
            "a:1/d/e",
            "a:1/dev?sslmode=prefer",
            "a:1/dev?sslmode=disable&sslmode=disable",
            "a:1/dev?password=hidden",
        ] {
            let Invalid(why) = JdbcUrl::parse(&format!("{POSTGRESQL}{rest}")).unwrap_err();
            assert!(!why.contains("hidden"), "{why}");
        }
        assert!(JdbcUrl::parse("jdbc:mysql://a:1/dev").is_err());
    }
}
