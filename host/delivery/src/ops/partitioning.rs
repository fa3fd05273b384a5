//! Dynamic partitioning and the processors that belong to it, `RecordDeAggregation` and
//! `MetadataExtraction`. AWS's rules: the model (DynamicPartitioningConfiguration, Processor) and
//! the developer guide ("Partition streaming data in Amazon Data Firehose" and the pages below
//! it). It is enabled when a delivery stream is made, or never, and is not disabled. Texts without
//! a note are those that AWS's API was seen to answer.

use types::Invalid;
use wire::ApiError;
use wire::members::{Boolean, Structure};

use super::error::invalid_argument;
use super::s3_shapes::DynamicPartitioning;
use super::shapes::within;
use crate::deaggregation::{Deaggregation, SubRecords};
use crate::delivery_stream::{Destination, Processor};
use crate::partitioning::{Partitioning, RETRY_SECONDS_DEFAULT};
use crate::prefix::KeySource;
use crate::query::Query;

pub const DEAGGREGATION: &str = "RecordDeAggregation";
pub const EXTRACTION: &str = "MetadataExtraction";
const SUB_RECORD_TYPE: &str = "SubRecordType";
const DELIMITER: &str = "Delimiter";
/// Bytes of a delimiter. A longer one is refused; ours.
const DELIMITER_BYTES_MAX: usize = 1_024;
const QUERY: &str = "MetadataExtractionQuery";
const ENGINE: &str = "JsonParsingEngine";
const JQ: &str = "JQ-1.6";

/// Mebibytes that go together at least where there are partitions.
const SIZE_MIB_MIN: u32 = 64;
/// Keys of one prefix (developer guide, "Understand partitioning keys": up to 50).
const KEYS_MAX: usize = 50;

/// What `DynamicPartitioningConfiguration` says, over what a destination has; `is_made` where there
/// was none before.
///
/// # Errors
/// InvalidArgumentException: a change that cannot be made any more.
pub fn set(
    destination: &mut Destination,
    said: &DynamicPartitioning,
    is_made: bool,
) -> Result<(), ApiError> {
    let enables = said.enabled.map(|Boolean(is)| is);
    match (&mut destination.partitioning, enables) {
        // AWS documents these two rules and none of its texts; they are ours.
        (None, Some(true)) if !is_made => {
            return Err(invalid_argument(
                "Dynamic partitioning can only be enabled when the delivery stream is created.",
            ));
        }
        (Some(_), Some(false)) => {
            return Err(invalid_argument(
                "Dynamic partitioning cannot be disabled once it is enabled.",
            ));
        }
        (none @ None, Some(true)) => *none = Some(Partitioning::new(RETRY_SECONDS_DEFAULT)),
        (None | Some(_), _) => {}
    }
    if let (Some(partitioning), Some(Structure(options))) =
        (&mut destination.partitioning, &said.retry_options)
    {
        let seconds = within(options.duration, partitioning.retry_seconds)?;
        partitioning.retry_seconds = seconds;
    }
    Ok(())
}

/// As much goes together, where nothing is said of it, as must at least. What AWS does then it does
/// not say.
pub fn size_mib_default(destination: &Destination) -> Option<u32> {
    destination.partitioning.as_ref().map(|_| SIZE_MIB_MIN)
}

/// Whether the processors of a destination, its prefix and its hints fit together.
///
/// # Errors
/// InvalidArgumentException: what does not.
pub fn check(destination: &Destination) -> Result<(), ApiError> {
    let Some(partitioning) = &destination.partitioning else {
        return Ok(());
    };
    if destination.size_mib < SIZE_MIB_MIN {
        return Err(invalid_argument(format!(
            "BufferingHints.SizeInMBs must be at least {SIZE_MIB_MIN} when Dynamic Partitioning is \
             enabled."
        )));
    }
    let wrong = |Invalid(why)| invalid_argument(why);
    let plan = destination.plan().map_err(wrong)?;
    let keys = plan.prefixes.delivered.keys();
    if keys.len() > KEYS_MAX {
        // Ours.
        let count = keys.len();
        let what = format!("The S3 Prefix has {count} partition keys, not up to {KEYS_MAX}.");
        return Err(invalid_argument(what));
    }
    let names = |source: KeySource| {
        let own = keys.iter().filter(move |key| key.source == source);
        own.map(|key| &key.name)
    };
    let query = partitioning.query.as_deref().map(Query::parse);
    let given = query.as_ref().and_then(|query| query.as_ref().ok()?.keys());
    if let Some(given) = &given {
        let wanted: Vec<&String> = names(KeySource::Query).collect();
        if given.iter().any(|name| !wanted.contains(&name)) {
            return Err(invalid_argument(
                "MetaDataExtraction JQ Query can't contain keys that are not present in the S3 \
                 Prefix expression",
            ));
        }
    }
    // From here on ours.
    let lacks = |name: &String| match (&query, &given) {
        (None, _) => true,
        (Some(_), Some(given)) => !given.contains(name),
        (Some(_), None) => false,
    };
    if let Some(name) = names(KeySource::Query).find(|name| lacks(name)) {
        return Err(invalid_argument(format!(
            "The S3 Prefix has the key !{{partitionKeyFromQuery:{name}}}, and no \
             MetadataExtraction processor that is enabled gives it."
        )));
    }
    if let Some(name) = names(KeySource::Lambda).next()
        && destination.transform.is_none()
    {
        return Err(invalid_argument(format!(
            "The S3 Prefix has the key !{{partitionKeyFromLambda:{name}}}, and no Lambda processor \
             is enabled."
        )));
    }
    if destination.deaggregation.is_some() && destination.decompression.is_some() {
        return Err(invalid_argument(
            "RecordDeAggregation beside Decompression is not supported.",
        ));
    }
    Ok(())
}

