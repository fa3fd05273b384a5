//! What the operations share that say what a delivery stream's records are sealed with.

use serde::{Deserialize, Serialize};
use streams::encryption::{Asked, Coming, Encryption, Sealing};
use streams::kms::{MasterName, ServiceKey};
use types::Caller;
use wire::ApiError;
use wire::members::{Structure, Text};
use wire::shape::pattern::firehose as pattern;
use wire::shape::{Check, Shape, TextRule};

use super::error;
use super::shapes::required;
use crate::Delivery;
use crate::catalog::ChangeError;
use crate::delivery_stream::{DeliveryStream, Origin};

const OWNED: &str = "AWS_OWNED_CMK";
const MANAGED: &str = "CUSTOMER_MANAGED_CMK";
const KEY_TYPE: TextRule = TextRule::one_of(&[OWNED, MANAGED]);
const KEY_ARN: TextRule = TextRule::chars(1, 512).matching(pattern::KMS_KEY_ARN);

/// `DeliveryStreamEncryptionConfigurationInput`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Wanted<'a> {
    #[serde(borrow, rename = "KeyARN")]
    key_arn: Option<Text<'a>>,
    #[serde(borrow)]
    key_type: Option<Text<'a>>,
}

impl Shape for Wanted<'_> {
    fn check(&self, check: &mut Check) {
        check.optional("KeyARN", &self.key_arn, KEY_ARN);
        check.required("KeyType", &self.key_type, KEY_TYPE);
    }
}

/// Lets an operation go on that says what direct puts are sealed with. What waits elsewhere is
/// sealed as its stream is.
pub fn check_direct(stream: &DeliveryStream) -> Result<(), ApiError> {
    match stream.origin {
        Origin::DirectPut { .. } => Ok(()),
        Origin::Stream { .. } => Err(error::change(ChangeError::NotDirect, &stream.arn)),
    }
}

/// The key that is asked for, if it may be used; without a word of it the service's own.
pub async fn asked(
    delivery: &Delivery,
    caller: &Caller,
    wanted: Option<&Structure<Wanted<'_>>>,
) -> Result<Asked, ApiError> {
    let (kind, arn) = match wanted {
        None => (OWNED, None),
        Some(Structure(wanted)) => {
            let arn = wanted.key_arn.as_ref().map(Text::as_str);
            (required(&wanted.key_type)?.as_str(), arn)
        }
    };
    let named = match (kind == MANAGED, arn) {
        (true, Some(arn)) => arn,
        (false, None) => ServiceKey::Firehose.alias(),
        (true, None) => {
            let what = format!("KeyARN must be provided when KeyType is {MANAGED}.");
            return Err(error::invalid_argument(what));
        }
        (false, Some(_)) => {
            let what = format!("KeyARN must not be provided when KeyType is {OWNED}.");
            return Err(error::invalid_argument(what));
        }
    };
    let kms = delivery.streams.kms();
    let found = kms.find(&*delivery.tools.engine, named, caller).await;
    Ok(Asked::Start {
        named: named.to_owned(),
        master: found.map_err(error::kms)?,
    })
}

/// `DeliveryStreamEncryptionConfiguration`: of the records while they wait here.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Described {
    #[serde(rename = "KeyARN", skip_serializing_if = "Option::is_none")]
    key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_type: Option<&'static str>,
    status: &'static str,
}

impl Described {
    pub fn of(encryption: &Encryption) -> Self {
        let (status, sealing) = match (&encryption.coming, &encryption.in_force) {
            (Some(Coming::Start(sealing)), _) => ("ENABLING", Some(sealing)),
            (Some(Coming::Stop), sealing) => ("DISABLING", sealing.as_ref()),
            (None, Some(sealing)) => ("ENABLED", Some(sealing)),
            (None, None) => ("DISABLED", None),
        };
        let is_own = |sealing: &Sealing| matches!(sealing.master, MasterName::Service(_));
        let managed = sealing.filter(|sealing| !is_own(sealing));
        Self {
            key_arn: managed.map(|sealing| sealing.named.clone()),
            key_type: sealing.map(|sealing| if is_own(sealing) { OWNED } else { MANAGED }),
            status,
        }
    }
}
