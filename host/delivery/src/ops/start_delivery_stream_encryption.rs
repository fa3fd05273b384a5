//! StartDeliveryStreamEncryption.

use serde::Deserialize;
use wire::members::{NoMembers, Structure, Text};
use wire::shape::{Check, Fields, Shape};
use wire::{Answer, ApiError, Call};

use super::encryption::{Wanted, asked, check_direct};
use super::shapes::{NAME, required};
use super::{error, find};
use crate::Delivery;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input<'a> {
    #[serde(borrow)]
    delivery_stream_name: Option<Text<'a>>,
    #[serde(borrow)]
    delivery_stream_encryption_configuration_input: Option<Structure<Wanted<'a>>>,
}

impl Shape for Input<'_> {
    fn check(&self, check: &mut Check) {
        check.required("DeliveryStreamName", &self.delivery_stream_name, NAME);
        let wanted = &self.delivery_stream_encryption_configuration_input;
        check.optional("DeliveryStreamEncryptionConfigurationInput", wanted, Fields);
    }
}

/// Seals records that are put directly from now on, with a data key of their own that a master key
/// wraps. It is durable as ENABLING when this answers, and ENABLED a moment later.
pub async fn handle(delivery: &Delivery, call: Call) -> Result<Answer, ApiError> {
    let input: Input<'_> = call.parse()?;
    let name = required(&input.delivery_stream_name)?.as_str();
    let stream = find(delivery, &call.caller, name)?;
    let arn = stream.arn.clone();
    check_direct(&stream)?;
    let wanted = input
        .delivery_stream_encryption_configuration_input
        .as_ref();
    let asked = asked(delivery, &call.caller, wanted).await?;
    let changed = delivery.catalog.encrypt(arn.clone(), asked).await;
    changed.map_err(|error| error::change(error, &arn))?;
    call.answer(&NoMembers {})
}
