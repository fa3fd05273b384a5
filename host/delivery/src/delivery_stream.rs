//! One delivery stream: where its records come from, what becomes of them, and where they go.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bincode::{Decode, Encode};
use store::{LogId, Version};
use streams::encryption::Encryption;
use types::{Invalid, StreamArn, Timestamp};
use wasm::{Absence, Choice, PluginName, Plugins, Qualifier};

use crate::arn::{BucketName, DeliveryStreamArn, FunctionArn};
use crate::compression::Compression;
use crate::conversion::{self, Conversion};
use crate::deaggregation::Deaggregation;
use crate::decompression::Decompression;
use crate::kind::Kind;
use crate::partitioning::Partitioning;
use crate::prefix::Prefixes;
use crate::secrets::NamedSecret;
use crate::tables::LaneKey;
use crate::zone::Zone;

/// How large and how old the records of one object may become, unless the configuration says
/// otherwise (model, BufferingHints).
pub const SIZE_MIB_DEFAULT: u32 = 5;
pub const INTERVAL_SECONDS_DEFAULT: u32 = 300;
/// How often a batch is tried that a transform does not take (developer guide, "Data
/// Transformation Failure Handling": the first call and three more).
pub const TRANSFORM_RETRIES_DEFAULT: u32 = 3;

/// A delivery stream's number, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryStreamId(pub u64);

/// Where a delivery stream is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its log is being made.
    Creating,
    /// It takes records and delivers them.
    Active,
    /// What it holds is being deleted.
    Deleting,
}

impl Status {
    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Deleting => "DELETING",
        }
    }
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// PutRecord and PutRecordBatch; they lie in a log of the delivery stream's own.
    DirectPut {
        /// The log.
        log: LogId,
    },
    /// A stream, from the moment on that the delivery stream was made.
    Stream {
        /// The stream.
        arn: StreamArn,
        /// As it was given; roles mean nothing here.
        role_arn: String,
    },
}

impl Origin {
    /// The model's word.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::DirectPut { .. } => "DirectPut",
            Self::Stream { .. } => "KinesisStreamAsSource",
        }
    }
}

/// The component that records go through.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Transform {
    /// The function's ARN as it was given; failed records repeat it.
    pub arn: String,
    /// The plugin that the ARN names.
    pub plugin: String,
    /// How often a batch is tried again.
    pub retries: u32,
}

impl Transform {
    /// The plugin's name; it was checked when the transform was configured.
    pub fn plugin(&self) -> Result<PluginName, Invalid> {
        PluginName::parse(&self.plugin)
    }

    /// The version or the alias of it that the ARN names; `None`: the version in force.
    pub fn qualifier(&self) -> Result<Option<Qualifier>, Invalid> {
        let function = FunctionArn::parse(&self.arn)?;
        let qualifier = function.qualifier.as_deref();
        qualifier.map(Qualifier::parse).transpose()
    }

    /// The version that a lane of the delivery stream goes by at the moment. Does not block.
    ///
    /// # Errors
    /// Why there is none, as a sentence's end.
    pub fn choose(&self, plugins: &Plugins, lane: LaneKey) -> Result<Choice, NotChosen> {
        let name = self.plugin().map_err(NotChosen::Invalid)?;
        let qualifier = self.qualifier().map_err(NotChosen::Invalid)?;
        let chosen = plugins.choose(&name, qualifier.as_ref(), &lane.row());
        chosen.map_err(|absence| NotChosen::Absent(name, absence))
    }
}

/// Why a transform has no version to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotChosen {
    /// What is kept of it names no plugin.
    Invalid(Invalid),
    /// The plugin has none.
    Absent(PluginName, Absence),
}

impl fmt::Display for NotChosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(Invalid(why)) => f.write_str(why),
            Self::Absent(name, absence) => write!(f, "the plugin {name} {absence}"),
        }
    }
}

/// A processor as it was given: its type and its parameters, in order.
pub type Processor = (String, Vec<(String, String)>);

