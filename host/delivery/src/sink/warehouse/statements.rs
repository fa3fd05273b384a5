//! What Redshift is asked for, as text: it gets no values apart from statements. Pure.

use std::time::Duration;

use types::Invalid;

use crate::redshift::CopyTerms;
use crate::redshift::identifiers::{self, Identifier, TableName};
use crate::redshift::jdbc_url::Dialect;
use crate::redshift::load_options::LoadOptions;
use crate::redshift::manifest::{S3Url, quoted};

/// A COPY of what manifests name.
pub struct Copy<'a> {
    /// The table, its columns and how records look.
    pub terms: &'a CopyTerms,
    /// The command that says how objects are packed.
    pub packed_by: &'a CopyTerms,
    /// By whom Redshift reads them.
    pub role_arn: &'a str,
}

impl Copy<'_> {
    /// The statement (Amazon Redshift, COPY, and "Amazon Redshift destination settings" of the
    /// developer guide of Data Firehose, whose order it has).
    ///
    /// # Errors
    /// When what is kept cannot be meant.
    pub fn statement(&self, manifest: &S3Url) -> Result<String, Invalid> {
        let table = TableName::parse(&self.terms.table, Dialect::Redshift)?;
        let mut statement = format!("COPY {}", table.quoted());
        if let Some(columns) = &self.terms.columns {
            let columns = identifiers::columns(columns, Dialect::Redshift)?;
            let columns: Vec<_> = columns.iter().map(Identifier::quoted).collect();
            statement.push_str(&format!(" ({})", columns.join(", ")));
        }
        let from = quoted(manifest.as_str())?;
        let credentials = quoted(&format!("aws_iam_role={}", self.role_arn))?;
        statement.push_str(&format!(" FROM {from} CREDENTIALS {credentials} MANIFEST"));
        let options = options(self.terms)?.written(&options(self.packed_by)?);
        if !options.is_empty() {
            statement.push(' ');
            statement.push_str(&options);
        }
        Ok(statement)
    }
}

/// Has what takes longer than this ended by the server.
pub fn time_max(time: Duration) -> String {
    format!("SET statement_timeout TO {}", time.as_millis())
}

fn options(terms: &CopyTerms) -> Result<LoadOptions, Invalid> {
    LoadOptions::parse(terms.options.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(table: &str, columns: Option<&str>, options: Option<&str>) -> CopyTerms {
        CopyTerms {
            table: table.to_owned(),
            columns: columns.map(str::to_owned),
            options: options.map(str::to_owned),
        }
    }

    fn statement(terms: &CopyTerms, packed_by: &CopyTerms) -> Result<String, Invalid> {
        let role_arn = "arn:aws:iam::000000000000:role/a";
        let copy = Copy {
            terms,
            packed_by,
            role_arn,
        };
        copy.statement(&S3Url::of("staged", "a/manifests/m"))
    }

    #[test]
    fn a_copy_is_what_amazon_says() {
        let plain = terms("events", None, None);
        assert_eq!(
            statement(&plain, &plain).unwrap(),
            "COPY \"events\" FROM 's3://staged/a/manifests/m' CREDENTIALS \
             'aws_iam_role=arn:aws:iam::000000000000:role/a' MANIFEST"
        );
        let whole = terms("s.\"E\"", Some("a, \"b c\""), Some("json 'auto'"));
        let packed = terms("events", None, Some("csv gzip;"));
        assert_eq!(
            statement(&whole, &packed).unwrap(),
            "COPY \"s\".\"E\" (\"a\", \"b c\") FROM 's3://staged/a/manifests/m' CREDENTIALS \
             'aws_iam_role=arn:aws:iam::000000000000:role/a' MANIFEST JSON 'auto' GZIP"
        );
        let other = terms("events", None, Some("csv; drop"));
        assert!(statement(&other, &plain).is_err());
    }

    #[test]
    fn times_are_milliseconds() {
        let minute = time_max(Duration::from_secs(60));
        assert_eq!(minute, "SET statement_timeout TO 60000");
    }
}
