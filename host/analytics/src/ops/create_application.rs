//! CreateApplication. The versions of the model share little but the name, so that each has its
//! input: both come to the same [`Wish`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::Version;
use wire::members::{List, Structure, Text};
use wire::shape::{Check, Fields, Shape, TextRule};
use wire::{Action, Answer, ApiError, Call, Requester, Target};

use super::code_shapes::SqlConfiguration;
use super::described::{self, Detail2, RUNTIME, Summary};
use super::edit::{self, new_id};
use super::input_shapes::NewInput;
use super::logging_shapes::NewLogging;
use super::model::{V1, V2};
use super::output_shapes::NewOutput;
use super::rules::{CODE, DESCRIPTION, NAME, rules};
use super::shapes::{self, SOME, TAGS, Tag, owned, required};
use super::{address, enter, error, program, resources};
use crate::Analytics;
use crate::application::{Application, ApplicationId, Configuration, Lineage, Phase, Start};
use crate::catalog::ChangeError;
use crate::limits::TAGS_MAX;

/// The environments of the model. Only the first is one of SQL.
pub const ENVIRONMENTS: TextRule = TextRule::one_of(&[
    RUNTIME,
    "FLINK-1_6",
    "FLINK-1_8",
    "ZEPPELIN-FLINK-1_0",
    "FLINK-1_11",
    "FLINK-1_13",
    "ZEPPELIN-FLINK-2_0",
    "FLINK-1_15",
    "ZEPPELIN-FLINK-3_0",
    "FLINK-1_18",
    "FLINK-1_19",
    "FLINK-1_20",
    "FLINK-2_2",
    "FLINK-2_3",
]);
const MODE: TextRule = TextRule::one_of(&["STREAMING", "INTERACTIVE"]);
/// The version of a configuration that was never changed.
const FIRST_VERSION: u64 = 1;

/// What may be done besides by whoever makes an application with labels.
const TAGGING: Action = Action {
    service: "kinesisanalytics",
    operation: "TagResource",
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input1<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    #[serde(borrow)]
    application_description: Option<Text<'a>>,
    #[serde(borrow)]
    inputs: Option<List<Structure<NewInput<'a, V1>>>>,
    #[serde(borrow)]
    outputs: Option<List<Structure<NewOutput<'a, V1>>>>,
    #[serde(borrow)]
    cloud_watch_logging_options: Option<List<Structure<NewLogging<'a, V1>>>>,
    #[serde(borrow)]
    application_code: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<List<Structure<Tag<'a>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input2<'a> {
    #[serde(borrow)]
    application_name: Option<Text<'a>>,
    #[serde(borrow)]
    application_description: Option<Text<'a>>,
    #[serde(borrow)]
    runtime_environment: Option<Text<'a>>,
    #[serde(borrow)]
    service_execution_role: Option<Text<'a>>,
    #[serde(borrow)]
    application_configuration: Option<Structure<SqlConfiguration<'a>>>,
    #[serde(borrow)]
    cloud_watch_logging_options: Option<List<Structure<NewLogging<'a, V2>>>>,
    #[serde(borrow)]
    tags: Option<List<Structure<Tag<'a>>>>,
    #[serde(borrow)]
    application_mode: Option<Text<'a>>,
}

impl Shape for Input1<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let description = &self.application_description;
        check.optional("ApplicationDescription", description, DESCRIPTION);
        check.optional("Inputs", &self.inputs, SOME);
        check.optional("Outputs", &self.outputs, SOME);
        let logging = &self.cloud_watch_logging_options;
        check.optional("CloudWatchLoggingOptions", logging, SOME);
        check.optional("ApplicationCode", &self.application_code, CODE);
        check.optional("Tags", &self.tags, TAGS);
    }
}

impl Shape for Input2<'_> {
    fn check(&self, check: &mut Check) {
        check.required("ApplicationName", &self.application_name, NAME);
        let description = &self.application_description;
        check.optional("ApplicationDescription", description, DESCRIPTION);
        let environment = &self.runtime_environment;
        check.required("RuntimeEnvironment", environment, ENVIRONMENTS);
        let role = &self.service_execution_role;
        check.required("ServiceExecutionRole", role, rules(V2).role);
        let configuration = &self.application_configuration;
        check.optional("ApplicationConfiguration", configuration, Fields);
        let logging = &self.cloud_watch_logging_options;
        check.optional("CloudWatchLoggingOptions", logging, SOME);
        check.optional("Tags", &self.tags, TAGS);
        check.optional("ApplicationMode", &self.application_mode, MODE);
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output1 {
    application_summary: Summary,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output2<'a> {
    application_detail: Detail2<'a>,
}

/// What either version asks for.
struct Wish<'a> {
    name: &'a str,
    description: Option<String>,
    configuration: Configuration,
    tags: BTreeMap<String, String>,
    is_of_version_2: bool,
}

