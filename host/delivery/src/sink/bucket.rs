//! Pieces become objects of a bucket, each made once and whole. What Redshift fetches is staged in
//! the same way, with a manifest of each object.

use std::sync::Arc;

use object_store::PutPayload;
use streams::Numbering;
use types::{Invalid, Timestamp};

use super::Answer;
use crate::arn::{BucketName, DeliveryStreamName};
use crate::compression::Compression;
use crate::cut::Cut;
use crate::delivery_stream::{Destination, Plan};
use crate::kind::Kind;
use crate::lineage::Made;
use crate::object_name::{Label, NamingKey, Place};
use crate::objects::{Created, ObjectError, Objects};
use crate::open_cut::OpenCut;
use crate::piece::{Piece, PieceKind};
use crate::prefix::{Prefix, Prefixes};
use crate::redshift::manifest::S3Url;
use crate::zone::{Clocks, Local};

/// Where the objects of one cut go, and how they are named.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn Objects>,
    naming: NamingKey,
    main: Site,
    /// What stands before names of records that the destination refused.
    refused: Prefix,
    /// What stands before names of manifests of what is staged.
    manifests: Prefix,
    /// Where records go as they came in, if that is another place.
    backup: Option<Site>,
    /// What the names of this cut say.
    stream: DeliveryStreamName,
    /// What its objects say of themselves.
    cut: Cut,
    numbering: Option<Numbering>,
}

/// Below which folder manifests lie of objects that Redshift is told to fetch; below `errors/` lie
/// those of objects that it did not (developer guide, "Handle data delivery failures").
const MANIFESTS: &str = "manifests/";

/// What stands before names of manifests, if a destination has some.
pub fn manifests_of(destination: &Destination, prefixes: &Prefixes) -> Option<Prefix> {
    let is_staged = matches!(&destination.kind, Kind::Redshift(it) if it.fetches());
    is_staged.then(|| prefixes.delivered.with_folder(MANIFESTS))
}

/// What a manifest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// An object that is to be fetched.
    ToFetch,
    /// One that was not, and is for people now.
    GivenUp,
}

/// An object that is there to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Its name below the bucket.
    pub key: String,
    /// Where it is.
    pub url: S3Url,
    /// How long it is.
    pub bytes: u64,
}

/// One of the places where objects of a cut go.
#[derive(Clone)]
struct Site {
    bucket: BucketName,
    prefixes: Prefixes,
    extension: String,
    /// How objects are packed, but for those of failed records.
    compression: Compression,
    local: Local,
}

impl Site {
    fn of(destination: &Destination, oldest: Timestamp, clocks: Clocks) -> Result<Self, Invalid> {
        let Plan {
            bucket,
            prefixes,
            zone,
            ..
        } = destination.plan()?;
        Ok(Self {
            bucket,
            prefixes,
            extension: destination.extension().to_owned(),
            compression: destination.compression,
            local: zone.local(oldest, clocks)?,
        })
    }
}

impl Bucket {
    /// Begins with a cut.
    ///
    /// # Errors
    /// When what is kept of the destination, or of the cut, cannot be meant.
    pub fn begin(
        (objects, naming): (&Arc<dyn Objects>, &NamingKey),
        (stream, numbering): (&DeliveryStreamName, Option<Numbering>),
        open: &OpenCut,
    ) -> Result<Self, Invalid> {
        let OpenCut {
            cut,
            destination,
            clocks,
            ..
        } = open;
        let main = Site::of(destination, cut.oldest, *clocks)?;
        let backup = destination.backup.as_deref();
        // A backup is in UTC, which no rules change.
        let backup = backup.map(|backup| Site::of(backup, cut.oldest, Clocks::UTC));
        let failed = &main.prefixes.failed;
        Ok(Self {
            objects: Arc::clone(objects),
            naming: naming.clone(),
            refused: match destination.refused_under() {
                Some(what) => failed.filed_under(what),
                // A bucket refuses no piece for good, and all records can be written as they are.
                None => failed.clone(),
            },
            manifests: main.prefixes.delivered.with_folder(MANIFESTS),
            main,
            backup: backup.transpose()?,
            stream: stream.clone(),
            cut: cut.clone(),
            numbering,
        })
    }

