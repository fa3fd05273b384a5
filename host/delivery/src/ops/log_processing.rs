//! The processors `Decompression` and `CloudWatchLogProcessing`. AWS's rules: the model (Processor,
//! ProcessorParameterName) and the developer guide ("Decompress CloudWatch Logs", "Extract message
//! after decompression of CloudWatch Logs"). Messages can only be extracted from what was
//! decompressed. In which order the two stand in the list does not matter, and records go through
//! both before they go through a function. AWS documents none of its texts for these; they are
//! ours.

use wire::ApiError;

use super::error::invalid_argument;
use crate::decompression::Decompression;
use crate::delivery_stream::Processor;

pub const DECOMPRESSION: &str = "Decompression";
pub const LOG_PROCESSING: &str = "CloudWatchLogProcessing";
const FORMAT: &str = "CompressionFormat";
/// The only format that there is, which need not be said.
const GZIP: &str = "GZIP";
const EXTRACTION: &str = "DataMessageExtraction";

/// What the two come to, whether or not they are in force. A format that was not said is added.
///
/// # Errors
/// InvalidArgumentException: more than one of a type, a parameter that it does not have or lacks, a
/// value that is none, messages of what is not decompressed.
pub fn decompression(processors: &mut [Processor]) -> Result<Option<Decompression>, ApiError> {
    let (mut decompresses, mut extracts) = (false, None);
    for (kind, parameters) in processors {
        let is_again = match kind.as_str() {
            DECOMPRESSION => std::mem::replace(&mut decompresses, true),
            LOG_PROCESSING => extracts.is_some(),
            _ => continue,
        };
        if is_again {
            return Err(invalid_argument(format!(
                "Cannot have more than 1 {kind} processor."
            )));
        }
        let own = if kind == DECOMPRESSION {
            FORMAT
        } else {
            EXTRACTION
        };
        if let Some((name, _)) = parameters.iter().find(|(name, _)| name != own) {
            return Err(invalid_argument(format!(
                "A processor of type {kind} has no parameter {name}."
            )));
        }
        let value = parameters.first().map(|(_, value)| value.as_str());
        if kind == DECOMPRESSION {
            match value {
                Some(GZIP) => {}
                Some(_) => return Err(not_one_of(FORMAT, GZIP)),
                None => parameters.push((FORMAT.to_owned(), GZIP.to_owned())),
            }
        } else {
            extracts = Some(match value {
                Some("true") => true,
                Some("false") => false,
                Some(_) => return Err(not_one_of(EXTRACTION, "true or false")),
                None => {
                    return Err(invalid_argument(format!(
                        "{EXTRACTION} is required when {LOG_PROCESSING} processor is used."
                    )));
                }
            });
        }
    }
    if extracts.is_some() && !decompresses {
        return Err(invalid_argument(format!(
            "{LOG_PROCESSING} processor requires {DECOMPRESSION} processor."
        )));
    }
    Ok(decompresses.then(|| Decompression::new(extracts.unwrap_or(false))))
}

fn not_one_of(name: &str, values: &str) -> ApiError {
    invalid_argument(format!("{name} must be {values}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(kind: &str, parameters: &[(&str, &str)]) -> Processor {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (kind.to_owned(), parameters.iter().map(owned).collect())
    }

    #[test]
    fn messages_are_extracted_where_both_say_so_in_any_order() {
        let unpacks = processor(DECOMPRESSION, &[(FORMAT, GZIP)]);
        let extracts = |value| processor(LOG_PROCESSING, &[(EXTRACTION, value)]);
        let of = |processors: &[Processor]| {
            let found = decompression(&mut processors.to_vec()).ok().unwrap();
            found.map(|it| it.extracts_messages)
        };
        assert_eq!(of(&[processor("Lambda", &[])]), None);
        assert_eq!(of(std::slice::from_ref(&unpacks)), Some(false));
        assert_eq!(of(&[unpacks.clone(), extracts("false")]), Some(false));
        assert_eq!(of(&[unpacks.clone(), extracts("true")]), Some(true));
        assert_eq!(of(&[extracts("true"), unpacks]), Some(true));
    }

    #[test]
    fn a_format_that_is_not_said_is_gzip() {
        let mut processors = [processor(DECOMPRESSION, &[])];
        assert!(decompression(&mut processors).is_ok());
        assert_eq!(processors, [processor(DECOMPRESSION, &[(FORMAT, GZIP)])]);
    }
}
