//! `SecretsManagerConfiguration`: what HTTP endpoints, Splunk and databases know the server by lies
//! in files of the operator, is read with each request, and stands nowhere else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use delivery::{ManagedSecretName, SecretSetting};
use http::Method;
use millrace_tests::postgres::{LOADER, Postgres};
use millrace_tests::{
    ACCOUNT, BUCKET, Client, OTHER_ACCOUNT, REGION, ROLE, Service, Setting, statement, user,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use types::AccountId;
use wasm::HostPattern;

use crate::collector::{self, Collector};
use crate::database::{self, Database};
use crate::endpoint::{Endpoint, NAME};

const CREATE: &str = "Firehose.CreateDeliveryStream";
const UPDATE: &str = "Firehose.UpdateDestination";
/// What no text that is shown may have in it.
const VALUES: [&str; 2] = ["first-hush-hush", "second-hush-hush"];

/// Files of secrets.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a value in the place of the one before at one stroke.
    fn write(&self, name: &str, value: &Value) {
        let staged = self.path("staged");
        fs::write(&staged, value.to_string()).unwrap();
        fs::set_permissions(&staged, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&staged, self.path(name)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn setting(&self, name: &str, account: &str) -> SecretSetting {
        SecretSetting {
            name: ManagedSecretName::parse(name).unwrap(),
            account: AccountId::parse(account).unwrap(),
            file: self.path(name),
        }
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}")
}

/// The member that names a secret.
fn naming(name: &str) -> Value {
    json!({"SecretsManagerConfiguration": {
        "SecretARN": arn(name), "RoleARN": ROLE, "Enabled": true,
    }})
}

fn allowed(port: u16) -> Vec<HostPattern> {
    vec![HostPattern::parse(&format!("127.0.0.1:{port}")).unwrap()]
}

fn counts(page: &Value) -> [u64; 5] {
    ["recordsIn", "delivered", "failed", "lost", "waitingRecords"]
        .map(|name| page[name].as_u64().unwrap())
}

/// Everything that is shown of a delivery stream.
async fn shown(client: &Client, name: &str) -> String {
    let described = client.describe_delivery(name).await;
    let page = client.delivery(name).await;
    let logs = client
        .read_page(&format!("delivery-streams/{name}/logs"))
        .await;
    format!("{described}{page}{logs}")
}

/// Waits until what waits is shown to wait for this.
async fn until_told(client: &Client, name: &str, why: &str) -> Value {
    let told = |page: &Value| {
        let trouble = page["trouble"].as_str().unwrap_or_default();
        trouble.contains(why) && trouble.contains("Nothing is dropped")
    };
    client.delivery_until(name, told).await
}

async fn retry(client: &Client, name: &str) {
    let retry = format!("delivery-streams/{name}/retry");
    client.page(Method::POST, &retry).await;
}

async fn endpoint_with(files: &Files) -> (Endpoint, Service, Client) {
    let endpoint = Endpoint::saying(&[]).await;
    let service = Service::start_with(Setting {
        egress_allow: allowed(endpoint.port),
        secrets: vec![files.setting("key", ACCOUNT)],
        ..Setting::default()
    })
    .await;
    let client = service.client();
    (endpoint, service, client)
}

/// The keys that the endpoint was shown, one for each request.
fn keys(endpoint: &Endpoint) -> Vec<Option<String>> {
    let heard = endpoint.heard().into_iter();
    let key = |it: crate::endpoint::Heard| it.headers.get("x-amz-firehose-access-key").cloned();
    heard.map(key).collect()
}

#[tokio::test]
async fn a_changed_file_counts_from_the_next_request_on_and_its_value_is_shown_nowhere() {
    let files = Files::new();
    files.write("key", &json!({"api_key": VALUES[0]}));
    let (endpoint, service, client) = endpoint_with(&files).await;
    let named = arn("key-a1B2c3");
    let secret = json!({"SecretARN": named, "Enabled": true});
    let more = json!({"SecretsManagerConfiguration": secret});
    endpoint.create(&client, more).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    files.write("key", &json!({"api_key": VALUES[1]}));
    client.put_delivery(NAME, &["two"]).await;
    client.flush(NAME).await;
    assert_eq!(keys(&endpoint), VALUES.map(|value| Some(value.to_owned())));
    let described = client.describe_delivery(NAME).await;
    let described = &described["Destinations"][0]["HttpEndpointDestinationDescription"];
    assert_eq!(described["SecretsManagerConfiguration"], secret);
    let service = service.restart().await;
    let client = service.client();
    client.put_delivery(NAME, &["three"]).await;
    client.flush(NAME).await;
    assert_eq!(keys(&endpoint)[2], Some(VALUES[1].to_owned()));
    let shown = shown(&client, NAME).await;
    assert!(
        shown.contains(&named) && !shown.contains("hush-hush"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_secret_that_vanishes_pauses_the_delivery_and_drops_nothing() {
    let files = Files::new();
    files.write("key", &json!({"api_key": VALUES[0]}));
    let (endpoint, service, client) = endpoint_with(&files).await;
    let mut more = naming("key");
    more["RetryOptions"] = json!({"DurationInSeconds": 0});
    endpoint.create(&client, more).await;
    client.put_delivery(NAME, &["one"]).await;
    let changing = async {
        until_told(
            &client,
            NAME,
            "the file of the secret key: it cannot be read",
        )
        .await;
        files.write("key", &json!({"other": VALUES[1]}));
        retry(&client, NAME).await;
        let page = until_told(&client, NAME, "its object has no \"api_key\"").await;
        assert_eq!(counts(&page), [1, 0, 0, 0, 1]);
        assert_eq!(endpoint.heard().len(), 0);
        files.write("key", &json!({"api_key": VALUES[1]}));
        retry(&client, NAME).await;
    };
    files.remove("key");
    tokio::join!(client.flush(NAME), changing);
    assert_eq!(keys(&endpoint), [Some(VALUES[1].to_owned())]);
    assert_eq!(counts(&client.delivery(NAME).await), [1, 1, 0, 0, 0]);
    assert_eq!(service.objects(BUCKET), []);
    let shown = shown(&client, NAME).await;
    assert!(!shown.contains("hush-hush"), "{shown}");
}

#[tokio::test]
async fn what_the_destination_holds_itself_counts_while_no_secret_is_in_force() {
    let files = Files::new();
    files.write("key", &json!({"api_key": VALUES[0]}));
    let (endpoint, _service, client) = endpoint_with(&files).await;
    endpoint.create(&client, naming("key")).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    let update = |version: &str, enabled: bool| {
        let secret = json!({"SecretARN": arn("key"), "Enabled": enabled});
        json!({
            "DeliveryStreamName": NAME, "CurrentDeliveryStreamVersionId": version,
            "DestinationId": "destinationId-000000000001",
            "HttpEndpointDestinationUpdate": {"SecretsManagerConfiguration": secret},
        })
    };
    for (version, enabled) in [("1", false), ("2", true)] {
        client.call(UPDATE, update(version, enabled)).await;
        client.put_delivery(NAME, &["more"]).await;
        client.flush(NAME).await;
    }
    let own = "open sesame";
    let wanted = [VALUES[0], own, VALUES[0]].map(|key| Some(key.to_owned()));
    assert_eq!(keys(&endpoint), wanted);
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_refused_with_what_to_do_about_it() {
    let files = Files::new();
    files.write("key", &json!({"api_key": VALUES[0]}));
    files.write("odd", &json!({"password": VALUES[0]}));
    files.write("open", &json!({"api_key": VALUES[0]}));
    fs::set_permissions(files.path("open"), Permissions::from_mode(0o640)).unwrap();
    fs::write(files.path("empty"), "").unwrap();
    fs::set_permissions(files.path("empty"), Permissions::from_mode(0o600)).unwrap();
    let endpoint = Endpoint::saying(&[]).await;
    let may_create = statement("Allow", &json!("firehose:*"), &json!("*"), None);
    let names = ["key", "odd", "open", "empty", "away"];
    let mut secrets: Vec<_> = names.map(|name| files.setting(name, ACCOUNT)).into();
    let theirs = files.setting("key", OTHER_ACCOUNT);
    secrets.push(SecretSetting {
        name: ManagedSecretName::parse("theirs").unwrap(),
        ..theirs
    });
    let service = Service::start_with(Setting {
        egress_allow: allowed(endpoint.port),
        secrets,
        credentials: vec![user(ACCOUNT, "ann", Some(&may_create))],
        ..Setting::default()
    })
    .await;
    let client = service.client();
    let input = |secret: Value| {
        let more = json!({"SecretsManagerConfiguration": secret});
        let destination = endpoint.destination(more);
        json!({
            "DeliveryStreamName": NAME,
            "HttpEndpointDestinationConfiguration": destination,
        })
    };
    let named = |name: &str| json!({"SecretARN": arn(name), "Enabled": true});
    let of = |account: &str, region: &str| {
        let arn = format!("arn:aws:secretsmanager:{region}:{account}:secret:theirs");
        json!({"SecretARN": arn, "Enabled": true})
    };
    for (secret, told) in [
        (json!({"Enabled": true}), "SecretARN must be provided"),
        (named("none-a1B2c3"), "[[secrets]] name = \"none\" account"),
        (named("theirs"), "there is no secret of that name"),
        (of(OTHER_ACCOUNT, REGION), "must be one of account"),
        (of(ACCOUNT, "eu-west-3"), "must be one of account"),
        (named("odd"), "its object has no \"api_key\""),
        (named("open"), "others can read or write it"),
        (named("empty"), "it holds 0 bytes"),
        (named("away"), "it cannot be read"),
    ] {
        let refused = client.refusal(CREATE, input(secret)).await;
        assert_eq!(refused.code, "InvalidArgumentException", "{told}");
        assert!(
            refused.message.contains(told),
            "{told}: {}",
            refused.message
        );
        assert!(!refused.message.contains("hush-hush"));
    }
    let ann = service.user("ann");
    let refused = ann.refusal(CREATE, input(named("key"))).await;
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(
        refused.message.contains("secretsmanager:GetSecretValue"),
        "{}",
        refused.message
    );
    ann.call(CREATE, input(json!({"Enabled": false}))).await;
}

#[tokio::test]
async fn splunk_is_shown_the_token_of_a_secret() {
    let files = Files::new();
    files.write("token", &json!({"hec_token": collector::TOKEN}));
    let collector = Collector::doing(&[]).await;
    let setting = Setting {
        secrets: vec![files.setting("token", ACCOUNT)],
        ..Setting::default()
    };
    let (_service, client) = collector.server(setting).await;
    let mut more = naming("token");
    more["HECToken"] = Value::Null;
    let mut without_role = more.clone();
    without_role["SecretsManagerConfiguration"]["RoleARN"] = Value::Null;
    let refused = client.refusal(
        CREATE,
        json!({
            "DeliveryStreamName": collector::NAME,
            "SplunkDestinationConfiguration": collector.destination(without_role),
        }),
    );
    let refused = refused.await;
    assert!(
        refused.message.contains("RoleARN must be provided"),
        "{}",
        refused.message
    );
    collector.create(&client, more).await;
    client.put_delivery(collector::NAME, &["one"]).await;
    client.flush(collector::NAME).await;
    assert_eq!(collector.bodies(), ["one"]);
    assert!(
        !shown(&client, collector::NAME)
            .await
            .contains(collector::TOKEN)
    );
    let off = json!({"SecretsManagerConfiguration": {"Enabled": false}});
    let refused = client.refusal(UPDATE, collector::update("1", off)).await;
    assert!(
        refused.message.contains("HECToken must be provided"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn a_database_is_shown_the_user_and_the_password_of_a_secret() {
    let files = Files::new();
    files.write(
        "loader",
        &json!({"username": LOADER.0, "password": LOADER.1}),
    );
    let database = Database::new("named_secrets").await;
    let service = Service::start_with(Setting {
        egress_allow: allowed(Postgres::shared().port),
        secrets: vec![files.setting("loader", ACCOUNT)],
        ..Setting::default()
    })
    .await;
    let client = service.client();
    let mut more = naming("loader");
    (more["Username"], more["Password"]) = (Value::Null, Value::Null);
    let name = database::NAME;
    database.create(&client, name, more).await;
    client
        .put_delivery(name, &["{\"id\":1,\"word\":\"a\"}"])
        .await;
    client.flush(name).await;
    assert_eq!(database.events().await, ["1 a"]);
    files.write(
        "loader",
        &json!({"username": LOADER.0, "password": VALUES[0]}),
    );
    client
        .put_delivery(name, &["{\"id\":2,\"word\":\"b\"}"])
        .await;
    let changing = async {
        until_told(&client, name, "28P01").await;
        files.write(
            "loader",
            &json!({"username": LOADER.0, "password": LOADER.1}),
        );
        retry(&client, name).await;
    };
    tokio::join!(client.flush(name), changing);
    assert_eq!(database.events().await, ["1 a", "2 b"]);
    let shown = shown(&client, name).await;
    assert!(
        !shown.contains(LOADER.1) && !shown.contains("hush-hush"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_secret_that_the_configuration_file_adds_is_had_without_a_restart() {
    let files = Files::new();
    files.write("key", &json!({"api_key": VALUES[0]}));
    let endpoint = Endpoint::saying(&[]).await;
    let configuration = files.path("toml");
    fs::write(&configuration, "").unwrap();
    let mut setting = Setting {
        egress_allow: allowed(endpoint.port),
        grants_file: Some(configuration.clone()),
        ..Setting::default()
    };
    setting.limits.certificate_period = Duration::from_millis(1);
    let service = Service::start_with(setting).await;
    let client = service.client();
    let input = json!({
        "DeliveryStreamName": NAME,
        "HttpEndpointDestinationConfiguration": endpoint.destination(naming("key")),
    });
    let refused = client.refusal(CREATE, input.clone()).await;
    assert_eq!(refused.code, "InvalidArgumentException");
    let file = files.path("key");
    let added = format!("[[secrets]]\nname = 'key'\naccount = '{ACCOUNT}'\nfile = {file:?}\n");
    let staged = files.path("staged");
    fs::write(&staged, added).unwrap();
    fs::rename(&staged, &configuration).unwrap();
    let body = input.to_string();
    while !client
        .send(CREATE, body.clone().into())
        .await
        .status()
        .is_success()
    {}
    client.delivery_is_active(NAME).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    assert_eq!(keys(&endpoint), [Some(VALUES[0].to_owned())]);
}
