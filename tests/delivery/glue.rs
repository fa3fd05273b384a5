//! Tables of a conversion that Glue tells, which is a double here: over real sockets, it answers as
//! Glue does, and a signature that is not of its key or its service gets none.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use delivery::glue::Glue;
use delivery::glue_service::GlueSettings;
use http::HeaderMap;
use millrace_tests::{BUCKET, Client, Service, Setting, destination};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use wasm::HostPattern;
use wire::sigv4::SecretKey;

use crate::conversion::{converting, lines, order};
use crate::posted::Posted;

const CREATE: &str = "Firehose.CreateDeliveryStream";
const KEY_ID: &str = "AKIDGLUE";
const SECRET: &str = "glue and paper";

/// What it says when a table is asked for.
#[derive(Clone, Debug)]
enum Says {
    /// The columns of a table.
    Columns(Vec<(&'static str, &'static str)>),
    /// An error.
    Error(&'static str, &'static str),
    /// The connection ends.
    Nothing,
}

/// What it was asked: the operation and its input.
type Asked = Vec<(String, Value)>;

struct GlueDouble {
    port: u16,
    /// By the version.
    tables: Arc<Mutex<BTreeMap<String, Says>>>,
    asked: Arc<Mutex<Asked>>,
}

impl GlueDouble {
    async fn saying(says: Says) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tables = Arc::new(Mutex::new(BTreeMap::from([("LATEST".to_owned(), says)])));
        let asked = Arc::new(Mutex::new(Asked::new()));
        let (all, heard) = (Arc::clone(&tables), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (all, heard) = (Arc::clone(&all), Arc::clone(&heard));
                tokio::spawn(async move { serve(&mut stream, &all, &heard).await });
            }
        });
        Self {
            port,
            tables,
            asked,
        }
    }

    fn says(&self, version: &str, says: Says) {
        self.tables.lock().unwrap().insert(version.to_owned(), says);
    }

    fn allowed(&self) -> Vec<HostPattern> {
        vec![HostPattern::parse(&format!("127.0.0.1:{}", self.port)).unwrap()]
    }

    fn setting(&self, secret: &str) -> Setting {
        Setting {
            egress_allow: self.allowed(),
            glue: Glue::Service(GlueSettings {
                endpoint: format!("http://127.0.0.1:{}", self.port),
                region: "eu-west-1".to_owned(),
                access_key_id: KEY_ID.to_owned(),
                secret_access_key: SecretKey::new(secret),
            }),
            ..Setting::default()
        }
    }

    async fn server(&self) -> (Service, Client) {
        let service = Service::start_with(self.setting(SECRET)).await;
        let client = service.client();
        (service, client)
    }
}

/// Whether the signature of a request is that of the key, for Glue in its region.
fn is_signed(posted: &Posted) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in &posted.headers {
        let name = http::HeaderName::try_from(name).unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    let Some(given) = posted.header("authorization") else {
        return false;
    };
    // The same request signed again, at the time that it names.
    let mut parts = http::Request::post("/").body(()).unwrap().into_parts().0;
    for name in ["host", "content-type", "x-amz-target"] {
        let name = http::HeaderName::from_static(name);
        parts.headers.insert(name.clone(), headers[&name].clone());
    }
    let signer = wire::sigv4::Signer {
        key_id: KEY_ID,
        secret: &SecretKey::new(SECRET),
        session_token: None,
        region: "eu-west-1",
        service: "glue",
    };
    // The clock of these tests begins so, and is moved on by hours at most.
    let from = types::Timestamp(1_700_000_000_000);
    (0..2 * 3_600).any(|seconds| {
        let now = types::Timestamp(from.0 + seconds * 1_000);
        let text = posted.header("x-amz-date").unwrap();
        signer.sign(&mut parts, &posted.body, now).unwrap();
        parts.headers["x-amz-date"] == *text && parts.headers["authorization"] == *given
    })
}

