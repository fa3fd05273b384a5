//! Applications to try operations on: what they read, what they do, how they are asked about.

use millrace_tests::{ACCOUNT, Client, REGION, Service};
use serde_json::{Value, json};

/// Questions whether an application has changed its status, at most.
const QUESTIONS_MAX: usize = 10_000;

/// The program of the applications here: all rows with a price, as they are.
pub const CODE: &str = r#"
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("TICKER" VARCHAR(8), "PRICE" DOUBLE);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "TICKER", "PRICE" FROM "SOURCE_SQL_STREAM_001" WHERE "PRICE" > 0;
"#;

/// The same without a condition.
pub const OTHER_CODE: &str = r#"
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("TICKER" VARCHAR(8), "PRICE" DOUBLE);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "TICKER", "PRICE" FROM "SOURCE_SQL_STREAM_001";
"#;

/// The name of all applications here.
pub const NAME: &str = "prices";

/// The ARN of a role that nobody looks at.
pub fn role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/any")
}

/// The ARN of a stream.
pub fn stream(name: &str) -> String {
    format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}")
}

/// The ARN of a function, which names a plugin.
pub fn function(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The ARN of an application.
pub fn application(name: &str) -> String {
    format!("arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/{name}")
}

/// The schema of records with a ticker and a price.
pub fn schema() -> Value {
    json!({
        "RecordFormat": {
            "RecordFormatType": "JSON",
            "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
        },
        "RecordEncoding": "UTF-8",
        "RecordColumns": [
            {"Name": "TICKER", "Mapping": "$.ticker", "SqlType": "VARCHAR(8)"},
            {"Name": "PRICE", "Mapping": "$.price", "SqlType": "DOUBLE"},
        ],
    })
}

/// A version of the model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Model {
    One,
    Two,
}

impl Model {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::One, Self::Two];

    /// What [`Client::call`] knows an operation of it by.
    pub fn operation(self, name: &str) -> String {
        match self {
            Self::One => format!("Analytics.{name}"),
            Self::Two => format!("Analytics2.{name}"),
        }
    }

    /// A resource, with its role where there is one.
    pub fn resource(self, arn: &str) -> Value {
        match self {
            Self::One => json!({"ResourceARN": arn, "RoleARN": role()}),
            Self::Two => json!({"ResourceARN": arn}),
        }
    }

    /// An input that reads a stream.
    pub fn input(self, of: &str) -> Value {
        json!({
            "NamePrefix": "SOURCE_SQL_STREAM",
            "KinesisStreamsInput": self.resource(&stream(of)),
            "InputSchema": schema(),
        })
    }

    /// An output into a stream.
    pub fn output(self, to: &str) -> Value {
        json!({
            "Name": "DESTINATION_SQL_STREAM",
            "KinesisStreamsOutput": self.resource(&stream(to)),
            "DestinationSchema": {"RecordFormatType": "JSON"},
        })
    }

    /// What makes an application of this name, with inputs, outputs and code.
    pub fn creation(self, name: &str, (inputs, outputs, code): (Value, Value, &str)) -> Value {
        match self {
            Self::One => json!({
                "ApplicationName": name,
                "Inputs": inputs,
                "Outputs": outputs,
                "ApplicationCode": code,
            }),
            Self::Two => json!({
                "ApplicationName": name,
                "RuntimeEnvironment": "SQL-1_0",
                "ServiceExecutionRole": role(),
                "ApplicationConfiguration": {
                    "SqlApplicationConfiguration": {"Inputs": inputs, "Outputs": outputs},
                    "ApplicationCodeConfiguration": {
                        "CodeContentType": "PLAINTEXT",
                        "CodeContent": {"TextContent": code},
                    },
                },
            }),
        }
    }

    /// The update that puts this code in the place of what was.
    pub fn new_code(self, code: &str) -> Value {
        match self {
            Self::One => json!({"ApplicationUpdate": {"ApplicationCodeUpdate": code}}),
            Self::Two => json!({"ApplicationConfigurationUpdate": {
                "ApplicationCodeConfigurationUpdate": {
                    "CodeContentUpdate": {"TextContentUpdate": code},
                },
            }}),
        }
    }
}

/// A client of one version of the model.
pub struct Caller {
    pub client: Client,
    pub model: Model,
}

impl Caller {
    /// The answer of an operation that must succeed.
    pub async fn call(&self, operation: &str, input: Value) -> Value {
        let operation = self.model.operation(operation);
        self.client.call(&operation, input).await
    }

    /// The code and the text of an operation that must be refused with status 400.
    pub async fn refusal(&self, operation: &str, input: Value) -> (String, String) {
        let operation = self.model.operation(operation);
        let refusal = self.client.refusal(&operation, input).await;
        assert_eq!(refusal.status, 400, "{refusal:?}");
        (refusal.code, refusal.message)
    }

