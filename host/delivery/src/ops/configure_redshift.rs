//! From the members of a Redshift destination to the destination that is kept.

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Structure, Text};

use super::configure::{SourceBackup, checked, set_backup};
use super::configure_requests::{Defaults, common, set_processing};
use super::error::invalid_argument;
use super::redshift_shapes::{CopyCommand, Redshift as Said};
use super::s3_shapes::one_of;
use super::shapes::required;
use crate::Delivery;
use crate::compression::Compression;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT};
use crate::kind::Kind;
use crate::redshift::copy_options::RowForm;
use crate::redshift::identifiers::{self, TableName};
use crate::redshift::jdbc_url::{Dialect, JdbcUrl};
use crate::redshift::load_options::LoadOptions;
use crate::redshift::manifest::check_quotable;
use crate::redshift::{CopyTerms, RETRY_SECONDS_DEFAULT, Redshift};
use crate::secret::Secret;

const DEFAULTS: Defaults = Defaults {
    interval_seconds: INTERVAL_SECONDS_DEFAULT,
    retry_seconds: RETRY_SECONDS_DEFAULT,
};

/// A destination as `RedshiftDestinationConfiguration` or `RedshiftDestinationUpdate` says, over
/// `before`.
///
/// # Errors
/// InvalidArgumentException: what is not served, a URL that nobody may be connected to, names and
/// options that cannot be meant, no user or no password.
pub fn redshift(
    delivery: &Delivery,
    caller: &Caller,
    before: Option<&Destination>,
    said: &Said<'_>,
) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(Destination::blank);
    let mut redshift = match &destination.kind {
        Kind::Redshift(before) => (**before).clone(),
        _ => Redshift::blank(),
    };
    let members = said.members();
    common(&mut destination, &mut redshift.fallback, &members, DEFAULTS)?;
    // The hints of the bucket are those of the delivery: objects of it are what Redshift copies.
    if let Some((size, interval)) = redshift.fallback.bucket.hints {
        (destination.size_mib, destination.interval_seconds) = (size, interval);
    }
    if let Some(arn) = &said.role_arn {
        destination.role_arn = arn.as_str().to_owned();
    }
    set_database(delivery, &mut redshift, said)?;
    if destination.names_secret().is_none() {
        check_user(&redshift)?;
    }
    if let Some(Structure(command)) = &said.copy_command {
        redshift.copy = copy(command, redshift.fetches())?;
    }
    refuse_what_no_copy_reads(&destination, &redshift)?;
    let backup = SourceBackup {
        mode: said.s3_backup_mode.as_ref(),
        bucket: one_of(&said.s3_backup_configuration, &said.s3_backup_update),
    };
    set_backup(&mut destination, backup)?;
    destination.kind = Kind::Redshift(Box::new(redshift));
    set_processing(delivery, caller, &mut destination, &members)?;
    checked(destination)
}

fn set_database(
    delivery: &Delivery,
    redshift: &mut Redshift,
    said: &Said<'_>,
) -> Result<(), ApiError> {
    if let Some(url) = said.url.as_ref().map(Text::as_str) {
        let wrong = |Invalid(why)| invalid_argument(format!("ClusterJDBCURL: {why}."));
        let parsed = JdbcUrl::parse(url).map_err(wrong)?;
        refuse_other_dialect(&redshift.url, parsed.dialect)?;
        let permitted = delivery.tools.endpoints.permits_database(&parsed.server);
        permitted.map_err(wrong)?;
        if redshift.url != url {
            // A password was given for the database of that time: another one never gets it.
            redshift.password = Secret(String::new());
        }
        url.clone_into(&mut redshift.url);
    }
    let has_control = |text: &str| text.chars().any(char::is_control);
    if let Some(user) = said.username.as_ref().map(Text::as_str) {
        if has_control(user) {
            return Err(invalid_argument("Username has a control character."));
        }
        user.clone_into(&mut redshift.user);
    }
    if let Some(password) = said.password.as_ref().map(Text::as_str) {
        if has_control(password) {
            return Err(invalid_argument("Password has a control character."));
        }
        redshift.password = Secret(password.to_owned());
    }
    Ok(())
}

