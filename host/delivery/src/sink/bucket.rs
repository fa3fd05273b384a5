//! Pieces become objects of a bucket, each made once and whole.

use std::sync::Arc;

use types::{Invalid, Timestamp};

use super::Answer;
use crate::arn::{BucketName, DeliveryStreamName};
use crate::compression::Compression;
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
    main: Site,
    /// What stands before names of records that the destination refused.
    refused: Prefix,
    /// Where records go as they came in, if that is another place.
    backup: Option<Site>,
    /// What the names of this cut say.
    stream: DeliveryStreamName,
    version: u64,
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
        stream: &DeliveryStreamName,
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
            main,
            backup: backup.transpose()?,
            stream: stream.clone(),
            version: cut.version_id,
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
        let Site {
            prefixes,
            extension,
            local,
            ..
        } = self.site_of(place.kind);
        let (prefix, extension) = match place.kind {
            PieceKind::Delivered | PieceKind::Backup => (&prefixes.delivered, extension.as_str()),
            PieceKind::Failed => (&prefixes.failed, ""),
            PieceKind::Refused => (&self.refused, ""),
        };
        let label = Label {
            stream: self.stream.as_str(),
            version: self.version,
            local: *local,
            extension,
            values,
        };
        self.naming.object_key(prefix, place, label)
    }
}