    /// The code alone.
    pub async fn code(&self, operation: &str, input: Value) -> String {
        self.refusal(operation, input).await.0
    }

    /// The same operation on the application of [`NAME`] as it is at this version.
    pub async fn change(&self, version: u64, operation: &str, members: Value) -> Value {
        self.call(operation, changing(version, members)).await
    }

    /// The code that the same is refused with.
    pub async fn no_change(&self, version: u64, operation: &str, members: Value) -> String {
        self.code(operation, changing(version, members)).await
    }

    /// ApplicationDetail of the application of [`NAME`].
    pub async fn detail(&self) -> Value {
        let input = json!({"ApplicationName": NAME});
        self.call("DescribeApplication", input).await["ApplicationDetail"].clone()
    }

    /// What of it both versions describe alike, wherever it lies.
    pub async fn part(&self, name: &str) -> Value {
        let detail = self.detail().await;
        match self.model {
            Model::One => detail[name].clone(),
            Model::Two => {
                let configuration = &detail["ApplicationConfigurationDescription"];
                let sql = &configuration["SqlApplicationConfigurationDescription"];
                match (name, &sql[name]) {
                    ("ApplicationCode", _) => configuration
                        ["ApplicationCodeConfigurationDescription"]["CodeContentDescription"]
                        ["TextContent"]
                        .clone(),
                    (_, Value::Null) => detail[name].clone(),
                    (_, part) => part.clone(),
                }
            }
        }
    }

    /// The version of the application of [`NAME`].
    pub async fn version(&self) -> u64 {
        self.detail().await["ApplicationVersionId"]
            .as_u64()
            .unwrap()
    }

    /// Starts the application of [`NAME`] and waits until it works.
    pub async fn start(&self) {
        self.call("StartApplication", self.starting("1.1", "TRIM_HORIZON"))
            .await;
        self.until("RUNNING").await;
    }

    /// What starts the application of [`NAME`] with an input at a position.
    pub fn starting(&self, input: &str, position: &str) -> Value {
        let position = json!({"InputStartingPosition": position});
        match self.model {
            Model::One => json!({
                "ApplicationName": NAME,
                "InputConfigurations": [
                    {"Id": input, "InputStartingPositionConfiguration": position},
                ],
            }),
            Model::Two => json!({
                "ApplicationName": NAME,
                "RunConfiguration": {"SqlRunConfigurations": [
                    {"InputId": input, "InputStartingPositionConfiguration": position},
                ]},
            }),
        }
    }

    /// Waits until the application of [`NAME`] is in a state.
    pub async fn until(&self, status: &str) {
        for _ in 0..QUESTIONS_MAX {
            if self.detail().await["ApplicationStatus"] == status {
                return;
            }
        }
        panic!("the application does not become {status}");
    }
}

/// An operation on the application of [`NAME`] at a version.
pub fn changing(version: u64, members: Value) -> Value {
    let mut input = json!({"ApplicationName": NAME, "CurrentApplicationVersionId": version});
    let members = members.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(members);
    input
}

/// A server with the streams `ticks` and `prices`, and an application of [`NAME`] that reads the
/// one and puts to the other.
pub async fn with_application(model: Model) -> (Service, Caller) {
    let (service, caller) = with_streams(model).await;
    let parts = (
        json!([model.input("ticks")]),
        json!([model.output("prices")]),
        CODE,
    );
    caller
        .call("CreateApplication", model.creation(NAME, parts))
        .await;
    (service, caller)
}

/// The same before there is an application.
pub async fn with_streams(model: Model) -> (Service, Caller) {
    let service = Service::start().await;
    let client = service.client();
    client.create("ticks", 1).await;
    client.create("prices", 1).await;
    (service, Caller { client, model })
}

/// The same with an application that has no parts and no code.
pub async fn with_bare_application(model: Model) -> (Service, Caller) {
    let (service, caller) = with_streams(model).await;
    let creation = model.creation(NAME, (json!([]), json!([]), ""));
    caller.call("CreateApplication", creation).await;
    (service, caller)
}

/// The codes that every change of a configuration is refused with that is made from another version
/// or on an application that is not there.
pub async fn refuses_other_versions_and_names(caller: &Caller, operation: &str, members: Value) {
    let version = caller.version().await;
    let code = caller
        .no_change(version + 1, operation, members.clone())
        .await;
    assert_eq!(code, "ConcurrentModificationException");
    let mut elsewhere = changing(version, members);
    elsewhere["ApplicationName"] = json!("none");
    let (code, text) = caller.refusal(operation, elsewhere).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert!(text.contains("none"), "{text}");
    assert_eq!(caller.version().await, version, "nothing was changed");
}
