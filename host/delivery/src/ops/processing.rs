//! What a destination's processors come to: how records are unpacked and taken apart, the plugin
//! that they go through, what their partitions are, and what each delivered record ends with.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use types::{Caller, Invalid};
use wasm::{Absence, REASON_HIDDEN};
use wire::ApiError;
use wire::members::{Boolean, Structure, Text};

use super::error::invalid_argument;
use super::log_processing::{self, DECOMPRESSION, LOG_PROCESSING};
use super::partitioning::{self, DEAGGREGATION, EXTRACTION};
use super::s3_shapes::{Parameter, Processing, Processor as ProcessorShape};
use super::shapes::required;
use crate::Delivery;
use crate::arn::FunctionArn;
use crate::deaggregation::Deaggregation;
use crate::decompression::Decompression;
use crate::delivery_stream::{Destination, Processor, TRANSFORM_RETRIES_DEFAULT, Transform};
use crate::kind::Kind;

const LAMBDA: &str = "Lambda";
/// Times that a failed call may be made again (developer guide, NumberOfRetries); AWS does not say
/// no to more.
const RETRIES_MAX: u32 = 300;
/// Characters of a delimiter; ours.
const DELIMITER_CHARS_MAX: usize = 50;

/// The parameters of a Lambda processor in the order in which they are described.
const LAMBDA_ARN: &str = "LambdaArn";
const RETRIES: &str = "NumberOfRetries";
const ROLE_ARN: &str = "RoleArn";
const SIZE: &str = "BufferSizeInMBs";
const INTERVAL: &str = "BufferIntervalInSeconds";
const LAMBDA_PARAMETERS: [&str; 5] = [LAMBDA_ARN, RETRIES, ROLE_ARN, SIZE, INTERVAL];
/// How much a function is called with (developer guide, "Data Transformation"). The values are kept
/// and given back: batches have a size of their own here.
const SIZE_DEFAULT: &str = "1";
/// The same where records go to Splunk: 256 KiB.
const SIZE_DEFAULT_OF_SPLUNK: &str = "0.25";
const SIZE_MIB: RangeInclusive<f64> = 0.2..=3.0;
const INTERVAL_DEFAULT: &str = "60";
const INTERVAL_SECONDS: RangeInclusive<u32> = 0..=900;

/// What is kept of a processing configuration, and what it comes to while it is enabled.
struct Processed {
    kept: (bool, Vec<Processor>),
    transform: Option<Transform>,
    delimiter: Option<String>,
    decompression: Option<Decompression>,
    deaggregation: Option<Deaggregation>,
    /// The query for keys of partitions.
    query: Option<String>,
}