/// The one processor of a type, whose parameters are some of these.
fn only<'a>(
    processors: &'a [Processor],
    kind: &str,
    names: [&str; 2],
) -> Result<Option<&'a Processor>, ApiError> {
    let mut all = processors.iter().filter(|(known, _)| known == kind);
    let Some(first) = all.next() else {
        return Ok(None);
    };
    if all.next().is_some() {
        return Err(invalid_argument(format!(
            "Cannot have more than 1 {kind} processor."
        )));
    }
    let mut others = first.1.iter().map(|(name, _)| name.as_str());
    if let Some(name) = others.find(|name| !names.contains(name)) {
        return Err(invalid_argument(format!(
            "A processor of type {kind} has no parameter {name}."
        )));
    }
    Ok(Some(first))
}

fn parameter<'a>((_, parameters): &'a Processor, name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn only_with_partitions(processor: &str, has_partitions: bool) -> Result<(), ApiError> {
    if has_partitions {
        return Ok(());
    }
    Err(invalid_argument(format!(
        "class com.amazonaws.services.firehose.internal.model.{processor}Processor can only be \
         present when Dynamic Partitioning is enabled."
    )))
}

/// What the processor `RecordDeAggregation` comes to.
///
/// # Errors
/// InvalidArgumentException: more than one, without partitions, or a parameter that is wrong.
pub fn deaggregation(
    processors: &[Processor],
    has_partitions: bool,
) -> Result<Option<Deaggregation>, ApiError> {
    let names = [SUB_RECORD_TYPE, DELIMITER];
    let Some(processor) = only(processors, DEAGGREGATION, names)? else {
        return Ok(None);
    };
    only_with_partitions(DEAGGREGATION, has_partitions)?;
    let delimiter = parameter(processor, DELIMITER);
    let sub_records = match (parameter(processor, SUB_RECORD_TYPE), delimiter) {
        (Some("JSON"), None) => SubRecords::Json,
        // Ours, as is the one below.
        (Some("JSON"), Some(_)) => {
            return Err(invalid_argument(
                "Delimiter can only be present for DELIMITED",
            ));
        }
        (Some("DELIMITED"), None) => {
            return Err(invalid_argument(
                "Delimiter should be present for DELIMITED",
            ));
        }
        (Some("DELIMITED"), Some(text)) => {
            let bytes = base64_simd::STANDARD.decode_to_vec(text);
            let bytes = bytes.ok().filter(|bytes| !bytes.is_empty());
            let wrong = || invalid_argument("Delimiter must be one or more bytes in base64");
            let bytes = bytes.ok_or_else(wrong)?;
            if bytes.len() > DELIMITER_BYTES_MAX {
                return Err(invalid_argument(format!(
                    "Delimiter is longer than {DELIMITER_BYTES_MAX} bytes."
                )));
            }
            SubRecords::Delimited(bytes)
        }
        (Some(_) | None, _) => {
            return Err(invalid_argument(
                "SubRecordType has to be one of JSON, DELIMITED",
            ));
        }
    };
    Ok(Some(Deaggregation::new(sub_records)))
}

/// The query of the processor `MetadataExtraction`.
///
/// # Errors
/// InvalidArgumentException: more than one, without partitions, another engine, or a query that is
/// none or not known here.
pub fn query(processors: &[Processor], has_partitions: bool) -> Result<Option<String>, ApiError> {
    let Some(processor) = only(processors, EXTRACTION, [QUERY, ENGINE])? else {
        return Ok(None);
    };
    only_with_partitions(EXTRACTION, has_partitions)?;
    if parameter(processor, ENGINE) != Some(JQ) {
        return Err(invalid_argument(
            "MetaDataExtraction JSON Parsing Engine has to be one of JQ-1.6",
        ));
    }
    // Ours, as is what is wrong with a query.
    let missing = || {
        invalid_argument(
            "MetadataExtractionQuery is required when MetadataExtraction processor is used.",
        )
    };
    let text = parameter(processor, QUERY).ok_or_else(missing)?;
    let parsed = Query::parse(text);
    parsed.map_err(|Invalid(why)| invalid_argument(format!("MetadataExtractionQuery {why}.")))?;
    Ok(Some(text.to_owned()))
}
