//! What applications name: it must be there, and the caller must be allowed what the application
//! will do with it.

use delivery::arn::{BucketName, DeliveryStreamArn, FunctionArn};
use types::{Caller, StreamArn};
use wire::{Action, ApiError, Requester, Target};

use super::error;
use crate::Analytics;
use crate::application::{Configuration, Destination, Input, Output, Processor, Reference};

/// What whoever has an object read must be allowed to do.
const READING: Action = Action {
    service: "s3",
    operation: "GetObject",
};

/// Puts what is said in the place of what was.
pub fn replace(kept: &mut String, said: Option<String>) {
    if let Some(said) = said {
        *kept = said;
    }
}

/// The same of a role, which need not have been said before.
pub fn replace_role(kept: &mut Option<String>, said: Option<String>) {
    if said.is_some() {
        *kept = said;
    }
}

/// Whether an input reads a stream that is there, through a function that could be.
pub fn check_input(analytics: &Analytics, by: &Requester, input: &Input) -> Result<(), ApiError> {
    let text = &input.stream_arn;
    let arn = own_stream(by, text)?;
    // Nobody looks at the role. Who has the records read must be allowed to read them.
    analytics.ground.streams.permit_source(by, &arn)?;
    if analytics.ground.streams.source(&arn).is_none() {
        return Err(no_stream(text));
    }
    match &input.processor {
        Some(processor) => check_processor(by, processor),
        None => Ok(()),
    }
}

/// Whether the function of a processor could be a plugin here. Whether there is one is found out
/// when records come: a plugin may be deployed after the application.
pub fn check_processor(by: &Caller, processor: &Processor) -> Result<(), ApiError> {
    check_function(by, &processor.function_arn)
}

/// Whether an output goes to something that is there.
pub fn check_output(
    analytics: &Analytics,
    by: &Requester,
    output: &Output,
) -> Result<(), ApiError> {
    match &output.destination {
        Destination::Stream(text) => {
            let arn = own_stream(by, text)?;
            analytics.ground.streams.permit_puts(by, &arn)?;
            match analytics.ground.streams.source(&arn) {
                Some(_) => Ok(()),
                None => Err(no_stream(text)),
            }
        }
        Destination::DeliveryStream(text) => {
            let none = || {
                error::invalid_argument(format!(
                    "Delivery stream {text} does not exist or takes no direct puts."
                ))
            };
            let arn = DeliveryStreamArn::parse(text).map_err(|_| none())?;
            if arn.owner != **by {
                return Err(none());
            }
            let name = arn.name.as_str();
            if analytics.ground.delivery.permit_puts(by, name)? {
                Ok(())
            } else {
                Err(none())
            }
        }
        Destination::Function(text) => check_function(by, text),
    }
}

/// Whether reference data could lie where it is said to. Whether it does is found out when it is
/// read: an object may be put after the application was made.
pub fn check_reference(by: &Requester, reference: &Reference) -> Result<(), ApiError> {
    permit_object(by, &bucket(&reference.bucket_arn)?, &reference.key)
}

/// Whether all that a configuration reads and puts to is there, and the request may use it.
pub fn check_all(
    analytics: &Analytics,
    by: &Requester,
    configuration: &Configuration,
) -> Result<(), ApiError> {
    for input in &configuration.inputs {
        check_input(analytics, by, input)?;
    }
    for output in &configuration.outputs {
        check_output(analytics, by, output)?;
    }
    for reference in &configuration.references {
        check_reference(by, reference)?;
    }
    Ok(())
}

/// Lets a request have an object read for it, or refuses it.
pub fn permit_object(by: &Requester, bucket: &BucketName, key: &str) -> Result<(), ApiError> {
    let partition = by.region.partition();
    let arn = format!("arn:{partition}:s3:::{bucket}/{key}");
    by.permit_to(READING, &Target::named(&arn, by.account))
}

/// The bucket that an ARN names.
pub fn bucket(arn: &str) -> Result<BucketName, ApiError> {
    BucketName::parse_arn(arn)
        .map_err(|_| error::invalid_argument(format!("{arn} is not the ARN of a bucket.")))
}

/// The stream that an ARN names, if it is one of the caller.
pub fn own_stream(by: &Caller, text: &str) -> Result<StreamArn, ApiError> {
    let arn = StreamArn::parse(text).map_err(|_| no_stream(text))?;
    if arn.account == by.account && arn.region == by.region {
        Ok(arn)
    } else {
        Err(no_stream(text))
    }
}

/// There is no such stream.
pub fn no_stream(arn: &str) -> ApiError {
    error::invalid_argument(format!(
        "Kinesis stream {arn} does not exist or is not ACTIVE."
    ))
}

fn check_function(by: &Caller, text: &str) -> Result<(), ApiError> {
    let invalid = || {
        error::invalid_argument(format!(
            "{text} is not the ARN of a function of this account and region."
        ))
    };
    let function = FunctionArn::parse(text).map_err(|_| invalid())?;
    if function.owner == *by {
        Ok(())
    } else {
        Err(invalid())
    }
}
