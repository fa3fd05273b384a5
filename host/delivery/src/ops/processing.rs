//! What a destination's processors come to: the plugin that records go through, and what each
//! delivered record ends with.

use types::Caller;
use wasm::Absence;
use wire::ApiError;
use wire::json::{Boolean, Structure, Text};

use super::error::invalid_argument;
use super::s3_shapes::{Parameter, Processing, Processor as ProcessorShape};
use crate::Delivery;
use crate::arn::parse_function_arn;
use crate::delivery_stream::{Processor, TRANSFORM_RETRIES_DEFAULT, Transform};

/// Times that a batch may be tried again (model, NumberOfRetries).
const RETRIES_MAX: u32 = 300;
/// Characters of a delimiter; ours.
const DELIMITER_CHARS_MAX: usize = 50;

/// What is kept of a processing configuration, and what it comes to while it is enabled.
#[derive(Default)]
pub struct Processed {
    pub kept: Option<(bool, Vec<Processor>)>,
    pub transform: Option<Transform>,
    pub delimiter: Option<String>,
}

/// Reads a processing configuration.
///
/// # Errors
/// InvalidArgumentException: a processor that is not served, a function that is no plugin here.
pub fn processed(
    delivery: &Delivery,
    caller: &Caller,
    configuration: &Processing<'_>,
) -> Result<Processed, ApiError> {
    let is_enabled = matches!(configuration.enabled, Some(Boolean(true)));
    let mut processed = Processed::default();
    let mut kept = Vec::new();
    for Structure(shape) in configuration.processors.iter().flat_map(|list| list.iter()) {
        let processor = kept_processor(shape);
        if is_enabled {
            add(delivery, caller, &processor, &mut processed)?;
        }
        kept.push(processor);
    }
    processed.kept = Some((is_enabled, kept));
    Ok(processed)
}

fn kept_processor(shape: &ProcessorShape<'_>) -> Processor {
    let text = |text: &Option<Text<'_>>| text.as_ref().map_or("", Text::as_str).to_owned();
    let parameters = shape.parameters.iter().flat_map(|list| list.iter());
    let parameters = parameters.map(|Structure(parameter)| {
        let Parameter {
            parameter_name,
            parameter_value,
        } = parameter;
        (text(parameter_name), text(parameter_value))
    });
    (text(&shape.kind), parameters.collect())
}

fn add(
    delivery: &Delivery,
    caller: &Caller,
    (kind, parameters): &Processor,
    processed: &mut Processed,
) -> Result<(), ApiError> {
    let parameter = |name: &str| {
        let found = parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    match kind.as_str() {
        "Lambda" if processed.transform.is_some() => Err(invalid_argument(
            "Only one Lambda processor is allowed per delivery stream.",
        )),
        "Lambda" => {
            let arn = parameter("LambdaArn").ok_or_else(|| {
                invalid_argument("LambdaArn must be specified for a processor of type Lambda.")
            })?;
            let retries = match parameter("NumberOfRetries") {
                None => TRANSFORM_RETRIES_DEFAULT,
                Some(text) => retries(text)?,
            };
            processed.transform = Some(transform(delivery, caller, arn, retries)?);
            Ok(())
        }
        "AppendDelimiterToRecord" => {
            processed.delimiter = Some(delimiter(parameter("Delimiter"))?);
            Ok(())
        }
        kind => Err(invalid_argument(format!(
            "A processor of type {kind} is not supported."
        ))),
    }
}

fn retries(text: &str) -> Result<u32, ApiError> {
    let number = text.parse().ok().filter(|number| *number <= RETRIES_MAX);
    number.ok_or_else(|| {
        invalid_argument(format!(
            "NumberOfRetries must be a number from 0 to {RETRIES_MAX}."
        ))
    })
}

fn transform(
    delivery: &Delivery,
    caller: &Caller,
    arn: &str,
    retries: u32,
) -> Result<Transform, ApiError> {
    let plugin = parse_function_arn(arn, caller)
        .map_err(|invalid| invalid_argument(format!("Invalid LambdaArn: {invalid}.")))?;
    let why = match delivery.tools.plugins.absence(&plugin) {
        // Deliveries wait for one that is being loaded.
        None | Some(Absence::Loading) => {
            return Ok(Transform {
                arn: arn.to_owned(),
                plugin: plugin.as_str().to_owned(),
                retries,
            });
        }
        Some(Absence::Refused(why)) => format!("Its component was refused: {why}."),
        Some(Absence::NotThere) => "There is no plugin of that name.".to_owned(),
    };
    Err(invalid_argument(format!(
        "Lambda function {arn} does not exist. {why}"
    )))
}

/// What a record ends with: a line feed unless the processor says otherwise. A backslash before
/// `n`, `r`, `t` or itself is written as in a string of C.
fn delimiter(value: Option<&str>) -> Result<String, ApiError> {
    let Some(value) = value else {
        return Ok("\n".to_owned());
    };
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(character) = chars.next() {
        match character {
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('\\') => '\\',
                _ => {
                    let what = format!("Delimiter '{value}' has an unknown escape.");
                    return Err(invalid_argument(what));
                }
            }),
            other => out.push(other),
        }
    }
    match out.chars().count() <= DELIMITER_CHARS_MAX {
        true => Ok(out),
        false => Err(invalid_argument(format!(
            "Delimiter is longer than {DELIMITER_CHARS_MAX} characters."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_a_line_feed_or_what_its_escapes_say() {
        assert_eq!(delimiter(None).unwrap(), "\n");
        assert_eq!(delimiter(Some("\\n")).unwrap(), "\n");
        assert_eq!(delimiter(Some("|\\t\\\\")).unwrap(), "|\t\\");
        assert!(delimiter(Some("\\x")).is_err());
        assert!(delimiter(Some("\\")).is_err());
        assert!(delimiter(Some(&"x".repeat(51))).is_err());
    }

    #[test]
    fn retries_are_a_number_up_to_300() {
        assert_eq!(retries("0").unwrap(), 0);
        assert_eq!(retries("300").unwrap(), 300);
        for bad in ["", "-1", "301", "3.5", "x"] {
            assert!(retries(bad).is_err(), "{bad}");
        }
    }
}
