//! What kinds of destinations there are, and what follows from the kind alone.

use bincode::{Decode, Encode};

use crate::fallback::Fallback;
use crate::http_endpoint::HttpEndpoint;
use crate::redshift::Redshift;
use crate::search::{Product, Search};
use crate::splunk::Splunk;

/// Where delivered records go. It never changes for a delivery stream. Rows hold it: a new variant
/// comes after all others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// Into objects of the bucket.
    Bucket,
    /// To an HTTP endpoint. What it refuses goes into the bucket.
    HttpEndpoint(Box<HttpEndpoint>),
    /// To a Splunk HTTP event collector. What it refuses goes into the bucket.
    Splunk(Box<Splunk>),
    /// Into an index of an OpenSearch or Elasticsearch cluster. What it refuses goes into the
    /// bucket.
    Search(Box<Search>),
    /// Into a table of a database. What it refuses goes into the bucket, or stays there.
    Redshift(Box<Redshift>),
}

impl Kind {
    /// What is done about what is not taken, where records become requests.
    pub fn fallback(&self) -> Option<&Fallback> {
        match self {
            Self::Bucket => None,
            Self::HttpEndpoint(endpoint) => Some(&endpoint.fallback),
            Self::Splunk(splunk) => Some(&splunk.fallback),
            Self::Search(search) => Some(&search.fallback),
            Self::Redshift(redshift) => Some(&redshift.fallback),
        }
    }

    /// Whether records become requests.
    pub fn sends_requests(&self) -> bool {
        self.fallback().is_some()
    }

    /// Where requests go, as it was configured.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Bucket => None,
            Self::HttpEndpoint(endpoint) => Some(&endpoint.url),
            Self::Splunk(splunk) => Some(&splunk.url),
            Self::Search(search) => Some(&search.url),
            Self::Redshift(redshift) => Some(&redshift.url),
        }
    }

    /// What records are filed under that the destination refused (developer guide, "Custom prefixes
    /// for Amazon S3 objects", error-output-type). Redshift leaves manifests of whole batches; the
    /// word for databases that rows are sent to is ours. A bucket refuses none for good.
    pub fn refused_under(&self) -> Option<&'static str> {
        match self {
            Self::Bucket => None,
            Self::HttpEndpoint(_) => Some("http-endpoint-failed"),
            Self::Splunk(_) => Some("splunk-failed"),
            Self::Search(search) => Some(match search.product {
                Product::Elasticsearch => "elasticsearch-failed",
                Product::OpenSearch => "AmazonOpenSearchService-failed",
            }),
            Self::Redshift(redshift) if redshift.fetches() => Some("errors/manifests"),
            Self::Redshift(_) => Some("redshift-failed"),
        }
    }

    /// The same where those are lines of records, which can be read and replayed.
    pub fn refused_lines_under(&self) -> Option<&'static str> {
        let is_staged = matches!(self, Self::Redshift(redshift) if redshift.fetches());
        self.refused_under().filter(|_| !is_staged)
    }

    /// Its name in a sentence.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bucket => "S3",
            Self::HttpEndpoint(_) => "an HTTP endpoint",
            Self::Splunk(_) => "Splunk",
            Self::Search(search) => search.product.name(),
            Self::Redshift(_) => "Redshift",
        }
    }
}