    /// Puts a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        let key = self.key(place, piece.partition.as_deref().unwrap_or_default());
        let Site {
            bucket,
            compression,
            ..
        } = self.site_of(piece.kind);
        let compression = match piece.kind {
            PieceKind::Delivered | PieceKind::Backup => *compression,
            // Failed records are not packed.
            PieceKind::Failed | PieceKind::Refused => Compression::Uncompressed,
        };
        match self
            .create((bucket, &key), piece.content, (compression, place))
            .await
        {
            Ok(_) => Answer::Delivered(key),
            Err(answer) => answer,
        }
    }

    /// Puts the content of a request that has this place, for somebody else to fetch.
    ///
    /// # Errors
    /// What the store answers, if it is not there.
    pub async fn stage(&self, content: PutPayload, place: Place) -> Result<Staged, Answer> {
        let key = self.key(place, &[]);
        let Site {
            bucket,
            compression,
            ..
        } = &self.main;
        let bytes = content.content_length() as u64;
        let created = self
            .create((bucket, &key), content, (*compression, place))
            .await?;
        let bytes = match (created, compression) {
            // Another build may have packed what is there.
            (Created::There, packed) if *packed != Compression::Uncompressed => {
                self.bytes_of(bucket, &key).await?
            }
            _ => bytes,
        };
        Ok(Staged {
            url: S3Url::of(bucket.as_str(), &key),
            key,
            bytes,
        })
    }

    async fn bytes_of(&self, bucket: &BucketName, key: &str) -> Result<u64, Answer> {
        let again = |what: String| Answer::Again {
            why: format!("look for {key} in {bucket}: {what}"),
            is_refused: false,
        };
        match self.objects.find(bucket, key).await {
            Ok(Some(found)) => Ok(found.bytes),
            Ok(None) => Err(again("it was there and is not any more".to_owned())),
            Err(error) => Err(again(error.to_string())),
        }
    }

    /// Puts the manifest of the object of a request that has this place: it has the same name in
    /// another folder. Where it is.
    ///
    /// # Errors
    /// What the store answers, if it is not there.
    pub async fn put_manifest(
        &self,
        (staging, place): (Staging, Place),
        manifest: String,
    ) -> Result<S3Url, Answer> {
        let prefix = match staging {
            Staging::ToFetch => &self.manifests,
            Staging::GivenUp => &self.refused,
        };
        let key = self.name(&self.main, (prefix, ""), (place, &[]));
        let bucket = &self.main.bucket;
        let content = PutPayload::from(manifest);
        self.create((bucket, &key), content, (Compression::Uncompressed, place))
            .await?;
        Ok(S3Url::of(bucket.as_str(), &key))
    }

    /// Makes an object, unless it is there.
    async fn create(
        &self,
        (bucket, key): (&BucketName, &str),
        content: PutPayload,
        (compression, place): (Compression, Place),
    ) -> Result<Created, Answer> {
        let mark = Made::of(&self.cut, place, self.numbering).write(&self.naming, key);
        let beside = (compression, mark.as_str());
        let create = self.objects.create_marked(bucket, key, content, beside);
        match create.await {
            Ok(created @ (Created::New | Created::There)) => Ok(created),
            Ok(Created::Different) => Err(Answer::Undecided(format!(
                "put {key} into {bucket}: an object of this name is there that holds something \
                 else. It is left as it is, and nothing after it is delivered. Take it away if it \
                 is not ours, or decide what becomes of the delivery"
            ))),
            Err(error) => {
                let refused = match error {
                    ObjectError::Impossible(_) => " is refused for good",
                    ObjectError::Refused(_) => " is refused",
                    ObjectError::Failed(_) => "",
                };
                Err(Answer::Again {
                    why: format!("put {key} into {bucket}{refused}: {error}"),
                    is_refused: !refused.is_empty(),
                })
            }
        }
    }

    /// Where pieces of a kind go.
    fn site_of(&self, kind: PieceKind) -> &Site {
        match (kind, &self.backup) {
            (PieceKind::Backup, Some(backup)) => backup,
            (
                PieceKind::Delivered | PieceKind::Backup | PieceKind::Failed | PieceKind::Refused,
                _,
            ) => &self.main,
        }
    }

    fn key(&self, place: Place, values: &[String]) -> String {
        let site = self.site_of(place.kind);
        let prefixed = match place.kind {
            PieceKind::Delivered | PieceKind::Backup => {
                (&site.prefixes.delivered, site.extension.as_str())
            }
            PieceKind::Failed => (&site.prefixes.failed, ""),
            PieceKind::Refused => (&self.refused, ""),
        };
        self.name(site, prefixed, (place, values))
    }

    /// What an object of a place is called, behind one of its prefixes.
    fn name(
        &self,
        site: &Site,
        (prefix, extension): (&Prefix, &str),
        (place, values): (Place, &[String]),
    ) -> String {
        let label = Label {
            stream: self.stream.as_str(),
            version: self.cut.version_id,
            local: site.local,
            extension,
            values,
        };
        self.naming.object_key(prefix, place, label)
    }
}
