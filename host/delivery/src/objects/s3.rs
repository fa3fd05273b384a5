//! Buckets of an S3 endpoint. Objects are put with `If-None-Match: *`, so that of two puts of one
//! object the first counts.

use std::collections::HashMap;
use std::error::Error as _;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use md5::{Digest, Md5};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig,
};
use types::Timestamp;

use super::comparison::Comparison;
use super::http::{Connector, NoTag};
use super::marked::{self, Signer, path};
use super::refusal::Refusal;
use super::{Created, Found, ObjectError, Objects, cause};
use crate::arn::BucketName;
use crate::compression::Compression;

/// Buckets whose clients are kept; one more begins anew with all.
const BUCKETS_KEPT_MAX: usize = 1_000;
/// Bytes of an object that is there that are read at once.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// The metadata in which the text beside an object lies.
const MARK: &str = "millrace-made-of";
/// What the service says of every object: records are any bytes.
const CONTENT_TYPE: &str = "application/octet-stream";
/// Characters of an endpoint's answer that an error repeats.
const ERROR_CHARS_MAX: usize = 500;

/// How the endpoint is reached.
#[derive(Clone)]
pub struct S3Config {
    /// Its URL; `None` is AWS's own for the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The public half of the key.
    pub access_key_id: String,
    /// The half that signs.
    pub secret_access_key: String,
    /// Buckets are named in the path and not in the host.
    pub path_style: bool,
}

impl std::fmt::Debug for S3Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .finish_non_exhaustive()
    }
}

/// The buckets of an endpoint.
pub struct S3Objects {
    config: S3Config,
    connector: Arc<Connector>,
    buckets: Mutex<HashMap<BucketName, AmazonS3>>,
}

impl S3Objects {
    /// A client; nothing is asked of the endpoint yet.
    pub fn new(config: S3Config) -> Result<Self, ObjectError> {
        let signer = Signer {
            region: config.region.clone(),
            credential: AwsCredential {
                key_id: config.access_key_id.clone(),
                secret_key: config.secret_access_key.clone(),
                token: None,
            },
        };
        let connector = Connector::new(signer)
            .map_err(|error| ObjectError::Failed(format!("trusted certificates: {error}")))?;
        Ok(Self {
            config,
            connector: Arc::new(connector),
            buckets: Mutex::default(),
        })
    }

    fn bucket(&self, name: &BucketName) -> Result<AmazonS3, ObjectError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(name) {
            return Ok(bucket.clone());
        }
        let config = &self.config;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name.as_str())
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(&config.secret_access_key)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_allow_http(true)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // The pump tries again; it knows what else there is to do meanwhile.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_http_connector(SharedConnector(Arc::clone(&self.connector)));
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let bucket = builder.build().map_err(failed)?;
        if buckets.len() >= BUCKETS_KEPT_MAX {
            buckets.clear();
        }
        buckets.insert(name.clone(), bucket.clone());
        Ok(bucket)
    }

    /// Makes an object, maybe with a text beside it.
    async fn make(
        &self,
        (bucket, key): (&BucketName, &str),
        content: PutPayload,
        (compression, mark): (Compression, Option<&str>),
    ) -> Result<Created, ObjectError> {
        let store = self.bucket(bucket)?;
        let path = path(key)?;
        let mut attributes = attributes(compression.content_encoding());
        if let Some(mark) = mark {
            attributes.insert(Attribute::Metadata(MARK.into()), mark.to_owned().into());
        }
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        match store.put_opts(&path, content.clone(), options).await {
            Ok(_) => Ok(Created::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                // It is there: not to be allowed to look at it is no refusal of the put.
                let is_same = holds(&store, &path, (Bytes::from(content), compression)).await;
                if is_same.map_err(|error| ObjectError::Failed(told(&error)))? {
                    Ok(Created::There)
                } else {
                    Ok(Created::Different)
                }
            }
            Err(error) => match cause::<NoTag>(&error) {
                Some(no_tag) => found_after(&store, &path, (*no_tag, content, compression)).await,
                None => Err(failed(error)),
            },
        }
    }
}

#[derive(Debug)]
struct SharedConnector(Arc<Connector>);