/// There is a user with a password.
fn check_user(redshift: &Redshift) -> Result<(), ApiError> {
    if redshift.user.is_empty() {
        return Err(invalid_argument("Username must be provided."));
    }
    if redshift.password.0.is_empty() {
        return Err(invalid_argument(
            "Password must be provided, also with another ClusterJDBCURL.",
        ));
    }
    Ok(())
}

/// What a delivery stream has begun is rows for one and objects for the other: it cannot change
/// from one to the other.
fn refuse_other_dialect(before: &str, now: Dialect) -> Result<(), ApiError> {
    match Dialect::of(before) {
        Some(dialect) if dialect != now => {
            let (before, now) = (dialect.scheme(), now.scheme());
            Err(invalid_argument(format!(
                "ClusterJDBCURL: it begins with {before} and cannot be changed to {now}. Another \
                 delivery stream can deliver there."
            )))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a `CopyCommand` says. It is kept as it is said, and must be one that can be meant.
fn copy(said: &CopyCommand<'_>, fetches: bool) -> Result<CopyTerms, ApiError> {
    let owned = |text: &Option<Text<'_>>| {
        let text = text.as_ref().map(|text| text.as_str().to_owned());
        text.filter(|text| !text.is_empty())
    };
    let wrong = |member: &'static str| {
        move |Invalid(why): Invalid| invalid_argument(format!("{member}: {why}."))
    };
    let copy = CopyTerms {
        table: required(&said.data_table_name)?.as_str().to_owned(),
        columns: owned(&said.data_table_columns),
        options: owned(&said.copy_options),
    };
    let dialect = if fetches {
        Dialect::Redshift
    } else {
        Dialect::PostgreSql
    };
    TableName::parse(&copy.table, dialect).map_err(wrong("DataTableName"))?;
    if let Some(columns) = &copy.columns {
        identifiers::columns(columns, dialect).map_err(wrong("DataTableColumns"))?;
    }
    if let Some(options) = &copy.options {
        let read = match dialect {
            Dialect::Redshift => LoadOptions::parse(options).map(|_| ()),
            Dialect::PostgreSql => RowForm::parse(options).map(|_| ()),
        };
        read.map_err(wrong("CopyOptions"))?;
    }
    Ok(copy)
}

/// What stands in the bucket is what Redshift copies (model, CompressionFormat), and where it is
/// does not follow from times (developer guide, "Custom prefixes for Amazon S3 objects").
fn refuse_what_no_copy_reads(
    destination: &Destination,
    redshift: &Redshift,
) -> Result<(), ApiError> {
    match destination.compression {
        Compression::Zip | Compression::Snappy | Compression::HadoopSnappy => {
            return Err(invalid_argument(
                "The compression formats SNAPPY or ZIP cannot be specified for Amazon Redshift \
                 destinations because they are not supported by the Amazon Redshift COPY operation \
                 that reads from the S3 bucket.",
            ));
        }
        Compression::Uncompressed | Compression::Gzip | Compression::Zstd => {}
    }
    let prefix = destination.prefix.as_deref().unwrap_or_default();
    if prefix.contains("!{") {
        return Err(invalid_argument(
            "Prefix has an expression, which is not supported for Amazon Redshift destinations.",
        ));
    }
    if redshift.fetches() {
        let said = |member| move |Invalid(why)| invalid_argument(format!("{member}: {why}."));
        check_quotable(prefix).map_err(said("Prefix"))?;
        check_quotable(&destination.role_arn).map_err(said("RoleARN"))?;
        let options = redshift.copy.options.as_deref().unwrap_or_default();
        let packing = LoadOptions::parse(options)
            .and_then(|options| options.check_packing(destination.compression));
        packing.map_err(said("CopyOptions"))?;
    }
    Ok(())
}
