//! CreateDeliveryStream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use streams::encryption::Asked as EncryptionAsked;
use types::{Caller, StreamArn};
use wire::members::{Integer, List, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, NumberRule, Shape, TextRule};
use wire::{Action, Answer, ApiError, Call, Requester, Target};

use super::asked::Asked;
use super::encryption::{Wanted, asked};
use super::http_shapes::HttpEndpoint;
use super::redshift_shapes::Redshift;
use super::s3_shapes::{ExtendedS3, Made, S3};
use super::search_shapes::Search;
use super::shapes::{self, NAME, TAGS, TYPE, Tag, Unserved, required};
use super::splunk_shapes::Splunk;
use super::{conversion, enter, error, object_names, secrets};
use crate::Delivery;
use crate::arn::{DeliveryStreamArn, DeliveryStreamName};
use crate::catalog::{ChangeError, NewDeliveryStream};
use crate::delivery_stream::Destination;
use crate::search::Product;

const STREAM_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::KINESIS_STREAM_ARN);
const ROLE_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::ROLE_ARN);
const THROUGHPUT: NumberRule = NumberRule::within(1, 100);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    delivery_stream_type: Option<Text<'a>>,
    direct_put_source_configuration: Option<Structure<DirectPut>>,
    #[serde(borrow)]
    kinesis_stream_source_configuration: Option<Structure<Source<'a>>>,
    #[serde(borrow)]
    delivery_stream_encryption_configuration_input: Option<Structure<Wanted<'a>>>,
    #[serde(borrow, rename = "S3DestinationConfiguration")]
    s3: Option<Structure<Made<S3<'a>>>>,
    #[serde(borrow, rename = "ExtendedS3DestinationConfiguration")]
    extended_s3: Option<Structure<Made<ExtendedS3<'a>>>>,
    #[serde(borrow)]
    redshift_destination_configuration: Option<Structure<Made<Redshift<'a>>>>,
    #[serde(borrow)]
    elasticsearch_destination_configuration: Option<Structure<Made<Search<'a>>>>,
    #[serde(borrow)]
    amazonopensearchservice_destination_configuration: Option<Structure<Made<Search<'a>>>>,
    #[serde(borrow)]
    splunk_destination_configuration: Option<Structure<Made<Splunk<'a>>>>,
    #[serde(borrow)]
    http_endpoint_destination_configuration: Option<Structure<Made<HttpEndpoint<'a>>>>,
    #[serde(borrow)]
    tags: Option<List<Structure<Tag<'a>>>>,
    amazon_open_search_serverless_destination_configuration: Option<Unserved>,
    #[serde(rename = "MSKSourceConfiguration")]
    msk_source_configuration: Option<Unserved>,
    snowflake_destination_configuration: Option<Unserved>,
    iceberg_destination_configuration: Option<Unserved>,
    database_source_configuration: Option<Unserved>,
}

#[derive(Deserialize)]
struct DirectPut {
    #[serde(rename = "ThroughputHintInMBs")]
    throughput_hint: Option<Integer>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow, rename = "KinesisStreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow, rename = "RoleARN")]
    role_arn: Option<Text<'a>>,
}

impl Shape for DirectPut {
    fn check(&self, check: &mut Check) {
        check.required("ThroughputHintInMBs", &self.throughput_hint, THROUGHPUT);
    }
}

impl Shape for Source<'_> {
    fn check(&self, check: &mut Check) {
        check.required("KinesisStreamARN", &self.stream_arn, STREAM_ARN);
        check.required("RoleARN", &self.role_arn, ROLE_ARN);
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        check.optional("DeliveryStreamType", &self.delivery_stream_type, TYPE);
        let direct_put = &self.direct_put_source_configuration;
        check.optional("DirectPutSourceConfiguration", direct_put, Fields);
        let source = &self.kinesis_stream_source_configuration;
        check.optional("KinesisStreamSourceConfiguration", source, Fields);
        let encryption = &self.delivery_stream_encryption_configuration_input;
        check.optional(
            "DeliveryStreamEncryptionConfigurationInput",
            encryption,
            Fields,
        );
        check.optional("S3DestinationConfiguration", &self.s3, Fields);
        check.optional(
            "ExtendedS3DestinationConfiguration",
            &self.extended_s3,
            Fields,
        );
        let http = &self.http_endpoint_destination_configuration;
        check.optional("HttpEndpointDestinationConfiguration", http, Fields);
        let splunk = &self.splunk_destination_configuration;
        check.optional("SplunkDestinationConfiguration", splunk, Fields);
        let redshift = &self.redshift_destination_configuration;
        check.optional("RedshiftDestinationConfiguration", redshift, Fields);
        let elastic = &self.elasticsearch_destination_configuration;
        check.optional("ElasticsearchDestinationConfiguration", elastic, Fields);
        let open = &self.amazonopensearchservice_destination_configuration;
        check.optional(
            "AmazonopensearchserviceDestinationConfiguration",
            open,
            Fields,
        );
        check.optional("Tags", &self.tags, TAGS);
    }
}

#[derive(Serialize)]
struct Output {
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: String,
}

/// What may be done besides by whoever makes a delivery stream with labels (CreateDeliveryStream).
const TAGGING: Action = Action {
    service: "firehose",
    operation: "TagDeliveryStream",
};

