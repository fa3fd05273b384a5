//! What DescribeDeliveryStream tells of record format conversion: what was said, as AWS does, and
//! nothing in the place of what was not.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::conversion::{Conversion, Deserializer, Schema};
use crate::serializer::{Orc, Parquet, Proportion, Serializer};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConversionDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_configuration: Option<SchemaDescription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_format_configuration: Option<Input>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_format_configuration: Option<Output>,
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SchemaDescription {
    #[serde(rename = "RoleARN", skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    deserializer: DeserializerDescription,
}

#[derive(Serialize)]
enum DeserializerDescription {
    #[serde(rename = "OpenXJsonSerDe")]
    OpenX(OpenX),
    #[serde(rename = "HiveJsonSerDe")]
    Hive(Hive),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OpenX {
    #[serde(skip_serializing_if = "Option::is_none")]
    convert_dots_in_json_keys_to_underscores: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_insensitive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column_to_json_key_mappings: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Hive {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_formats: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    serializer: SerializerDescription,
}

#[derive(Serialize)]
enum SerializerDescription {
    #[serde(rename = "ParquetSerDe")]
    Parquet(ParquetDescription),
    #[serde(rename = "OrcSerDe")]
    Orc(OrcDescription),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ParquetDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_size_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_dictionary_compression: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_padding_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer_version: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OrcDescription {
    #[serde(skip_serializing_if = "Option::is_none")]
    stripe_size_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_size_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row_index_stride: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_padding: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding_tolerance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bloom_filter_columns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bloom_filter_false_positive_probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dictionary_key_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format_version: Option<String>,
}

/// The description of a conversion.
pub fn conversion(conversion: &Conversion) -> ConversionDescription {
    let Conversion {
        is_enabled,
        schema,
        deserializer,
        serializer,
        ..
    } = conversion.clone();
    ConversionDescription {
        schema_configuration: schema.is_given.then(|| described_schema(schema)),
        input_format_configuration: deserializer.map(|it| Input {
            deserializer: described_deserializer(it),
        }),
        output_format_configuration: described_serializer(serializer)
            .map(|serializer| Output { serializer }),
        enabled: is_enabled,
    }
}

fn described_schema(schema: Schema) -> SchemaDescription {
    SchemaDescription {
        role_arn: schema.role_arn,
        catalog_id: schema.catalog_id,
        database_name: schema.database,
        table_name: schema.table,
        region: schema.region,
        version_id: schema.version_id,
    }
}

fn described_deserializer(deserializer: Deserializer) -> DeserializerDescription {
    match deserializer {
        Deserializer::OpenX {
            replaces_dots,
            ignores_case,
            mappings,
        } => DeserializerDescription::OpenX(OpenX {
            convert_dots_in_json_keys_to_underscores: replaces_dots,
            case_insensitive: ignores_case,
            column_to_json_key_mappings: mappings.map(|it| it.into_iter().collect()),
        }),
        Deserializer::Hive { formats } => DeserializerDescription::Hive(Hive {
            timestamp_formats: formats,
        }),
    }
}

fn described_serializer(serializer: Serializer) -> Option<SerializerDescription> {
    match serializer {
        Serializer::Unsaid => None,
        Serializer::Parquet(parquet) => {
            Some(SerializerDescription::Parquet(described_parquet(parquet)))
        }
        Serializer::Orc(orc) => Some(SerializerDescription::Orc(described_orc(orc))),
    }
}

fn described_orc(orc: Orc) -> OrcDescription {
    OrcDescription {
        stripe_size_bytes: orc.stripe_bytes,
        block_size_bytes: orc.block_bytes,
        row_index_stride: orc.stride_rows,
        enable_padding: orc.has_padding,
        padding_tolerance: orc.padding_tolerance.map(Proportion::number),
        compression: orc.compression,
        bloom_filter_columns: orc.bloom_columns,
        bloom_filter_false_positive_probability: orc.bloom_probability.map(Proportion::number),
        dictionary_key_threshold: orc.dictionary_threshold.map(Proportion::number),
        format_version: orc.version,
    }
}

fn described_parquet(parquet: Parquet) -> ParquetDescription {
    ParquetDescription {
        block_size_bytes: parquet.block_bytes,
        page_size_bytes: parquet.page_bytes,
        compression: parquet.compression,
        enable_dictionary_compression: parquet.has_dictionaries,
        max_padding_bytes: parquet.padding_bytes_max,
        writer_version: parquet.version,
    }
}
