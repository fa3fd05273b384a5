//! `POST plugins/NAME/shadow`: retained records go through files that are not deployed and through
//! the version in force, side by side. The body is that of a deployment; nothing of it is kept.
//!
//! | query | whose records |
//! |---|---|
//! | `delivery=NAME` | those of a delivery stream of the caller's, whatever it goes through |
//! | `stream=NAME` | those of a stream of the caller's |
//! | neither | those of a delivery stream that goes through the plugin |
//!
//! `records=N` says how many at most. The answer is `{"shadow": {...}}`, as a plugin's page has it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use types::{Invalid, StreamArn, StreamName};
use wasm::{Files, NotShadowed, PluginName, RecordsOf, SHADOW_RECORDS_MAX};
use wire::{Answer, ApiError, Requester, form, json};

use super::api::{Pages, not_found};
use super::plugins::{not_now, refused};
use super::shadow_page::ShadowPage;

/// How long a run is waited for; one that takes longer is of no use to anybody, and ends within two
/// minutes. The command line gives up after a minute.
const SHADOW_TIME_MAX: Duration = Duration::from_secs(50);

#[derive(Serialize)]
struct Shadowed {
    shadow: ShadowPage,
}

/// Lets the records through, and says what came of it.
pub(super) async fn answer(
    pages: &Pages<'_>,
    caller: &Requester,
    (name, query): (&str, Option<&str>),
    body: Bytes,
) -> Result<Answer, ApiError> {
    let plugin = PluginName::parse(name).map_err(|error| refused(error.to_string()))?;
    let query = query.unwrap_or_default();
    let of = records_of(pages, caller, &plugin, query)?;
    let records = match form::parameter(query, "records").as_deref().map(str::parse) {
        None => None,
        Some(Ok(records)) if (1..=SHADOW_RECORDS_MAX).contains(&records) => Some(records),
        Some(_) => {
            let what = format!("The number of records is 1 to {SHADOW_RECORDS_MAX}.");
            return Err(ApiError::validation(what));
        }
    };
    let files = Files::split(&body).map_err(refused)?;
    drop(body);
    let plugins = Arc::clone(pages.plugins);
    let running = spawn_blocking(move || plugins.shadow(&plugin, files, (&of, records)));
    let Ok(ran) = timeout(SHADOW_TIME_MAX, running).await else {
        let what = "The run takes too long: try it with fewer records, or again.";
        return Err(not_now(what.to_owned()));
    };
    match ran.map_err(|_| ApiError::internal("a shadow run ended badly"))? {
        Ok(report) => json::answer(&Shadowed {
            shadow: ShadowPage::of(&report, true),
        }),
        Err(NotShadowed::NoPlugin) => {
            Err(not_found(&format!("plugin {name} with a version in force")))
        }
        Err(NotShadowed::Refused(why)) => Err(refused(why)),
        Err(NotShadowed::ForNow(why)) => Err(not_now(why)),
    }
}

fn records_of(
    pages: &Pages<'_>,
    caller: &Requester,
    plugin: &PluginName,
    query: &str,
) -> Result<RecordsOf, ApiError> {
    match (
        form::parameter(query, "stream"),
        form::parameter(query, "delivery"),
    ) {
        (None, None) => Ok(RecordsOf::Plugin(plugin.clone())),
        (Some(stream), None) => {
            let name = StreamName::parse(&stream);
            let arn = StreamArn {
                region: caller.region.clone(),
                account: caller.account,
                name: name.map_err(|Invalid(why)| ApiError::validation(why))?,
            };
            // Its records are read in the name of whoever has them read.
            pages.streams.permit_source(caller, &arn)?;
            if pages.streams.source(&arn).is_none() {
                return Err(not_found(&format!("stream {stream}")));
            }
            Ok(RecordsOf::Stream(arn))
        }
        (None, Some(delivery)) => {
            pages.delivery.permit(caller, &delivery)?;
            let described = pages.delivery.describe(caller, &delivery);
            let described =
                described.ok_or_else(|| not_found(&format!("delivery stream {delivery}")))?;
            Ok(RecordsOf::DeliveryStream(described.status.arn))
        }
        (Some(_), Some(_)) => {
            let what = "The records are those of a stream or of a delivery stream, not of both.";
            Err(ApiError::validation(what))
        }
    }
}
