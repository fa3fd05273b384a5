//! What StartStreamEncryption and StopStreamEncryption share.

use serde::Deserialize;
use wire::ApiError;
use wire::members::Text;
use wire::shape::{Check, Shape, TextRule};

use super::shapes::StreamMembers;
use super::{error, required};
use crate::Streams;
use crate::encryption::{Asked, KMS};
use crate::stream::Stream;

const ENCRYPTION_TYPE: TextRule = TextRule::one_of(&["NONE", KMS]);
const KEY_ID: TextRule = TextRule::chars(1, 2_048);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    encryption_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub key_id: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(borrow)]
    stream_id: Option<Text<'a>>,
}

impl Input<'_> {
    pub fn stream(&self) -> StreamMembers<'_> {
        StreamMembers {
            name: &self.stream_name,
            arn: &self.stream_arn,
            id: &self.stream_id,
        }
    }

    /// The model knows a type that means no encryption, and no operation takes it.
    pub fn check_type(&self) -> Result<(), ApiError> {
        let said = required("EncryptionType", &self.encryption_type)?.as_str();
        if said == KMS {
            return Ok(());
        }
        Err(error::invalid_argument(format!(
            "EncryptionType {said} is not valid. The only valid value is {KMS}."
        )))
    }
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("EncryptionType", &self.encryption_type, ENCRYPTION_TYPE);
        check.required("KeyId", &self.key_id, KEY_ID);
        self.stream().check(check);
    }
}

/// Changes what a stream's records are sealed with.
pub async fn change(streams: &Streams, stream: &Stream, asked: Asked) -> Result<(), ApiError> {
    let changed = streams.catalog.encrypt(stream.arn.clone(), asked).await;
    changed.map_err(|error| error::change(error, &stream.arn))
}

/// The type of a stream's encryption, and its key as it was named.
pub fn described(stream: &Stream) -> (&'static str, Option<&str>) {
    match &stream.encryption.in_force {
        None => ("NONE", None),
        Some(sealing) => (KMS, Some(&sealing.named)),
    }
}
