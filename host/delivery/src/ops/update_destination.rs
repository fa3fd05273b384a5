//! UpdateDestination.

use serde::Deserialize;
use types::Caller;
use wire::members::{NoMembers, Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Fields, Shape, TextRule};
use wire::{Answer, ApiError, Call};

use super::asked::Asked;
use super::described::DESTINATION;
use super::http_shapes::HttpEndpoint;
use super::redshift_shapes::Redshift;
use super::s3_shapes::{Changed, ExtendedS3, S3};
use super::search_shapes::Search;
use super::shapes::{NAME, Unserved, required};
use super::splunk_shapes::Splunk;
use super::{conversion, error, find, object_names, secrets};
use crate::Delivery;
use crate::catalog::Edit;
use crate::delivery_stream::Destination;
use crate::search::Product;

const VERSION_ID: TextRule = TextRule::chars(1, 50).matching(pattern::VERSION_ID);
const DESTINATION_ID: TextRule = TextRule::chars(1, 100).matching(pattern::DESTINATION_ID);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    current_delivery_stream_version_id: Option<Text<'a>>,
    #[serde(borrow)]
    destination_id: Option<Text<'a>>,
    #[serde(borrow, rename = "S3DestinationUpdate")]
    s3: Option<Structure<Changed<S3<'a>>>>,
    #[serde(borrow, rename = "ExtendedS3DestinationUpdate")]
    extended_s3: Option<Structure<Changed<ExtendedS3<'a>>>>,
    #[serde(borrow)]
    redshift_destination_update: Option<Structure<Changed<Redshift<'a>>>>,
    #[serde(borrow)]
    elasticsearch_destination_update: Option<Structure<Changed<Search<'a>>>>,
    #[serde(borrow)]
    amazonopensearchservice_destination_update: Option<Structure<Changed<Search<'a>>>>,
    #[serde(borrow)]
    splunk_destination_update: Option<Structure<Changed<Splunk<'a>>>>,
    #[serde(borrow)]
    http_endpoint_destination_update: Option<Structure<Changed<HttpEndpoint<'a>>>>,
    amazon_open_search_serverless_destination_update: Option<Unserved>,
    snowflake_destination_update: Option<Unserved>,
    iceberg_destination_update: Option<Unserved>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        let version = &self.current_delivery_stream_version_id;
        check.required("CurrentDeliveryStreamVersionId", version, VERSION_ID);
        check.required("DestinationId", &self.destination_id, DESTINATION_ID);
        check.optional("S3DestinationUpdate", &self.s3, Fields);
        check.optional("ExtendedS3DestinationUpdate", &self.extended_s3, Fields);
        let http = &self.http_endpoint_destination_update;
        check.optional("HttpEndpointDestinationUpdate", http, Fields);
        let splunk = &self.splunk_destination_update;
        check.optional("SplunkDestinationUpdate", splunk, Fields);
        let redshift = &self.redshift_destination_update;
        check.optional("RedshiftDestinationUpdate", redshift, Fields);
        let elastic = &self.elasticsearch_destination_update;
        check.optional("ElasticsearchDestinationUpdate", elastic, Fields);
        let open = &self.amazonopensearchservice_destination_update;
        check.optional("AmazonopensearchserviceDestinationUpdate", open, Fields);
    }
}

impl Input<'_> {
    fn is_served(&self) -> bool {
        [
            &self.amazon_open_search_serverless_destination_update,
            &self.snowflake_destination_update,
            &self.iceberg_destination_update,
        ]
        .into_iter()
        .all(Option::is_none)
    }
}

/// Changes a delivery stream's destination; what is not said stays as it is. What waits is
/// delivered by the new configuration.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let stream = find(delivery, &call.caller, name)?;
    let id = required(&input.destination_id)?.as_str();
    if id != DESTINATION {
        return Err(error::invalid_argument(format!(
            "Destination Id {id} not found"
        )));
    }
    let destination = changed(delivery, &call.caller, &input, &stream.destination)?;
    object_names::check(delivery, &stream.arn.name, &destination).await?;
    conversion::check_ground(delivery, &destination).await?;
    let changed = (Some(&stream.destination), &destination);
    secrets::check(delivery, &call.caller, changed).await?;
    let of_version = required(&input.current_delivery_stream_version_id)?;
    let edit = Edit::Destination {
        of_version: of_version.as_str().to_owned(),
        destination: Box::new(destination),
    };
    let edited = delivery.catalog.edit(stream.arn.clone(), edit).await;
    edited.map_err(|error| error::change(error, &stream.arn))?;
    call.answer(&NoMembers {})
}

fn changed(
    delivery: &Delivery,
    caller: &Caller,
    input: &Input<'_>,
    before: &Destination,
) -> Result<Destination, ApiError> {
    if !input.is_served() {
        return Err(error::invalid_argument(
            "Only S3, extended S3, HTTP endpoint, Splunk, OpenSearch Service, Elasticsearch and \
             Redshift destinations are supported.",
        ));
    }
    let http = &input.http_endpoint_destination_update;
    let splunk = input.splunk_destination_update.as_ref();
    let redshift = input.redshift_destination_update.as_ref();
    let elastic = input.elasticsearch_destination_update.as_ref();
    let open = input.amazonopensearchservice_destination_update.as_ref();
    let s3 = input.s3.as_ref();
    let extended = input.extended_s3.as_ref();
    let asked = Asked::the_one([
        s3.map(|Structure(Changed(said))| Asked::S3(said)),
        extended.map(|Structure(Changed(said))| Asked::ExtendedS3(said)),
        http.as_ref()
            .map(|Structure(Changed(said))| Asked::HttpEndpoint(said)),
        splunk.map(|Structure(Changed(said))| Asked::Splunk(said)),
        redshift.map(|Structure(Changed(said))| Asked::Redshift(said)),
        elastic.map(|Structure(Changed(said))| Asked::Search(Product::Elasticsearch, said)),
        open.map(|Structure(Changed(said))| Asked::Search(Product::OpenSearch, said)),
    ])?;
    asked.configured(delivery, caller, Some(before))
}