/// Reads a processing configuration, which takes the place of the one of the destination; whether
/// it is enabled stays as it is where it is not said. A function is called with the role unless its
/// processor names one.
///
/// # Errors
/// InvalidArgumentException: processors that AWS does not take, one that is not served, a function
/// that is no plugin here.
pub fn set(
    delivery: &Delivery,
    owner: &Caller,
    destination: &mut Destination,
    (role_arn, configuration): (&str, &Processing<'_>),
) -> Result<(), ApiError> {
    let Processed {
        kept,
        transform,
        delimiter,
        decompression,
        deaggregation,
        query,
    } = processed(delivery, owner, destination, (role_arn, configuration))?;
    destination.processing = Some(kept);
    destination.transform = transform;
    destination.delimiter = delimiter;
    destination.decompression = decompression;
    destination.deaggregation = deaggregation;
    if let Some(partitioning) = &mut destination.partitioning {
        partitioning.query = query;
    }
    Ok(())
}

fn processed(
    delivery: &Delivery,
    owner: &Caller,
    before: &Destination,
    (role_arn, configuration): (&str, &Processing<'_>),
) -> Result<Processed, ApiError> {
    let was_enabled = before.processing.as_ref().is_some_and(|(was, _)| *was);
    let is_enabled = configuration.enabled.map_or(was_enabled, |Boolean(is)| is);
    let shapes = configuration.processors.iter().flat_map(|list| list.iter());
    let mut kept: Vec<Processor> = shapes
        .map(|Structure(shape)| kept_processor(shape))
        .collect::<Result<_, _>>()?;
    for (_, parameters) in &kept {
        check_names(parameters)?;
    }
    let lambdas = kept.iter().filter(|(kind, _)| kind == LAMBDA);
    if lambdas.count() > 1 {
        return Err(invalid_argument(
            "Cannot have more than 1 Lambda processor.",
        ));
    }
    let decompression = log_processing::decompression(&mut kept)?;
    let has_partitions = before.partitioning.is_some();
    let (mut deaggregation, mut query) = (None, None);
    if is_enabled {
        deaggregation = partitioning::deaggregation(&kept, has_partitions)?;
        query = partitioning::query(&kept, has_partitions)?;
    }
    let known = [DECOMPRESSION, LOG_PROCESSING, DEAGGREGATION, EXTRACTION];
    let (mut transform, mut delimiter) = (None, None);
    for (kind, parameters) in &mut kept {
        if kind == LAMBDA {
            let size = match before.kind {
                Kind::Splunk(_) => SIZE_DEFAULT_OF_SPLUNK,
                Kind::Bucket | Kind::HttpEndpoint(_) | Kind::Search(_) | Kind::Redshift(_) => {
                    SIZE_DEFAULT
                }
            };
            let lambda = Lambda::of(parameters, (role_arn, size))?;
            if is_enabled {
                transform = Some(lambda.transform(delivery, owner)?);
            }
            *parameters = lambda.parameters();
        } else if is_enabled && kind == "AppendDelimiterToRecord" {
            delimiter = Some(delimiter_of(parameter(parameters, "Delimiter"))?);
        } else if is_enabled && !known.contains(&kind.as_str()) {
            return Err(invalid_argument(format!(
                "A processor of type {kind} is not supported."
            )));
        }
    }
    Ok(Processed {
        kept: (is_enabled, kept),
        transform,
        delimiter,
        decompression: decompression.filter(|_| is_enabled),
        deaggregation,
        query,
    })
}

fn kept_processor(shape: &ProcessorShape<'_>) -> Result<Processor, ApiError> {
    let text = |text: &Option<Text<'_>>| Ok(required(text)?.as_str().to_owned());
    let parameters = shape.parameters.iter().flat_map(|list| list.iter());
    let parameters = parameters.map(|Structure(parameter)| {
        let Parameter {
            parameter_name,
            parameter_value,
        } = parameter;
        Ok((text(parameter_name)?, text(parameter_value)?))
    });
    let parameters: Result<_, ApiError> = parameters.collect();
    Ok((text(&shape.kind)?, parameters?))
}

type Parameters = [(String, String)];

fn parameter<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn check_names(parameters: &Parameters) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    if parameters.iter().all(|(name, _)| seen.insert(name)) {
        Ok(())
    } else {
        Err(invalid_argument(
            "Duplicate ProcessorParameter passed to ProcessingConfiguration.",
        ))
    }
}

/// A Lambda processor, with AWS's defaults for what was not said.
struct Lambda {
    function: FunctionArn,
    /// The function's ARN as it was given.
    arn: String,
    retries: u32,
    role_arn: String,
    size: String,
    interval: String,
}

impl Lambda {
    /// Reads the parameters in the order in which AWS checks them. Role and size hold where none
    /// are said.
    fn of(parameters: &Parameters, (role_arn, usual): (&str, &str)) -> Result<Self, ApiError> {
        let arn = parameter(parameters, LAMBDA_ARN);
        let arn = arn.ok_or_else(|| {
            invalid_argument("LambdaArn is required when Lambda processor is used.")
        })?;
        let function =
            FunctionArn::parse(arn).map_err(|_| invalid_argument("Invalid lambda ARN."))?;
        let (size, interval) = (parameter(parameters, SIZE), parameter(parameters, INTERVAL));
        if size.is_some() != interval.is_some() {
            return Err(invalid_argument(
                "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure \
                 buffering for lambda processor.",
            ));
        }
        let mut names = parameters.iter().map(|(name, _)| name.as_str());
        if let Some(name) = names.find(|name| !LAMBDA_PARAMETERS.contains(name)) {
            return Err(invalid_argument(format!(
                "A processor of type Lambda has no parameter {name}."
            )));
        }
        let retries = match parameter(parameters, RETRIES) {
            None => TRANSFORM_RETRIES_DEFAULT,
            Some(text) => retries(text)?,
        };
        let (size, interval) = (size.unwrap_or(usual), interval.unwrap_or(INTERVAL_DEFAULT));
        check_number(SIZE, size, SIZE_MIB)?;
        check_number(INTERVAL, interval, INTERVAL_SECONDS)?;
        Ok(Self {
            function,
            arn: arn.to_owned(),
            retries,
            role_arn: parameter(parameters, ROLE_ARN)
                .unwrap_or(role_arn)
                .to_owned(),
            size: size.to_owned(),
            interval: interval.to_owned(),
        })
    }

    /// All parameters as they are kept and described.
    fn parameters(self) -> Vec<(String, String)> {
        let values = [
            self.arn,
            self.retries.to_string(),
            self.role_arn,
            self.size,
            self.interval,
        ];
        LAMBDA_PARAMETERS
            .map(str::to_owned)
            .into_iter()
            .zip(values)
            .collect()
    }

    /// The plugin that stands for the function, where there is one.
    fn transform(&self, delivery: &Delivery, owner: &Caller) -> Result<Transform, ApiError> {
        let Self { function, arn, .. } = self;
        let none = |why: &str| invalid_argument(format!("Lambda function {arn} {why}"));
        if function.owner != *owner {
            return Err(none(
                "is not of the account and the region of the delivery stream, which is not \
                 supported.",
            ));
        }
        let kept = Transform {
            arn: arn.clone(),
            plugin: function.plugin.as_str().to_owned(),
            retries: self.retries,
        };
        let no_version = |why: &str| none(&format!("does not exist: {why}."));
        let qualifier = kept.qualifier();
        let qualifier = qualifier.map_err(|Invalid(why)| no_version(&why))?;
        let plugins = &delivery.tools.plugins;
        match plugins.choose(&function.plugin, qualifier.as_ref(), &[]) {
            // Deliveries wait for one that is being loaded.
            Ok(_) | Err(Absence::Loading | Absence::Paused(_)) => Ok(kept),
            Err(Absence::Refused(why)) => {
                // Anybody may name any plugin here.
                let is_told = plugins.tells_reasons_to(owner.account);
                let why = if is_told { why.as_str() } else { REASON_HIDDEN };
                Err(none(&format!(
                    "does not exist. Its component was refused: {why}."
                )))
            }
            Err(Absence::NotThere) => Err(none("does not exist. There is no plugin of that name.")),
            Err(absence @ Absence::NoVersion(_)) => {
                Err(no_version(&format!("the plugin {absence}")))
            }
        }
    }
}

fn retries(text: &str) -> Result<u32, ApiError> {
    let number = text.parse().ok().filter(|number| *number <= RETRIES_MAX);
    number.ok_or_else(|| not_within(RETRIES, 0, RETRIES_MAX))
}

fn check_number<T: FromStr + PartialOrd + Display>(
    name: &str,
    text: &str,
    range: RangeInclusive<T>,
) -> Result<(), ApiError> {
    if text.parse().is_ok_and(|number| range.contains(&number)) {
        Ok(())
    } else {
        let (min, max) = range.into_inner();
        Err(not_within(name, min, max))
    }
}

fn not_within(name: &str, min: impl Display, max: impl Display) -> ApiError {
    invalid_argument(format!("{name} must be a number from {min} to {max}."))
}

/// What a record ends with: a line feed unless the processor says otherwise. A backslash before
/// `n`, `r`, `t` or itself is written as in a string of C.
fn delimiter_of(value: Option<&str>) -> Result<String, ApiError> {
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
    if out.chars().count() <= DELIMITER_CHARS_MAX {
        Ok(out)
    } else {
        Err(invalid_argument(format!(
            "Delimiter is longer than {DELIMITER_CHARS_MAX} characters."
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_a_line_feed_or_what_its_escapes_say() {
        assert_eq!(delimiter_of(None).unwrap(), "\n");
        assert_eq!(delimiter_of(Some("\\n")).unwrap(), "\n");
        assert_eq!(delimiter_of(Some("|\\t\\\\")).unwrap(), "|\t\\");
        assert!(delimiter_of(Some("\\x")).is_err());
        assert!(delimiter_of(Some("\\")).is_err());
        assert!(delimiter_of(Some(&"x".repeat(51))).is_err());
    }

    #[test]
    fn retries_are_a_number_up_to_300() {
        assert_eq!(retries("0").unwrap(), 0);
        assert_eq!(retries("300").unwrap(), 300);
        for bad in ["", "-1", "301", "3.5", "x"] {
            assert!(retries(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_may_have_a_fraction_and_an_interval_may_not() {
        for good in ["0.2", "1", "2.5", "3.0"] {
            assert!(check_number(SIZE, good, SIZE_MIB).is_ok(), "{good}");
        }
        for bad in ["", "0.1", "3.1", "NaN", "inf", "1 "] {
            assert!(check_number(SIZE, bad, SIZE_MIB).is_err(), "{bad}");
        }
        for good in ["0", "60", "900"] {
            assert!(check_number(INTERVAL, good, INTERVAL_SECONDS).is_ok());
        }
        for bad in ["", "-1", "901", "1.5"] {
            assert!(check_number(INTERVAL, bad, INTERVAL_SECONDS).is_err());
        }
    }

    #[test]
    fn a_lambda_processor_says_all_its_parameters_in_one_order() {
        let said = |parameters: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            parameters.iter().map(owned).collect()
        };
        let arn = "arn:aws:lambda:eu-west-1:000000000042:function:a";
        let few = Lambda::of(&said(&[(LAMBDA_ARN, arn)]), ("a role", SIZE_DEFAULT)).unwrap();
        let wanted = said(&[
            (LAMBDA_ARN, arn),
            (RETRIES, "3"),
            (ROLE_ARN, "a role"),
            (SIZE, "1"),
            (INTERVAL, "60"),
        ]);
        assert_eq!(few.parameters(), wanted);
        let all = said(&[
            (INTERVAL, "0"),
            (SIZE, "0.5"),
            (ROLE_ARN, "mine"),
            (RETRIES, "0"),
            (LAMBDA_ARN, arn),
        ]);
        let mut wanted = all.clone();
        wanted.reverse();
        let all = Lambda::of(&all, ("a role", SIZE_DEFAULT)).unwrap();
        assert_eq!(all.parameters(), wanted);
    }
}