impl object_store::client::HttpConnector for SharedConnector {
    fn connect(
        &self,
        options: &object_store::ClientOptions,
    ) -> object_store::Result<object_store::client::HttpClient> {
        self.0.connect(options)
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn create(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        compression: Compression,
    ) -> Result<Created, ObjectError> {
        self.make((bucket, key), content, (compression, None)).await
    }

    async fn create_marked(
        &self,
        bucket: &BucketName,
        key: &str,
        content: PutPayload,
        (compression, mark): (Compression, &str),
    ) -> Result<Created, ObjectError> {
        self.make((bucket, key), content, (compression, Some(mark)))
            .await
    }

    async fn mark_of(&self, bucket: &BucketName, key: &str) -> Result<Option<String>, ObjectError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.bucket(bucket)?.get_opts(&path(key)?, options).await {
            Ok(found) => {
                let mark = found.attributes.get(&Attribute::Metadata(MARK.into()));
                Ok(mark.map(|mark| mark.to_string()))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    async fn list(
        &self,
        bucket: &BucketName,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> Result<Vec<Found>, ObjectError> {
        let options = PaginatedListOptions {
            offset: after.map(str::to_owned),
            max_keys: Some(limit),
            ..PaginatedListOptions::default()
        };
        let store = self.bucket(bucket)?;
        let listed = store.list_paginated(Some(prefix), options).await;
        let mut found: Vec<Found> = match listed {
            Ok(listed) => listed.result.objects.into_iter().map(found).collect(),
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn find(&self, bucket: &BucketName, key: &str) -> Result<Option<Found>, ObjectError> {
        match self.bucket(bucket)?.head(&path(key)?).await {
            Ok(meta) => Ok(Some(found(meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    async fn read(
        &self,
        bucket: &BucketName,
        found: &Found,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError> {
        let options = GetOptions {
            range: Some(range.into()),
            if_match: found.tag.clone(),
            ..GetOptions::default()
        };
        let store = self.bucket(bucket)?;
        match store.get_opts(&path(&found.key)?, options).await {
            Ok(read) => Ok(Some(read.bytes().await.map_err(failed)?)),
            Err(Error::NotFound { .. } | Error::Precondition { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// An object as it is known here.
fn found(meta: ObjectMeta) -> Found {
    let made_at = u64::try_from(meta.last_modified.timestamp_millis());
    Found {
        key: marked::key(meta.location),
        bytes: meta.size,
        // Before 1970 there was no store.
        made_at: made_at.map_or(Timestamp(0), Timestamp),
        tag: meta.e_tag,
    }
}

/// What became of a put that was answered well by what may be no S3: the object is looked for.
async fn found_after(
    store: &AmazonS3,
    path: &Path,
    (no_tag, content, compression): (NoTag, PutPayload, Compression),
) -> Result<Created, ObjectError> {
    let not = |found: &str| ObjectError::Failed(format!("{no_tag}, as no S3 does, and {found}"));
    match holds(store, path, (Bytes::from(content), compression)).await {
        Ok(true) => Ok(Created::New),
        Ok(false) => Err(not("what is there then is not what was put")),
        Err(error) => Err(not(&format!(
            "what was put is not there then: {}",
            told(&error)
        ))),
    }
}

/// What readers of an object are told about its content.
fn attributes(encoding: Option<&'static str>) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, CONTENT_TYPE.into());
    if let Some(encoding) = encoding {
        attributes.insert(Attribute::ContentEncoding, encoding.into());
    }
    attributes
}

/// Whether the object that is there holds this. Its ETag says so where it is the MD5 of what was
/// put at once; else it is read.
async fn holds(
    store: &AmazonS3,
    path: &Path,
    (content, compression): (Bytes, Compression),
) -> Result<bool, Error> {
    let found = store.head(path).await?;
    if let Some(tag) = &found.e_tag
        && is_tag_of(tag, content.clone()).await?
    {
        return Ok(true);
    }
    let mut comparison = Comparison::with(content, compression);
    let mut at = 0;
    while at < found.size {
        let end = found.size.min(at + CHUNK_BYTES);
        let options = GetOptions {
            range: Some((at..end).into()),
            // It is the same object all the time.
            if_match: found.e_tag.clone(),
            ..GetOptions::default()
        };
        let chunk = store.get_opts(path, options).await?.bytes().await?;
        let compared = tokio::task::spawn_blocking(move || {
            let may_be = comparison.add(&chunk);
            (comparison, may_be)
        });
        let (so_far, may_be) = compared.await?;
        if !may_be {
            return Ok(false);
        }
        comparison = so_far;
        at = end;
    }
    Ok(tokio::task::spawn_blocking(move || comparison.holds_the_same()).await?)
}

async fn is_tag_of(tag: &str, content: Bytes) -> Result<bool, Error> {
    let tag = tag.trim_matches('"').to_ascii_lowercase();
    let hashed = tokio::task::spawn_blocking(move || Md5::digest(&content));
    let hash = hashed.await?;
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits == tag)
}

fn failed(error: Error) -> ObjectError {
    if let Some(refusal) = cause::<Refusal>(&error) {
        return refusal.error();
    }
    let text = told(&error);
    match error {
        Error::NotImplemented { .. } | Error::NotSupported { .. } | Error::InvalidPath { .. } => {
            ObjectError::Impossible(text)
        }
        Error::NotFound { .. }
        | Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::UnknownConfigurationKey { .. } => ObjectError::Refused(text),
        // No answer, or none that can be understood.
        _ => ObjectError::Failed(text),
    }
}

/// What happened, with what caused it, on one line. Of a long one the first cause stands first:
/// before it come the object's names, which alone may be longer than what is repeated.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        last = error.to_string();
        if !text.contains(&last) {
            text.push_str(": ");
            text.push_str(&last);
        }
        cause = error.source();
    }
    if text.chars().count() > ERROR_CHARS_MAX {
        text = format!("{last}: {text}");
    }
    let text = marked::told(&text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
