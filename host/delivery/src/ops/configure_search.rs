//! From the members of an OpenSearch or Elasticsearch destination to the destination that is kept.

use types::{Caller, Invalid};
use wire::ApiError;
use wire::members::{Structure, Text};

use super::configure::checked;
use super::configure_requests::{Defaults, common, set_processing};
use super::error::invalid_argument;
use super::search_shapes::Search as Said;
use super::shapes::required;
use crate::Delivery;
use crate::delivery_stream::{Destination, INTERVAL_SECONDS_DEFAULT};
use crate::kind::Kind;
use crate::search::{Product, RETRY_SECONDS_DEFAULT, Rotation, Search};

/// What is in no name of an index, besides white space and capital letters.
const INDEX_NAME_HAS_NOT: [char; 11] = ['\\', '/', '*', '?', '"', '<', '>', '|', ',', '#', ':'];
/// Bytes of the name of an index (OpenSearch, "Create index", index naming restrictions).
const INDEX_NAME_BYTES_MAX: usize = 255;

const DEFAULTS: Defaults = Defaults {
    interval_seconds: INTERVAL_SECONDS_DEFAULT,
    retry_seconds: RETRY_SECONDS_DEFAULT,
};

/// A destination as the configuration or the update of this product says, over `before`.
///
/// # Errors
/// InvalidArgumentException: what is not served, an index that no cluster makes, a URL that no
/// request may be sent to.
pub fn search(
    delivery: &Delivery,
    caller: &Caller,
    before: Option<&Destination>,
    (product, said): (Product, &Said<'_>),
) -> Result<Destination, ApiError> {
    let mut destination = before.cloned().unwrap_or_else(Destination::blank);
    let mut search = match &destination.kind {
        Kind::Search(before) => (**before).clone(),
        _ => Search::blank(product),
    };
    if said.vpc_configuration.is_some() {
        return Err(invalid_argument("VpcConfiguration is not supported."));
    }
    let members = said.members();
    common(&mut destination, &mut search.fallback, &members, DEFAULTS)?;
    if let Some(arn) = &said.role_arn {
        destination.role_arn = arn.as_str().to_owned();
    }
    set_cluster(delivery, &mut search, said)?;
    set_index(&mut search, said)?;
    // The model's update has no S3BackupMode: it stays.
    if let (None, Some(mode)) = (before, &said.s3_backup_mode) {
        search.fallback.backs_up_all = mode.as_str() == "AllDocuments";
    }
    destination.kind = Kind::Search(Box::new(search));
    set_processing(delivery, caller, &mut destination, &members)?;
    checked(destination)
}

fn set_cluster(delivery: &Delivery, search: &mut Search, said: &Said<'_>) -> Result<(), ApiError> {
    if said.domain_arn.is_some() {
        return Err(invalid_argument(
            "DomainARN is not supported: there are no domains here whose address could be looked \
             up. The address can be given as ClusterEndpoint.",
        ));
    }
    if let Some(url) = said.cluster_endpoint.as_ref().map(Text::as_str) {
        let permitted = delivery.tools.endpoints.permits(url);
        permitted.map_err(|Invalid(why)| invalid_argument(format!("ClusterEndpoint: {why}.")))?;
        if url.contains(['?', '#']) {
            return Err(invalid_argument(
                "ClusterEndpoint has a query or a fragment: the path of what is asked for is \
                 added to it.",
            ));
        }
        url.clone_into(&mut search.url);
    }
    if search.url.is_empty() {
        return Err(invalid_argument("ClusterEndpoint must be provided."));
    }
    Ok(())
}

fn set_index(search: &mut Search, said: &Said<'_>) -> Result<(), ApiError> {
    if let Some(name) = said.index_name.as_ref().map(Text::as_str) {
        check_index(name)?;
        name.clone_into(&mut search.index.name);
    }
    if let Some(name) = &said.type_name {
        name.as_str().clone_into(&mut search.index.type_name);
    }
    if let Some(period) = said.index_rotation_period.as_ref().map(Text::as_str) {
        // The shape lets no other word through.
        let unknown = || invalid_argument(format!("IndexRotationPeriod {period} is unknown."));
        search.index.rotation = Rotation::parse(period).ok_or_else(unknown)?;
    }
    let bytes = search.index.name.len() + search.index.rotation.suffix_bytes();
    if bytes > INDEX_NAME_BYTES_MAX {
        return Err(invalid_argument(format!(
            "IndexName has {bytes} bytes with what its rotation adds, and an index has \
             {INDEX_NAME_BYTES_MAX} at most."
        )));
    }
    if let Some(Structure(ids)) = &said.document_id_options {
        let format = required(&ids.default_document_id_format)?;
        search.gives_ids = format.as_str() == "FIREHOSE_DEFAULT";
    }
    Ok(())
}

/// Refuses names that no cluster takes for those of an index (OpenSearch, "Create index", index
/// naming restrictions): every document would fail.
fn check_index(name: &str) -> Result<(), ApiError> {
    let is_wrong = |it: char| it.is_whitespace() || it.is_control();
    let begins = name.starts_with(['_', '-', '+']) || name == "." || name == "..";
    // Letters of titles are neither small nor capital ones.
    let is_small = name.to_lowercase() == name;
    if begins || !is_small || name.contains(is_wrong) || name.contains(INDEX_NAME_HAS_NOT) {
        return Err(invalid_argument(format!(
            "IndexName {name} is none that an index can have: lower-case letters, no white space \
             and none of \\ / * ? \" < > | , # :, and no _, - or + first."
        )));
    }
    Ok(())
}