/// Makes a delivery stream. It is durable as CREATING when this answers, and ACTIVE a moment later.
/// One that reads a stream delivers what arrives there from now on.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let arn = DeliveryStreamArn {
        owner: Caller::clone(&call.caller),
        name: DeliveryStreamName::parse(name).map_err(|e| ApiError::validation(e.to_string()))?,
    };
    let tags = match &input.tags {
        Some(tags) => shapes::tags(tags)?,
        None => BTreeMap::new(),
    };
    let pairs = tags.iter();
    let caller = call
        .caller
        .tagging(pairs.map(|(key, value)| (key.as_str(), value.as_str())));
    // AWS looks whether there is one before it looks at what is asked for.
    if let Some(there) = enter(delivery, &caller, name)? {
        let taken = ChangeError::taken_by(there.stream().status);
        return Err(error::change(taken, &arn));
    }
    if !tags.is_empty() {
        caller.permit_to(TAGGING, &Target::named(&arn, caller.account))?;
    }
    if delivery.directory.unreadable(&arn).is_some() {
        return Err(error::change(ChangeError::Exists, &arn));
    }
    refuse_what_is_not_served(&input)?;
    let new = NewDeliveryStream {
        source: source(delivery, &call.caller, &input)?,
        destination: destination(delivery, &call.caller, &input)?,
        tags,
        encryption: encryption(delivery, &call.caller, &input).await?,
        arn: arn.clone(),
    };
    object_names::check(delivery, &arn.name, &new.destination).await?;
    conversion::check_ground(delivery, &new.destination).await?;
    secrets::check(delivery, &call.caller, (None, &new.destination)).await?;
    let made = delivery.catalog.create(new).await;
    made.map_err(|error| error::change(error, &arn))?;
    call.answer(&Output {
        delivery_stream_arn: arn.to_string(),
    })
}

/// The stream to read, and the role that was given for it; `None` for direct puts.
fn source(
    delivery: &Delivery,
    by: &Requester,
    input: &Input<'_>,
) -> Result<Option<(StreamArn, String)>, ApiError> {
    let kind = input
        .delivery_stream_type
        .as_ref()
        .map_or("DirectPut", Text::as_str);
    let said = input.kinesis_stream_source_configuration.as_ref();
    match (kind, said) {
        ("DirectPut", None) => Ok(None),
        ("DirectPut", Some(_)) => Err(error::invalid_argument(
            "KinesisStreamSourceConfiguration must not be provided when DeliveryStreamType is \
             DirectPut.",
        )),
        ("KinesisStreamAsSource", None) => Err(error::invalid_argument(
            "KinesisStreamSourceConfiguration must be provided when DeliveryStreamType is \
             KinesisStreamAsSource.",
        )),
        ("KinesisStreamAsSource", Some(Structure(said))) => {
            let text = required(&said.stream_arn)?.as_str();
            let arn = StreamArn::parse(text).map_err(|_| error::no_source(text))?;
            let is_own = arn.account == by.account && arn.region == by.region;
            if !is_own {
                return Err(error::no_source(text));
            }
            // Nobody looks at the role. Who has the records delivered must be allowed to read them.
            delivery.streams.permit_source(by, &arn)?;
            if delivery.streams.source(&arn).is_none() {
                return Err(error::no_source(text));
            }
            let role = required(&said.role_arn)?.as_str();
            Ok(Some((arn, role.to_owned())))
        }
        (other, _) => Err(error::invalid_argument(format!(
            "DeliveryStreamType {other} is not supported."
        ))),
    }
}

/// What records that are put directly are to be sealed with.
async fn encryption(
    delivery: &Delivery,
    caller: &Caller,
    input: &Input<'_>,
) -> Result<Option<EncryptionAsked>, ApiError> {
    let Some(wanted) = &input.delivery_stream_encryption_configuration_input else {
        return Ok(None);
    };
    if input.kinesis_stream_source_configuration.is_some() {
        return Err(error::invalid_argument(
            "DeliveryStreamEncryptionConfigurationInput is only supported when \
             DeliveryStreamType is DirectPut.",
        ));
    }
    asked(delivery, caller, Some(wanted)).await.map(Some)
}

fn destination(
    delivery: &Delivery,
    caller: &Caller,
    input: &Input<'_>,
) -> Result<Destination, ApiError> {
    let http = &input.http_endpoint_destination_configuration;
    let splunk = input.splunk_destination_configuration.as_ref();
    let redshift = input.redshift_destination_configuration.as_ref();
    let elastic = input.elasticsearch_destination_configuration.as_ref();
    let open = input
        .amazonopensearchservice_destination_configuration
        .as_ref();
    let s3 = input.s3.as_ref();
    let extended = input.extended_s3.as_ref();
    let asked = Asked::the_one([
        s3.map(|Structure(Made(said))| Asked::S3(said)),
        extended.map(|Structure(Made(said))| Asked::ExtendedS3(said)),
        http.as_ref()
            .map(|Structure(Made(said))| Asked::HttpEndpoint(said)),
        splunk.map(|Structure(Made(said))| Asked::Splunk(said)),
        redshift.map(|Structure(Made(said))| Asked::Redshift(said)),
        elastic.map(|Structure(Made(said))| Asked::Search(Product::Elasticsearch, said)),
        open.map(|Structure(Made(said))| Asked::Search(Product::OpenSearch, said)),
    ])?;
    asked.configured(delivery, caller, None)
}

/// What the model knows and this server does not do is refused, not taken and ignored.
fn refuse_what_is_not_served(input: &Input<'_>) -> Result<(), ApiError> {
    let unserved = [
        (
            &input.amazon_open_search_serverless_destination_configuration,
            "An OpenSearch Serverless destination",
        ),
        (&input.msk_source_configuration, "An MSK source"),
        (
            &input.snowflake_destination_configuration,
            "A Snowflake destination",
        ),
        (
            &input.iceberg_destination_configuration,
            "An Iceberg destination",
        ),
        (&input.database_source_configuration, "A database source"),
    ];
    match unserved.into_iter().find(|(member, _)| member.is_some()) {
        Some((_, what)) => Err(error::invalid_argument(format!("{what} is not supported."))),
        None => Ok(()),
    }
}
