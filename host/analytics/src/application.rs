//! What an application is: its configuration, and what became of it.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use delivery::arn::{BucketName, FunctionArn};
use store::Version;
use types::{Invalid, StreamArn, Timestamp};

use crate::arn::ApplicationArn;

/// An application's number: another one under the same name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(pub u64);

/// An application as it is kept.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// Its address.
    pub arn: ApplicationArn,
    /// What its owner says of it.
    pub description: Option<String>,
    /// What it shall do.
    pub phase: Phase,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The version of its configuration, counted from 1.
    pub version: u64,
    /// Where that version came from.
    pub lineage: Lineage,
    /// The configuration in force.
    pub configuration: Configuration,
    /// It was made or changed by version 2 of the model. Version 1 leaves it alone, as at AWS.
    pub is_of_version_2: bool,
    /// The owner's labels.
    pub tags: BTreeMap<String, String>,
    /// How often it was started, and where it began to read at the last start.
    pub start: Start,
    /// The number of the next operation on it that is remembered.
    pub next_operation: u64,
    /// The version of its row.
    pub row_version: Version,
}

/// What an application shall do. What it does follows: it may be on its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Phase {
    /// Nothing.
    Ready,
    /// Work.
    Running,
    /// End and be forgotten.
    Deleting,
}

/// What an application's last start asked for. One that is not yet begun is begun as it says; one
/// that is goes on from where it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Start {
    /// How often the application was started. 0: never.
    pub number: u64,
    /// Where each input begins, by its id.
    pub positions: Vec<(String, StartPosition)>,
    /// When it was asked for, in milliseconds since 1970: what counts as now for those that begin
    /// with what comes, however late the work begins.
    pub asked_at_ms: u64,
}

/// Where an input begins (model, InputStartingPosition).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum StartPosition {
    /// With what arrives after the start.
    Now,
    /// With the oldest record that is kept.
    TrimHorizon,
    /// Where it came to before it was stopped.
    LastStoppedPoint,
}

/// Where a version of the configuration came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Lineage {
    /// When it was made; 0 before there was any.
    pub created_at_ms: u64,
    /// The version that it took the place of.
    pub updated_from: Option<u64>,
    /// The version that it undid, and the one that it brought back.
    pub rolled_back: Option<(u64, u64)>,
}

/// What an application does: one version of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Configuration {
    /// The program.
    pub code: String,
    /// Where rows come from.
    pub inputs: Vec<Input>,
    /// Where rows go.
    pub outputs: Vec<Output>,
    /// Tables that rows are joined with.
    pub references: Vec<Reference>,
    /// Where the owner wants to be told of errors.
    pub logging: Vec<LoggingOption>,
    /// The role for everything; those made by version 1 of the model have roles for each resource.
    pub role_arn: Option<String>,
}

/// A stream that rows come from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Input {
    /// `<version>.<number>`: the version that it came with.
    pub id: String,
    /// What the names of its in-application streams begin with.
    pub prefix: String,
    /// The stream, as text: [`Input::stream`].
    pub stream_arn: String,
    /// The role that it is read with.
    pub role_arn: Option<String>,
    /// In how many in-application streams it comes.
    pub parallelism: u8,
    /// What its records go through first.
    pub processor: Option<Processor>,
    /// How its records are read.
    pub schema: Schema,
}

impl Input {
    /// The stream that is read.
    ///
    /// # Errors
    /// When another build wrote what this one does not read.
    pub fn stream(&self) -> Result<StreamArn, Invalid> {
        StreamArn::parse(&self.stream_arn)
    }

    /// The names of its in-application streams: `<prefix>_001` and on.
    pub fn in_application_streams(&self) -> impl Iterator<Item = String> {
        (1..=self.parallelism).map(|number| format!("{}_{number:03}", self.prefix))
    }
}

/// The plugin that records go through before they become rows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Processor {
    /// The function, as text: [`Processor::function`].
    pub function_arn: String,
    /// The role that it is called with.
    pub role_arn: Option<String>,
}

impl Processor {
    /// The function, which names a plugin.
    ///
    /// # Errors
    /// When another build wrote what this one does not read.
    pub fn function(&self) -> Result<FunctionArn, Invalid> {
        FunctionArn::parse(&self.function_arn)
    }
}

/// How records become rows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Schema {
    /// How a record is written.
    pub format: Format,
    /// `UTF-8`, if it was said.
    pub encoding: Option<String>,
    /// The columns, in order.
    pub columns: Vec<SourceColumn>,
}

/// How a record is written.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Format {
    /// Objects of JSON.
    Json {
        /// Where rows lie within the record; `None`: it is not said.
        row_path: Option<String>,
    },
    /// Values between delimiters.
    Csv {
        /// The delimiters of rows and of columns; `None`: they are not said.
        delimiters: Option<(String, String)>,
    },
}

/// A column of what is read.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// Where its value lies in the record.
    pub mapping: Option<String>,
    /// Its type, as it was written.
    pub sql_type: String,
}

/// A place that rows go to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Output {
    /// `<version>.<number>`: the version that it came with.
    pub id: String,
    /// The in-application stream whose rows go there.
    pub name: String,
    /// Where they go.
    pub destination: Destination,
    /// The role that they are put with.
    pub role_arn: Option<String>,
    /// How they are written.
    pub format: OutputFormat,
}

/// Where rows go, as text.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Destination {
    /// A stream: its ARN reads as a [`StreamArn`].
    Stream(String),
    /// A delivery stream: its ARN reads as a
    /// [`DeliveryStreamArn`](delivery::arn::DeliveryStreamArn).
    DeliveryStream(String),
    /// A function, which names a plugin: its ARN reads as a [`FunctionArn`].
    Function(String),
}

impl Destination {
    /// The ARN, whatever it names.
    pub fn arn(&self) -> &str {
        match self {
            Self::Stream(arn) | Self::DeliveryStream(arn) | Self::Function(arn) => arn,
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OutputFormat {
    /// As objects of JSON.
    Json,
    /// As values with commas between.
    Csv,
}

/// An object of a bucket that is a table of the program.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Reference {
    /// `<version>.<number>`: the version that it came with.
    pub id: String,
    /// The table's name.
    pub table: String,
    /// The bucket, as text: [`Reference::bucket`].
    pub bucket_arn: String,
    /// The object's key.
    pub key: String,
    /// The role that it is read with.
    pub role_arn: Option<String>,
    /// How it is read.
    pub schema: Schema,
}

impl Reference {
    /// The bucket of the object.
    ///
    /// # Errors
    /// When another build wrote what this one does not read.
    pub fn bucket(&self) -> Result<BucketName, Invalid> {
        BucketName::parse_arn(&self.bucket_arn)
    }
}

/// Where the owner wants to be told of errors.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LoggingOption {
    /// `<version>.<number>`: the version that it came with.
    pub id: String,
    /// The log stream.
    pub log_stream_arn: String,
    /// The role that it is written with.
    pub role_arn: Option<String>,
}