async fn serve(
    stream: &mut TcpStream,
    tables: &Mutex<BTreeMap<String, Says>>,
    asked: &Mutex<Asked>,
) {
    let Some(posted) = Posted::read(stream).await else {
        return;
    };
    assert_eq!(
        posted.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    let target = posted.header("x-amz-target").unwrap().to_owned();
    let input: Value = serde_json::from_slice(&posted.body).unwrap();
    let version = input["VersionId"].as_str().unwrap_or("LATEST").to_owned();
    let says = match is_signed(&posted) {
        true => tables.lock().unwrap().get(&version).cloned(),
        false => Some(Says::Error(
            "InvalidSignatureException",
            "The signature is another.",
        )),
    };
    asked.lock().unwrap().push((target.clone(), input));
    let not_found = Says::Error("EntityNotFoundException", "Entity Not Found");
    let (status, body) = match says.unwrap_or(not_found) {
        Says::Nothing => return,
        Says::Error(kind, message) => (400, json!({"__type": kind, "Message": message})),
        Says::Columns(columns) => {
            let columns = columns.iter();
            let columns = columns.map(|(name, kind)| json!({"Name": name, "Type": kind}));
            let columns: Vec<Value> = columns.collect();
            let table = json!({"Name": "orders", "StorageDescriptor": {"Columns": columns}});
            let answer = match target.as_str() {
                "AWSGlue.GetTable" => json!({"Table": table}),
                "AWSGlue.GetTableVersion" => {
                    json!({"TableVersion": {"VersionId": version, "Table": table}})
                }
                other => panic!("{other} is asked for"),
            };
            (200, answer)
        }
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.1\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Whoever asked may be gone.
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

fn columns() -> Says {
    Says::Columns(vec![("id", "bigint"), ("name", "string")])
}

#[tokio::test]
async fn a_table_is_asked_for_by_its_version_and_records_become_its_rows() {
    let glue = GlueDouble::saying(columns()).await;
    glue.says("3", Says::Columns(vec![("id", "tinyint")]));
    let (service, client) = glue.server().await;
    client
        .create_delivery("events", converting(json!({})))
        .await;
    client.put_delivery("events", &[order(1), order(300)]).await;
    client.flush("events").await;
    assert_eq!(lines(&service, "format-conversion-failed").len(), 0);
    let (target, input) = glue.asked.lock().unwrap()[0].clone();
    assert_eq!(target, "AWSGlue.GetTable");
    assert_eq!(input, json!({"DatabaseName": "shop", "Name": "orders"}));
    glue.asked.lock().unwrap().clear();
    let update = json!({
        "DeliveryStreamName": "events",
        "CurrentDeliveryStreamVersionId": "1",
        "DestinationId": "destinationId-000000000001",
        "ExtendedS3DestinationUpdate": {"DataFormatConversionConfiguration": {
            "SchemaConfiguration": {"VersionId": "3", "CatalogId": "000000000042"},
        }},
    });
    client.call("Firehose.UpdateDestination", update).await;
    client.put_delivery("events", &[order(1), order(300)]).await;
    client.flush("events").await;
    let failed = lines(&service, "format-conversion-failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["dataCatalogTable"]["versionId"], "3");
    for (target, input) in &*glue.asked.lock().unwrap() {
        assert_eq!(target, "AWSGlue.GetTableVersion");
        let wanted = json!({
            "CatalogId": "000000000042", "DatabaseName": "shop", "TableName": "orders",
            "VersionId": "3",
        });
        assert_eq!(*input, wanted);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_waits_while_glue_has_no_table_for_it_and_says_why() {
    let glue = GlueDouble::saying(columns()).await;
    let (service, client) = glue.server().await;
    client
        .create_delivery("events", converting(json!({})))
        .await;
    let mut records = 0;
    for (says, told) in [
        (
            Says::Error("EntityNotFoundException", "Table orders not found."),
            "The table shop.orders (version LATEST) is not there: Glue answers \
             EntityNotFoundException: Table orders not found",
        ),
        (
            Says::Error(
                "AccessDeniedException",
                "not authorized to perform: glue:GetTable",
            ),
            "cannot be had: Glue answers AccessDeniedException: not authorized to perform",
        ),
        (Says::Nothing, "cannot be had: Glue does not answer"),
    ] {
        glue.says("LATEST", says);
        client.put_delivery("events", &[order(records)]).await;
        service.pass(std::time::Duration::from_secs(901));
        let page = client
            .delivery_until("events", |page| page.to_string().contains(told))
            .await;
        assert_eq!(page["waitingRecords"], 1, "{page}");
        glue.says("LATEST", columns());
        client.flush("events").await;
        records += 1;
        let page = client.delivery("events").await;
        assert_eq!(
            (&page["delivered"], &page["failed"]),
            (&json!(records), &json!(0))
        );
    }
    assert_eq!(service.objects(BUCKET).len(), 3);
    service.stop().await;
}

#[tokio::test]
async fn a_glue_that_cannot_be_asked_is_told_when_the_conversion_is_configured() {
    let glue = GlueDouble::saying(columns()).await;
    let refused = async |setting: Setting, told: &str| {
        let service = Service::start_with(setting).await;
        let input = json!({
            "DeliveryStreamName": "events",
            "ExtendedS3DestinationConfiguration": destination(converting(json!({}))),
        });
        let refusal = service.client().refusal(CREATE, input).await;
        assert_eq!(refusal.code, "InvalidArgumentException");
        assert!(refusal.message.contains(told), "{}", refusal.message);
        service.stop().await;
    };
    refused(glue.setting("another"), "InvalidSignatureException").await;
    let unnamed = Setting {
        egress_allow: Vec::new(),
        ..glue.setting(SECRET)
    };
    refused(unnamed, "[egress] allow = [\"127.0.0.1:").await;
    glue.says("LATEST", Says::Columns(vec![("a", "uniontype<int>")]));
    refused(glue.setting(SECRET), "which is not known").await;
}
