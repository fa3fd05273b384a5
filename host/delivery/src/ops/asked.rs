//! The one destination that a request describes.

use types::Caller;
use wire::ApiError;

use super::http_shapes::HttpEndpoint;
use super::redshift_shapes::Redshift;
use super::s3_shapes::{ExtendedS3, S3};
use super::search_shapes::Search;
use super::splunk_shapes::Splunk;
use super::{
    configure, configure_http, configure_redshift, configure_search, configure_splunk, error,
};
use crate::Delivery;
use crate::delivery_stream::Destination;
use crate::search::Product;

/// A destination as it is described, when it is made or when it is changed.
#[derive(Clone, Copy)]
pub enum Asked<'s, 'a> {
    S3(&'s S3<'a>),
    ExtendedS3(&'s ExtendedS3<'a>),
    HttpEndpoint(&'s HttpEndpoint<'a>),
    Splunk(&'s Splunk<'a>),
    Search(Product, &'s Search<'a>),
    Redshift(&'s Redshift<'a>),
}

impl Asked<'_, '_> {
    /// The one of all that is there.
    ///
    /// # Errors
    /// InvalidArgumentException where there is none, or more than one.
    pub fn the_one<const KINDS: usize>(all: [Option<Self>; KINDS]) -> Result<Self, ApiError> {
        let mut there = all.into_iter().flatten();
        match (there.next(), there.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(error::invalid_argument(
                "Exactly one destination configuration is supported for a Firehose",
            )),
        }
    }

    /// The destination that it describes, over the one of before.
    ///
    /// # Errors
    /// InvalidArgumentException: what is not served, and what makes another kind of it: what waits
    /// was put for a destination of one kind, and what is known of its pieces is of that kind, too.
    pub fn configured(
        self,
        delivery: &Delivery,
        caller: &Caller,
        before: Option<&Destination>,
    ) -> Result<Destination, ApiError> {
        if let Some(before) = before {
            self.check_kind(before)?;
        }
        match self {
            Self::S3(said) => configure::s3(before, said),
            Self::ExtendedS3(said) => configure::extended_s3(delivery, caller, before, said),
            Self::HttpEndpoint(said) => {
                configure_http::http_endpoint(delivery, caller, before, said)
            }
            Self::Splunk(said) => configure_splunk::splunk(delivery, caller, before, said),
            Self::Search(product, said) => {
                configure_search::search(delivery, caller, before, (product, said))
            }
            Self::Redshift(said) => configure_redshift::redshift(delivery, caller, before, said),
        }
    }

    fn check_kind(self, before: &Destination) -> Result<(), ApiError> {
        let said = match self {
            Self::S3(_) | Self::ExtendedS3(_) => "S3",
            Self::HttpEndpoint(_) => "an HTTP endpoint",
            Self::Splunk(_) => "Splunk",
            Self::Search(product, _) => product.name(),
            Self::Redshift(_) => "Redshift",
        };
        let is = before.kind.name();
        if is == said {
            Ok(())
        } else {
            Err(error::invalid_argument(format!(
                "The destination is {is} and cannot become {said}. Make another delivery stream \
                 for that."
            )))
        }
    }
}
