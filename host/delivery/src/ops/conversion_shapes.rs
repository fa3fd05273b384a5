//! The model's structures of record format conversion, as it is made and as it is changed.

use serde::Deserialize;
use wire::members::{Boolean, Double, Integer, List, Map, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{
    Anything, Check, Fields, ListRule, MapRule, NumberRule, Proportion, Shape, TextRule,
};

const WORD: TextRule = TextRule::chars(1, 1_024).matching(pattern::NO_SPACE);
const TEXT: TextRule = TextRule::chars(1, 1_024).matching(pattern::PARAMETER_VALUE);
/// The model gives no sizes; these are what a body keeps of a map and of a list.
const MAPPINGS: MapRule = MapRule::of(0, 1_000, WORD, TEXT);
const FORMATS: ListRule<TextRule> = ListRule::of(0, 100, TEXT);
const BLOCK_BYTES: NumberRule = NumberRule::at_least(64 * 1024 * 1024);
const PAGE_BYTES: NumberRule = NumberRule::at_least(64 * 1024);
const PADDING_BYTES: NumberRule = NumberRule::at_least(0);
const COMPRESSION: TextRule = TextRule::one_of(&["UNCOMPRESSED", "GZIP", "SNAPPY"]);
const VERSION: TextRule = TextRule::one_of(&["V1", "V2"]);
const STRIPE_BYTES: NumberRule = NumberRule::at_least(8 * 1024 * 1024);
const STRIDE_ROWS: NumberRule = NumberRule::at_least(1_000);
const ORC_COMPRESSION: TextRule = TextRule::one_of(&["NONE", "ZLIB", "SNAPPY"]);
const ORC_VERSION: TextRule = TextRule::one_of(&["V0_11", "V0_12"]);
/// As [`FORMATS`].
const BLOOM_COLUMNS: ListRule<TextRule> = ListRule::of(0, 100, WORD);

/// `DataFormatConversionConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Conversion<'a> {
    #[serde(borrow)]
    pub schema_configuration: Option<Structure<SchemaConfiguration<'a>>>,
    #[serde(borrow)]
    pub input_format_configuration: Option<Structure<InputFormat<'a>>>,
    #[serde(borrow)]
    pub output_format_configuration: Option<Structure<OutputFormat<'a>>>,
    pub enabled: Option<Boolean>,
}

impl Shape for Conversion<'_> {
    fn check(&self, check: &mut Check) {
        let output = &self.output_format_configuration;
        check.optional("OutputFormatConfiguration", output, Fields);
        let input = &self.input_format_configuration;
        check.optional("InputFormatConfiguration", input, Fields);
        let schema = &self.schema_configuration;
        check.optional("SchemaConfiguration", schema, Fields);
        check.optional("Enabled", &self.enabled, Anything);
    }
}

/// `SchemaConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SchemaConfiguration<'a> {
    #[serde(borrow, rename = "RoleARN")]
    pub role_arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub catalog_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub database_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub table_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
    #[serde(borrow)]
    pub version_id: Option<Text<'a>>,
}

impl Shape for SchemaConfiguration<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("VersionId", &self.version_id, WORD);
        check.optional("CatalogId", &self.catalog_id, WORD);
        check.optional("DatabaseName", &self.database_name, WORD);
        check.optional("RoleARN", &self.role_arn, WORD);
        check.optional("Region", &self.region, WORD);
        check.optional("TableName", &self.table_name, WORD);
    }
}

/// `InputFormatConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputFormat<'a> {
    #[serde(borrow)]
    pub deserializer: Option<Structure<Deserializer<'a>>>,
}

impl Shape for InputFormat<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Deserializer", &self.deserializer, Fields);
    }
}

/// `Deserializer`.
#[derive(Deserialize)]
pub struct Deserializer<'a> {
    #[serde(borrow, rename = "OpenXJsonSerDe")]
    pub openx: Option<Structure<OpenX<'a>>>,
    #[serde(borrow, rename = "HiveJsonSerDe")]
    pub hive: Option<Structure<Hive<'a>>>,
}

impl Shape for Deserializer<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("OpenXJsonSerDe", &self.openx, Fields);
        check.optional("HiveJsonSerDe", &self.hive, Fields);
    }
}

