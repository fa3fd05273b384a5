//! Record format conversion (model, DataFormatConversionConfiguration; developer guide, "Convert
//! input data format"). Texts without a note are those that AWS's API was seen to answer, and their
//! order is that in which it looks: on an update, at what comes of it.

use types::Invalid;
use wire::ApiError;
use wire::members::{Boolean, Double, Integer, List, Structure, Text};

use super::conversion_shapes as shapes;
use super::error::invalid_argument;
use super::shapes::within;
use crate::Delivery;
use crate::compression::Compression;
use crate::conversion::{Conversion, Deserializer, Schema};
use crate::delivery_stream::Destination;
use crate::need;
use crate::serializer::{Orc, Parquet, Proportion, Serializer};

/// Mebibytes that go together at least where records are converted, and where nothing is said of
/// it (model, BufferingHints; AWS documents both).
const SIZE_MIB_MIN: u32 = 64;
const SIZE_MIB_DEFAULT: u32 = 128;

/// What `DataFormatConversionConfiguration` says, over what a destination has.
///
/// # Errors
/// InvalidArgumentException: two of what there can be one of, and what is not served.
pub fn set(destination: &mut Destination, said: &shapes::Conversion<'_>) -> Result<(), ApiError> {
    let before = destination.conversion.take();
    let mut conversion = before.unwrap_or_else(|| {
        // It is in force unless it says otherwise (model).
        let is_enabled = true;
        Box::new(Conversion {
            is_enabled,
            ..Conversion::default()
        })
    });
    if let Some(Boolean(is_enabled)) = said.enabled {
        conversion.is_enabled = is_enabled;
    }
    if let Some(Structure(said)) = &said.schema_configuration {
        set_schema(&mut conversion.schema, said);
    }
    if let Some(Structure(said)) = &said.input_format_configuration {
        let said = said.deserializer.as_ref().map(|Structure(said)| said);
        conversion.deserializer = said.map(deserializer).transpose()?.flatten();
        if conversion.is_enabled && conversion.deserializer.is_none() {
            return Err(invalid_argument("Deserializer must not be null"));
        }
    }
    if let Some(Structure(said)) = &said.output_format_configuration {
        let said = said.serializer.as_ref().map(|Structure(said)| said);
        conversion.serializer = said.map(serializer).transpose()?.unwrap_or_default();
        if conversion.is_enabled && conversion.serializer.is_unsaid() {
            return Err(invalid_argument("Serializer must not be null"));
        }
    }
    destination.conversion = Some(conversion);
    Ok(())
}

fn set_schema(schema: &mut Schema, said: &shapes::SchemaConfiguration<'_>) {
    schema.is_given = true;
    for (member, said) in [
        (&mut schema.role_arn, &said.role_arn),
        (&mut schema.catalog_id, &said.catalog_id),
        (&mut schema.database, &said.database_name),
        (&mut schema.table, &said.table_name),
        (&mut schema.region, &said.region),
        (&mut schema.version_id, &said.version_id),
    ] {
        if let Some(said) = said {
            *member = Some(said.as_str().to_owned());
        }
    }
}

fn deserializer(said: &shapes::Deserializer<'_>) -> Result<Option<Deserializer>, ApiError> {
    let is = |said: Option<Boolean>| said.map(|Boolean(is)| is);
    let owned = |text: &Text<'_>| text.as_str().to_owned();
    Ok(match (&said.openx, &said.hive) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            return Err(invalid_argument(
                "More than one deserializer specified. Only one may be chosen.",
            ));
        }
        (Some(Structure(openx)), None) => Some(Deserializer::OpenX {
            replaces_dots: is(openx.convert_dots_in_json_keys_to_underscores),
            ignores_case: is(openx.case_insensitive),
            mappings: openx.column_to_json_key_mappings.as_ref().map(|mappings| {
                let mappings = mappings.iter();
                let mappings = mappings.map(|(column, key)| (owned(column), owned(key)));
                mappings.collect()
            }),
        }),
        (None, Some(Structure(hive))) => {
            let formats = hive.timestamp_formats.as_ref();
            Some(Deserializer::Hive {
                formats: formats.map(|formats| formats.iter().map(owned).collect()),
            })
        }
    })
}

fn serializer(said: &shapes::Serializer<'_>) -> Result<Serializer, ApiError> {
    Ok(match (&said.parquet, &said.orc) {
        (None, None) => Serializer::Unsaid,
        (Some(_), Some(_)) => {
            return Err(invalid_argument(
                "More than one serializer specified. Only one may be chosen.",
            ));
        }
        (Some(Structure(said)), None) => Serializer::Parquet(parquet(said)?),
        (None, Some(Structure(said))) => Serializer::Orc(orc(said)?),
    })
}

fn word(text: &Option<Text<'_>>) -> Option<String> {
    text.as_ref().map(|text| text.as_str().to_owned())
}

