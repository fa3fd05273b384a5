//! Pieces become objects of a bucket, each made once and whole.

use std::sync::Arc;

use types::Invalid;

use super::Answer;
use crate::arn::{BucketName, DeliveryStreamName};
use crate::compression::Compression;
use crate::cut::Cut;
use crate::delivery_stream::{Destination, Plan};
use crate::object_name::{Label, NamingKey, Place};
use crate::objects::{Created, ObjectError, Objects};
use crate::open_cut::OpenCut;
use crate::piece::{Piece, PieceKind};
use crate::prefix::{Prefix, Prefixes};
use crate::zone::{Clocks, Local};

/// Where the objects of one cut go, and how they are named.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn Objects>,
    naming: NamingKey,
    bucket: BucketName,
    prefixes: Prefixes,
    /// What stands before names of records that the destination refused.
    refused: Prefix,
    extension: String,
    /// How delivered objects are packed.
    compression: Compression,
    /// Where records go as they came in, if that is another place.
    backup: Option<Backup>,
    /// What the names of this cut say.
    stream: DeliveryStreamName,
    version: u64,
    local: Local,
}

/// Where the records of one cut go as they came in.
#[derive(Clone)]
struct Backup {
    bucket: BucketName,
    prefix: Prefix,
    extension: String,
    compression: Compression,
    local: Local,
}

impl Backup {
    fn begin(destination: &Destination, cut: &Cut) -> Result<Self, Invalid> {
        let Plan {
            bucket,
            prefixes,
            zone,
            ..
        } = destination.plan()?;
        Ok(Self {
            bucket,
            prefix: prefixes.delivered,
            extension: destination.extension().to_owned(),
            compression: destination.compression,
            // It is in UTC, which no rules change.
            local: zone.local(cut.oldest, Clocks::UTC)?,
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
        stream: &DeliveryStreamName,
        open: &OpenCut,
    ) -> Result<Self, Invalid> {
        let OpenCut {
            cut,
            destination,
            clocks,
            ..
        } = open;
        let Plan {
            bucket,
            prefixes,
            zone,
            ..
        } = destination.plan()?;
        Ok(Self {
            objects: Arc::clone(objects),
            naming: naming.clone(),
            bucket,
            refused: match destination.kind.refused_under() {
                Some(what) => prefixes.failed.filed_under(what),
                // A bucket refuses no piece for good.
                None => prefixes.failed.clone(),
            },
            prefixes,
            extension: destination.extension().to_owned(),
            compression: destination.compression,
            backup: destination
                .backup
                .as_deref()
                .map(|backup| Backup::begin(backup, cut))
                .transpose()?,
            stream: stream.clone(),
            version: cut.version_id,
            local: zone.local(cut.oldest, *clocks)?,
        })
    }

    /// Puts a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place) -> Answer {
        let key = self.key(place, piece.partition.as_deref().unwrap_or_default());
        let (bucket, compression) = match (piece.kind, &self.backup) {
            (PieceKind::Backup, Some(backup)) => (&backup.bucket, backup.compression),
            (PieceKind::Delivered | PieceKind::Backup, _) => (&self.bucket, self.compression),
            // Failed records are not packed.
            (PieceKind::Failed | PieceKind::Refused, _) => {
                (&self.bucket, Compression::Uncompressed)
            }
        };
        let create = self
            .objects
            .create(bucket, &key, piece.content, compression);
        match create.await {
            Ok(Created::New | Created::There) => Answer::Delivered(key),
            Ok(Created::Different) => Answer::Undecided(format!(
                "put {key} into {bucket}: an object of this name is there that holds something \
                 else. It is left as it is, and nothing after it is delivered. Take it away if it \
                 is not ours, or decide what becomes of the delivery"
            )),
            Err(error) => {
                let refused = match error {
                    ObjectError::Impossible(_) => " is refused for good",
                    ObjectError::Refused(_) => " is refused",
                    ObjectError::Failed(_) => "",
                };
                Answer::Again {
                    why: format!("put {key} into {bucket}{refused}: {error}"),
                    is_refused: !refused.is_empty(),
                }
            }
        }
    }

    fn key(&self, place: Place, values: &[String]) -> String {
        let (prefix, extension, local) = match (place.kind, &self.backup) {
            (PieceKind::Backup, Some(backup)) => {
                (&backup.prefix, backup.extension.as_str(), backup.local)
            }
            (PieceKind::Delivered | PieceKind::Backup, _) => {
                let extension = self.extension.as_str();
                (&self.prefixes.delivered, extension, self.local)
            }
            (PieceKind::Failed, _) => (&self.prefixes.failed, "", self.local),
            (PieceKind::Refused, _) => (&self.refused, "", self.local),
        };
        let label = Label {
            stream: self.stream.as_str(),
            version: self.version,
            local,
            extension,
            values,
        };
        self.naming.object_key(prefix, place, label)
    }
}