/// `OpenXJsonSerDe`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OpenX<'a> {
    pub convert_dots_in_json_keys_to_underscores: Option<Boolean>,
    pub case_insensitive: Option<Boolean>,
    #[serde(borrow)]
    pub column_to_json_key_mappings: Option<Map<'a>>,
}

impl Shape for OpenX<'_> {
    fn check(&self, check: &mut Check) {
        let dots = &self.convert_dots_in_json_keys_to_underscores;
        check.optional("ConvertDotsInJsonKeysToUnderscores", dots, Anything);
        check.optional("CaseInsensitive", &self.case_insensitive, Anything);
        let mappings = &self.column_to_json_key_mappings;
        check.optional("ColumnToJsonKeyMappings", mappings, MAPPINGS);
    }
}

/// `HiveJsonSerDe`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hive<'a> {
    #[serde(borrow)]
    pub timestamp_formats: Option<List<Text<'a>>>,
}

impl Shape for Hive<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("TimestampFormats", &self.timestamp_formats, FORMATS);
    }
}

/// `OutputFormatConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OutputFormat<'a> {
    #[serde(borrow)]
    pub serializer: Option<Structure<Serializer<'a>>>,
}

impl Shape for OutputFormat<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("Serializer", &self.serializer, Fields);
    }
}

/// `Serializer`.
#[derive(Deserialize)]
pub struct Serializer<'a> {
    #[serde(borrow, rename = "ParquetSerDe")]
    pub parquet: Option<Structure<Parquet<'a>>>,
    #[serde(borrow, rename = "OrcSerDe")]
    pub orc: Option<Structure<Orc<'a>>>,
}

impl Shape for Serializer<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("ParquetSerDe", &self.parquet, Fields);
        check.optional("OrcSerDe", &self.orc, Fields);
    }
}

/// `ParquetSerDe`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parquet<'a> {
    pub block_size_bytes: Option<Integer>,
    pub page_size_bytes: Option<Integer>,
    #[serde(borrow)]
    pub compression: Option<Text<'a>>,
    pub enable_dictionary_compression: Option<Boolean>,
    pub max_padding_bytes: Option<Integer>,
    #[serde(borrow)]
    pub writer_version: Option<Text<'a>>,
}

impl Shape for Parquet<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("MaxPaddingBytes", &self.max_padding_bytes, PADDING_BYTES);
        check.optional("BlockSizeBytes", &self.block_size_bytes, BLOCK_BYTES);
        check.optional("PageSizeBytes", &self.page_size_bytes, PAGE_BYTES);
        check.optional("Compression", &self.compression, COMPRESSION);
        let dictionaries = &self.enable_dictionary_compression;
        check.optional("EnableDictionaryCompression", dictionaries, Anything);
        check.optional("WriterVersion", &self.writer_version, VERSION);
    }
}

/// `OrcSerDe`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Orc<'a> {
    pub stripe_size_bytes: Option<Integer>,
    pub block_size_bytes: Option<Integer>,
    pub row_index_stride: Option<Integer>,
    pub enable_padding: Option<Boolean>,
    pub padding_tolerance: Option<Double>,
    #[serde(borrow)]
    pub compression: Option<Text<'a>>,
    #[serde(borrow)]
    pub bloom_filter_columns: Option<List<Text<'a>>>,
    pub bloom_filter_false_positive_probability: Option<Double>,
    pub dictionary_key_threshold: Option<Double>,
    #[serde(borrow)]
    pub format_version: Option<Text<'a>>,
}

impl Shape for Orc<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("RowIndexStride", &self.row_index_stride, STRIDE_ROWS);
        check.optional("PaddingTolerance", &self.padding_tolerance, Proportion);
        check.optional("StripeSizeBytes", &self.stripe_size_bytes, STRIPE_BYTES);
        check.optional("BlockSizeBytes", &self.block_size_bytes, BLOCK_BYTES);
        check.optional("EnablePadding", &self.enable_padding, Anything);
        check.optional("Compression", &self.compression, ORC_COMPRESSION);
        let columns = &self.bloom_filter_columns;
        check.optional("BloomFilterColumns", columns, BLOOM_COLUMNS);
        let probability = &self.bloom_filter_false_positive_probability;
        check.optional(
            "BloomFilterFalsePositiveProbability",
            probability,
            Proportion,
        );
        let threshold = &self.dictionary_key_threshold;
        check.optional("DictionaryKeyThreshold", threshold, Proportion);
        check.optional("FormatVersion", &self.format_version, ORC_VERSION);
    }
}
