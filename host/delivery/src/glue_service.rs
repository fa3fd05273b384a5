//! Tables of Glue's Data Catalog that Glue itself tells, or what speaks as it does: JSON 1.1 over
//! HTTP, signed (AWS Glue, Web API Reference, GetTable and GetTableVersion). A table is asked for
//! each time that one is needed, so that a change is seen at once.

use std::time::Duration;

use bytes::Bytes;
use formats::Table;
use http::Request;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use types::{Invalid, Timestamp};
use wire::sigv4::{SecretKey, Signer};

use crate::conversion::{Columns, LATEST, Schema};
use crate::endpoints::{EndpointRequest, Endpoints, NoReply, Reply};

/// How long Glue has to answer. After that the delivery waits, and asks again.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer. A longer one is none.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Requests that are on their way at once, for all delivery streams. Others wait for their turn, so
/// that answers take a bounded amount of memory.
const REQUESTS_MAX: usize = 8;
/// Characters of what Glue says that are shown.
const SAID_CHARS_MAX: usize = 300;
/// What there is for a table that Glue does not have.
const NOT_FOUND: &str = "EntityNotFoundException";

/// How Glue is reached.
#[derive(Clone, Debug)]
pub struct GlueSettings {
    /// Its URL, without a path.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub access_key_id: String,
    /// And their secret.
    pub secret_access_key: SecretKey,
}

/// Asks Glue.
#[derive(Debug)]
pub(crate) struct GlueService {
    settings: GlueSettings,
    turns: Semaphore,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetTable<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<&'a str>,
    database_name: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetTableVersion<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_id: Option<&'a str>,
    database_name: &'a str,
    table_name: &'a str,
    version_id: &'a str,
}

