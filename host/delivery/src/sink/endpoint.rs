//! Pieces become requests to an HTTP endpoint, each of which has the same id and the same body in
//! every try.

use std::sync::Arc;

use super::Answer;
use super::remote::Sending;
use super::reply::judge;
use super::verdict::misconfigured;
use crate::arn::DeliveryStreamArn;
use crate::endpoints::{ANSWER_BYTES_MAX, EndpointRequest, Endpoints};
use crate::http_endpoint::HttpEndpoint;
use crate::object_name::{NamingKey, Place};
use crate::piece::Piece;
use crate::secret::Secret;
use crate::secrets::{Credentials, OF_ENDPOINT};

/// Where the requests of one cut go.
#[derive(Clone)]
pub struct Endpoint {
    endpoints: Arc<dyn Endpoints>,
    naming: NamingKey,
    /// As it is configured now: what waits goes to the endpoint and with the key in force.
    endpoint: HttpEndpoint,
    /// Whether bodies of this cut are packed.
    packs: bool,
    source_arn: String,
    /// The header of what is said with each request of this cut.
    attributes: Option<String>,
}

impl Endpoint {
    /// Begins with a cut of the first of two configurations, whose requests go where the second one
    /// says.
    pub fn begin(
        sending: Sending<'_>,
        source: &DeliveryStreamArn,
        (of_cut, now): (&HttpEndpoint, &HttpEndpoint),
    ) -> Self {
        Self {
            endpoints: Arc::clone(sending.endpoints),
            naming: sending.naming.clone(),
            endpoint: now.clone(),
            packs: of_cut.packs,
            source_arn: source.to_string(),
            attributes: attributes(&of_cut.common_attributes),
        }
    }

    /// Whether the endpoint and its key are those of the configuration of now.
    pub fn is_in_force(&self, now: &HttpEndpoint) -> bool {
        (&now.url, &now.access_key) == (&self.endpoint.url, &self.endpoint.access_key)
    }

    /// Sends the request of a piece that has this place.
    pub async fn hand(&self, piece: Piece, place: Place, known_by: &Credentials) -> Answer {
        let id = self.naming.uuid(place);
        let key = match known_by.members(OF_ENDPOINT).await {
            Ok(Some([key])) => Some(key),
            Ok(None) => self.endpoint.access_key.clone(),
            Err(why) => return misconfigured(&id, &why, true),
        };
        let request = EndpointRequest {
            url: self.endpoint.url.clone(),
            headers: self.headers(&id, key.as_ref()),
            body: piece.content.into_iter().collect(),
            address: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let mut answered = self.endpoints.post(request).await;
        if let (Ok(reply), Some(key)) = (&mut answered, &key) {
            key.cross_out(&mut reply.body);
        }
        let retry_time = self.endpoint.fallback.retry_time();
        judge(&answered, &id).answer(&id, retry_time)
    }

    fn headers(&self, id: &str, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-amz-firehose-protocol-version", "1.0".to_owned()),
            ("x-amz-firehose-request-id", id.to_owned()),
            ("x-amz-firehose-source-arn", self.source_arn.clone()),
        ];
        if let Some(key) = key {
            headers.push(("x-amz-firehose-access-key", key.0.clone()));
        }
        if let Some(attributes) = &self.attributes {
            headers.push(("x-amz-firehose-common-attributes", attributes.clone()));
        }
        if self.packs {
            headers.push(("content-encoding", "gzip".to_owned()));
        }
        headers
    }
}

/// `{"commonAttributes":{...}}` in ASCII, since it is a header; `None` where there are none.
fn attributes(attributes: &[(String, String)]) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut out = b"{\"commonAttributes\":{".to_vec();
    for (place, (name, value)) in attributes.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        wire::json::write_string(&mut out, name);
        out.push(b':');
        wire::json::write_string(&mut out, value);
    }
    out.extend_from_slice(b"}}");
    let mut ascii = String::new();
    for character in String::from_utf8_lossy(&out).chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.extend(format!("\\u{unit:04x}").chars());
            }
        }
    }
    Some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_attributes_are_json_in_ascii() {
        assert_eq!(attributes(&[]), None);
        let given = [("a", "b\"\n"), ("ü", "\u{1f600}"), ("", "")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let header = attributes(&given).unwrap();
        assert!(
            header.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{header}"
        );
        let read: serde_json::Value = serde_json::from_str(&header).unwrap();
        let read = read["commonAttributes"].as_object().unwrap();
        assert_eq!(read.len(), 3);
        for (name, value) in &given {
            assert_eq!(read[name], value.as_str());
        }
    }
}