/// Where records go and how: an S3 destination as it was configured. It is kept as the client
/// gave it, since DescribeDeliveryStream gives it back; what is made of it is in [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Destination {
    /// Kept and given back; roles mean nothing here.
    pub role_arn: String,
    /// The bucket's ARN.
    pub bucket_arn: String,
    /// What stands before names.
    pub prefix: Option<String>,
    /// What stands before names of failed records.
    pub error_output_prefix: Option<String>,
    /// Mebibytes of records that go together.
    pub size_mib: u32,
    /// Seconds that a record waits for others.
    pub interval_seconds: u32,
    /// How objects are packed.
    pub compression: Compression,
    /// What names end in.
    pub file_extension: Option<String>,
    /// The time zone of prefixes and names; UTC unless one stands here.
    pub custom_time_zone: Option<String>,
    /// `CloudWatchLoggingOptions`: enabled, group, stream. Kept and given back.
    pub logging: Option<(bool, Option<String>, Option<String>)>,
    /// `ProcessingConfiguration`: enabled, and its processors.
    pub processing: Option<(bool, Vec<Processor>)>,
    /// What the processing comes to, if it is enabled.
    pub transform: Option<Transform>,
    /// What every delivered record ends with, if the processing says so.
    pub delimiter: Option<String>,
    /// How records are unpacked before they go through anything, if the processing says so.
    pub decompression: Option<Decompression>,
    /// How a record is taken apart before it goes through a plugin, if the processing says so.
    pub deaggregation: Option<Deaggregation>,
    /// How records are told apart by keys, each of which has objects of its own, if they are. It is
    /// decided for good when the delivery stream is made.
    pub partitioning: Option<Partitioning>,
    /// What kind of destination it is.
    pub kind: Kind,
    /// The bucket that all records go into as they came in, too, if one does (model,
    /// S3BackupMode). What is said of it besides where objects go and how they are packed and named
    /// is only given back: records go there with their cut.
    pub backup: Option<Box<Destination>>,
    /// How records are converted to rows of a table, if that was ever configured.
    pub conversion: Option<Box<Conversion>>,
    /// The secret that what the destination knows us by is read from, if one was ever named.
    pub secret: Option<NamedSecret>,
}

/// What a destination's configuration comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where objects go.
    pub bucket: BucketName,
    /// What stands before their names.
    pub prefixes: Prefixes,
    /// The time zone that they are in.
    pub zone: Zone,
    /// Bytes of records that go together.
    pub size_bytes: u64,
    /// How long a record waits for others.
    pub interval: Duration,
}

impl Destination {
    /// What a destination is before anything is said of it. It has no bucket.
    pub fn blank() -> Self {
        Self {
            role_arn: String::new(),
            bucket_arn: String::new(),
            prefix: None,
            error_output_prefix: None,
            size_mib: SIZE_MIB_DEFAULT,
            interval_seconds: INTERVAL_SECONDS_DEFAULT,
            compression: Compression::Uncompressed,
            file_extension: None,
            custom_time_zone: None,
            logging: None,
            processing: None,
            transform: None,
            delimiter: None,
            decompression: None,
            deaggregation: None,
            partitioning: None,
            kind: Kind::Bucket,
            backup: None,
            conversion: None,
            secret: None,
        }
    }

    /// Reads what is kept as text.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub fn plan(&self) -> Result<Plan, Invalid> {
        const BYTES_PER_MIB: u64 = 1024 * 1024;
        Ok(Plan {
            bucket: BucketName::parse_arn(&self.bucket_arn)?,
            prefixes: Prefixes::parse(
                self.prefix.as_deref(),
                self.error_output_prefix.as_deref(),
                self.partitioning.is_some(),
            )?,
            zone: match &self.custom_time_zone {
                Some(id) => Zone::parse(id)?,
                None => Zone::utc(),
            },
            size_bytes: u64::from(self.size_mib) * BYTES_PER_MIB,
            interval: Duration::from_secs(u64::from(self.interval_seconds)),
        })
    }

    /// What names of delivered objects end in.
    pub fn extension(&self) -> &str {
        let default = match self.converts() {
            Some(conversion) => conversion.serializer.extension(),
            None => self.compression.extension(),
        };
        self.file_extension.as_deref().unwrap_or(default)
    }

    /// How records are converted, if they are.
    pub fn converts(&self) -> Option<&Conversion> {
        let conversion = self.conversion.as_deref();
        conversion.filter(|conversion| conversion.is_enabled)
    }

    /// The secret that what the destination knows us by is read from, if that is in force.
    pub fn names_secret(&self) -> Option<&NamedSecret> {
        self.secret.as_ref().filter(|secret| secret.is_enabled)
    }

    /// What records are filed under that fail for good where they are to go: those that the
    /// destination refuses, or that no row can be made of.
    pub fn refused_under(&self) -> Option<&'static str> {
        self.kind.refused_under().or(self.unconverted_under())
    }

    /// The same where those are lines of records, which can be read and replayed.
    pub fn refused_lines_under(&self) -> Option<&'static str> {
        self.kind.refused_lines_under().or(self.unconverted_under())
    }

    fn unconverted_under(&self) -> Option<&'static str> {
        self.conversion.as_ref().map(|_| conversion::FAILED_UNDER)
    }
}

/// A delivery stream as the catalog knew it at one moment. A change makes a new one.
#[derive(Clone, Debug)]
pub struct DeliveryStream {
    /// Its number.
    pub id: DeliveryStreamId,
    /// Account, region and name.
    pub arn: DeliveryStreamArn,
    /// Where it is in its life.
    pub status: Status,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its destination was changed last, if it was.
    pub updated_at: Option<Timestamp>,
    /// The version of its configuration, from 1.
    pub version_id: u64,
    /// Where records come from.
    pub origin: Origin,
    /// Where they go.
    pub destination: Destination,
    /// What [`DeliveryStream::destination`] comes to.
    pub plan: Plan,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
    /// What records that are put directly are sealed with.
    pub encryption: Encryption,
    /// The version of its row.
    pub row_version: Version,
}