/// A number as it is kept.
fn size(number: Option<Integer>) -> Result<Option<u32>, ApiError> {
    number.map(|number| within(Some(number), 0)).transpose()
}

fn parquet(said: &shapes::Parquet<'_>) -> Result<Parquet, ApiError> {
    Ok(Parquet {
        block_bytes: size(said.block_size_bytes)?,
        page_bytes: size(said.page_size_bytes)?,
        compression: word(&said.compression),
        has_dictionaries: said.enable_dictionary_compression.map(|Boolean(is)| is),
        padding_bytes_max: size(said.max_padding_bytes)?,
        version: word(&said.writer_version),
    })
}

fn orc(said: &shapes::Orc<'_>) -> Result<Orc, ApiError> {
    let proportion = |said: Option<Double>| said.map(|Double(number)| Proportion::new(number));
    let words = |list: &List<Text<'_>>| {
        let words = list.iter().map(|word| word.as_str().to_owned());
        words.collect()
    };
    Ok(Orc {
        stripe_bytes: size(said.stripe_size_bytes)?,
        block_bytes: size(said.block_size_bytes)?,
        stride_rows: size(said.row_index_stride)?,
        has_padding: said.enable_padding.map(|Boolean(is)| is),
        padding_tolerance: proportion(said.padding_tolerance),
        compression: word(&said.compression),
        bloom_columns: said.bloom_filter_columns.as_ref().map(words),
        bloom_probability: proportion(said.bloom_filter_false_positive_probability),
        dictionary_threshold: proportion(said.dictionary_key_threshold),
        version: word(&said.format_version),
    })
}

/// As much goes together, where nothing is said of it.
pub fn size_mib_default(destination: &Destination) -> Option<u32> {
    destination.converts().map(|_| SIZE_MIB_DEFAULT)
}

/// Whether what is said of a conversion is whole, and fits to the destination.
///
/// # Errors
/// InvalidArgumentException: what does not.
pub fn check(destination: &Destination) -> Result<(), ApiError> {
    let Some(conversion) = destination.converts() else {
        return Ok(());
    };
    if destination.compression != Compression::Uncompressed {
        return Err(invalid_argument(
            "The S3 destination's compression format must be set to UNCOMPRESSED when data format \
             conversion is enabled. To enable compression within the converted output format, set \
             the appropriate serialization option in the output format configuration.",
        ));
    }
    if destination.size_mib < SIZE_MIB_MIN {
        return Err(invalid_argument(format!(
            "BufferingHints.SizeInMBs must be at least {SIZE_MIB_MIN} when data format conversion \
             is enabled."
        )));
    }
    let schema = &conversion.schema;
    for (is_there, what) in [
        (
            conversion.deserializer.is_some(),
            "InputFormatConfiguration",
        ),
        (
            !conversion.serializer.is_unsaid(),
            "OutputFormatConfiguration",
        ),
        (schema.is_given, "SchemaConfiguration"),
    ] {
        if !is_there {
            return Err(invalid_argument(format!("{what} must not be null")));
        }
    }
    for (member, what) in [
        (&schema.role_arn, "RoleArn"),
        (&schema.database, "DatabaseName"),
        (&schema.table, "TableName"),
    ] {
        if member.is_none() {
            return Err(invalid_argument(format!(
                "SchemaConfiguration.{what} must not be null or empty"
            )));
        }
    }
    let internal = |Invalid(why)| ApiError::internal(format!("A serializer: {why}."));
    let format = conversion.serializer.format().map_err(internal)?;
    if let (Some(deserializer), Some(format)) = (&conversion.deserializer, format) {
        // Ours.
        let checked = deserializer.check(&format);
        return checked
            .map_err(|Invalid(why)| invalid_argument(format!("TimestampFormats: {why}.")));
    }
    Ok(())
}

/// Whether the table of a conversion can be had, and whether there is memory for what records may
/// become: else no record of it would ever be delivered.
///
/// # Errors
/// InvalidArgumentException, with the reason; ours.
pub async fn check_ground(delivery: &Delivery, destination: &Destination) -> Result<(), ApiError> {
    let Some(conversion) = destination.converts() else {
        return Ok(());
    };
    let columns = delivery.tools.tables.columns(&conversion.schema).await;
    columns.map_err(|why| invalid_argument(format!("{why}.")))?;
    let output = delivery.tools.plugins.limits().output_bytes_max;
    let output = destination.transform.as_ref().map(|_| output);
    let most = need::most_of_any(destination, output);
    let there_is = delivery.tools.shares.limits().stream_bytes_max();
    if most > there_is {
        let mebibytes = |bytes: u64| bytes.div_ceil(1024 * 1024);
        return Err(invalid_argument(format!(
            "What records may become with this configuration needs {} MiB of memory, and \
             stream_memory_mib of this server is {}.",
            mebibytes(most),
            mebibytes(there_is)
        )));
    }
    Ok(())
}