/// What stands in the body of an error.
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl GlueService {
    /// With these settings.
    pub(crate) fn new(settings: GlueSettings) -> Self {
        Self {
            settings,
            turns: Semaphore::new(REQUESTS_MAX),
        }
    }

    /// The columns of a table as it is now.
    ///
    /// # Errors
    /// The end of a sentence that says why it cannot be had.
    pub(crate) async fn columns(
        &self,
        of: &Schema,
        endpoints: &dyn Endpoints,
        now: Timestamp,
    ) -> Result<Columns, Invalid> {
        let request = self.request(of, now)?;
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|error| Invalid(format!("cannot be asked for: {error}")))?;
        let answered = timeout(ANSWER_TIME_MAX, endpoints.post(request)).await;
        let reply = answered.unwrap_or(Err(NoReply::Late));
        let columns = columns_of(&reply.map_err(|error| not_answered(&error))?)?;
        Table::parse(&columns)?;
        Ok(columns)
    }

    fn request(&self, of: &Schema, now: Timestamp) -> Result<EndpointRequest, Invalid> {
        let name = |part: &Option<String>| part.clone().unwrap_or_default();
        let (database, table) = (name(&of.database), name(&of.table));
        let catalog_id = of.catalog_id.as_deref();
        let (operation, body) = match of.version() {
            LATEST => {
                let input = GetTable {
                    catalog_id,
                    database_name: &database,
                    name: &table,
                };
                ("AWSGlue.GetTable", serde_json::to_vec(&input))
            }
            version_id => {
                let input = GetTableVersion {
                    catalog_id,
                    database_name: &database,
                    table_name: &table,
                    version_id,
                };
                ("AWSGlue.GetTableVersion", serde_json::to_vec(&input))
            }
        };
        let wrong = |what: &dyn std::fmt::Display| Invalid(format!("cannot be asked for: {what}"));
        let body = body.map_err(|error| wrong(&error))?;
        let url = format!("{}/", self.settings.endpoint);
        let request = Request::post(&url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", operation)
            .body(())
            .map_err(|error| wrong(&error))?;
        let (mut parts, ()) = request.into_parts();
        let signer = Signer {
            key_id: &self.settings.access_key_id,
            secret: &self.settings.secret_access_key,
            session_token: None,
            region: &self.settings.region,
            service: "glue",
        };
        signer.sign(&mut parts, &body, now)?;
        let header = |name: &'static str| {
            let value = parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            let value = value.ok_or_else(|| wrong(&format!("its request has no {name}")))?;
            Ok((name, value.to_owned()))
        };
        let headers = [
            "content-type",
            "x-amz-target",
            "x-amz-date",
            "authorization",
        ];
        let headers: Result<Vec<_>, Invalid> = headers.into_iter().map(header).collect();
        Ok(EndpointRequest {
            url,
            headers: headers?,
            body: vec![Bytes::from(body)],
            address: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }
}

fn not_answered(error: &NoReply) -> Invalid {
    Invalid(match error {
        NoReply::Forbidden(why) => format!("cannot be asked for: {why}"),
        NoReply::NotConnected(why) | NoReply::Broken(why) => {
            format!("cannot be had: Glue does not answer: {why}")
        }
        NoReply::Late => {
            let seconds = ANSWER_TIME_MAX.as_secs();
            format!("cannot be had: Glue does not answer within {seconds} s")
        }
        NoReply::TooLarge => {
            format!("cannot be had: Glue answers with more than {ANSWER_BYTES_MAX} bytes")
        }
    })
}

fn columns_of(reply: &Reply) -> Result<Columns, Invalid> {
    const OK: u16 = 200;
    if reply.status == OK {
        return Table::columns_of_glue(&reply.body);
    }
    let refused: Refused = serde_json::from_slice(&reply.body).unwrap_or_default();
    let kind = refused.kind.rsplit('#').next().unwrap_or_default();
    let said = match (kind, refused.message.as_str()) {
        ("", _) => format!("status {}", reply.status),
        (kind, "") => kind.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    // It stands within a sentence.
    let said = said.trim_end_matches('.').chars();
    let said: String = said.take(SAID_CHARS_MAX).collect();
    let what = if kind == NOT_FOUND {
        "is not there"
    } else {
        "cannot be had"
    };
    Err(Invalid(format!("{what}: Glue answers {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Columns, String> {
        let reply = Reply {
            status,
            body: body.as_bytes().to_vec(),
            ..Reply::default()
        };
        columns_of(&reply).map_err(|Invalid(why)| why)
    }

    #[test]
    fn what_glue_says_is_the_reason_why_a_table_cannot_be_had() {
        let long = format!(r#"{{"__type":"X","message":"{}"}}"#, "y".repeat(10_000));
        for (status, body, told) in [
            (
                400,
                r#"{"__type":"EntityNotFoundException","Message":"Table t not found."}"#,
                "is not there: Glue answers EntityNotFoundException: Table t not found",
            ),
            (
                400,
                r#"{"__type":"com.amazonaws.glue#AccessDeniedException","message":"no"}"#,
                "cannot be had: Glue answers AccessDeniedException: no",
            ),
            (503, "<html>", "cannot be had: Glue answers status 503"),
            (
                200,
                "{}",
                "has no Table with a StorageDescriptor and Columns",
            ),
            (200, "x", "is no answer of Glue"),
            (400, &long, "yyy"),
        ] {
            let why = answer(status, body).unwrap_err();
            assert!(why.contains(told) && why.len() < 400, "{why}");
        }
        let table = r#"{"Table":{"StorageDescriptor":{"Columns":[{"Name":"a","Type":"int"}]}}}"#;
        let wanted = [("a".to_owned(), "int".to_owned())];
        assert_eq!(answer(200, table).unwrap(), wanted);
    }

    #[test]
    fn a_request_names_its_operation_and_is_signed() {
        let service = GlueService::new(GlueSettings {
            endpoint: "http://127.0.0.1:5000".to_owned(),
            region: "eu-west-1".to_owned(),
            access_key_id: "AKID".to_owned(),
            secret_access_key: SecretKey::new("secret"),
        });
        let mut schema = Schema {
            database: Some("shop".to_owned()),
            table: Some("orders".to_owned()),
            ..Schema::default()
        };
        let sent = |schema: &Schema| {
            let request = service
                .request(schema, Timestamp(1_700_000_000_000))
                .unwrap();
            let headers: std::collections::BTreeMap<_, _> = request.headers.into_iter().collect();
            assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
            assert_eq!(headers["x-amz-date"], "20231114T221320Z");
            let scope = "AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/glue/aws4_request, \
                         SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=";
            assert!(headers["authorization"].starts_with(scope), "{headers:?}");
            let body = String::from_utf8(request.body.concat()).unwrap();
            (headers["x-amz-target"].clone(), body)
        };
        let (target, body) = sent(&schema);
        assert_eq!(target, "AWSGlue.GetTable");
        assert_eq!(body, r#"{"DatabaseName":"shop","Name":"orders"}"#);
        schema.catalog_id = Some("000000000042".to_owned());
        schema.version_id = Some("3".to_owned());
        let (target, body) = sent(&schema);
        assert_eq!(target, "AWSGlue.GetTableVersion");
        let wanted = r#"{"CatalogId":"000000000042","DatabaseName":"shop","TableName":"orders","VersionId":"3"}"#;
        assert_eq!(body, wanted);
    }
}