/// Makes an application, which is READY then. It is durable when this answers.
pub async fn handle<const MODEL: u16>(
    analytics: &Analytics,
    call: Call,
) -> Result<Answer, ApiError> {
    if MODEL == V1 {
        let input: Input1<'_> = call.parse()?;
        let application = create(analytics, &call.caller, input.wish()?).await?;
        return call.answer(&Output1 {
            application_summary: described::summary(analytics, &application),
        });
    }
    let input: Input2<'_> = call.parse()?;
    let wish = input.wish();
    // Whoever may not make any learns nothing of what could be made.
    let application = match wish {
        Ok(wish) => create(analytics, &call.caller, wish).await?,
        Err(refusal) => {
            let name = required(&input.application_name)?;
            enter(analytics, &call.caller, &address(&call.caller, name)?)?;
            return Err(refusal);
        }
    };
    call.answer(&Output2 {
        application_detail: described::detail_2(analytics, &application),
    })
}

async fn create(
    analytics: &Analytics,
    by: &Requester,
    wish: Wish<'_>,
) -> Result<std::sync::Arc<Application>, ApiError> {
    let arn = address(by, wish.name)?;
    let pairs = wish.tags.iter();
    let by = by.tagging(pairs.map(|(key, value)| (key.as_str(), value.as_str())));
    if enter(analytics, &by, &arn)?.is_some() {
        return Err(error::change(ChangeError::Exists, &arn));
    }
    if !wish.tags.is_empty() {
        by.permit_to(TAGGING, &Target::named(&arn, by.account))?;
    }
    if wish.tags.len() > TAGS_MAX {
        return Err(error::too_many_tags(format!(
            "An application cannot have more than {TAGS_MAX} tags."
        )));
    }
    let configuration = wish.configuration;
    edit::check(&configuration)?;
    for input in &configuration.inputs {
        resources::check_input(analytics, &by, input)?;
    }
    for output in &configuration.outputs {
        resources::check_output(analytics, &by, output)?;
    }
    for reference in &configuration.references {
        resources::check_reference(&by, reference)?;
    }
    program::check(analytics, &configuration).await?;
    let now = analytics.ground.clock.now();
    let new = Application {
        // The catalog chooses the number, and the commit the version of the row.
        id: ApplicationId(0),
        row_version: Version(0),
        arn: arn.clone(),
        description: wish.description,
        phase: Phase::Ready,
        created_at: now,
        updated_at: now,
        version: FIRST_VERSION,
        lineage: Lineage {
            created_at_ms: now.0,
            ..Lineage::default()
        },
        configuration,
        is_of_version_2: wish.is_of_version_2,
        tags: wish.tags,
        start: Start::default(),
        next_operation: 0,
    };
    let created = analytics.catalog.create(new).await;
    created.map_err(|error| error::change(error, &arn))
}

impl Input1<'_> {
    fn wish(&self) -> Result<Wish<'_>, ApiError> {
        let code = self.application_code.as_ref().map_or("", Text::as_str);
        Ok(Wish {
            name: required(&self.application_name)?,
            description: owned(&self.application_description),
            configuration: Configuration {
                code: code.to_owned(),
                inputs: each(&self.inputs, NewInput::kept)?,
                outputs: each(&self.outputs, NewOutput::kept)?,
                references: Vec::new(),
                logging: each(&self.cloud_watch_logging_options, NewLogging::kept)?,
                role_arn: None,
            },
            tags: self
                .tags
                .as_ref()
                .map_or(Ok(BTreeMap::new()), shapes::tags)?,
            is_of_version_2: false,
        })
    }
}

impl Input2<'_> {
    fn wish(&self) -> Result<Wish<'_>, ApiError> {
        let environment = required(&self.runtime_environment)?.as_str();
        if environment != RUNTIME {
            return Err(error::unsupported(format!(
                "RuntimeEnvironment {environment} is not supported: applications are of SQL, with \
                 {RUNTIME}."
            )));
        }
        let mode = self.application_mode.as_ref().map(Text::as_str);
        if mode == Some("INTERACTIVE") {
            return Err(error::unsupported(
                "ApplicationMode INTERACTIVE is not supported for applications of SQL.",
            ));
        }
        let said = self.application_configuration.as_ref();
        let mut configuration = match said {
            Some(said) => said.kept()?,
            None => Configuration::default(),
        };
        configuration.logging = each(&self.cloud_watch_logging_options, NewLogging::kept)?;
        configuration.role_arn = owned(&self.service_execution_role);
        Ok(Wish {
            name: required(&self.application_name)?,
            description: owned(&self.application_description),
            configuration,
            tags: self
                .tags
                .as_ref()
                .map_or(Ok(BTreeMap::new()), shapes::tags)?,
            is_of_version_2: true,
        })
    }
}

/// What is kept of each member of a list of the first version.
pub fn each<S, T>(
    list: &Option<List<Structure<S>>>,
    kept: impl Fn(&S, String) -> Result<T, ApiError>,
) -> Result<Vec<T>, ApiError> {
    let members = list.iter().flat_map(|list| list.iter()).enumerate();
    members
        .map(|(index, Structure(member))| kept(member, new_id(FIRST_VERSION, index)))
        .collect()
}
