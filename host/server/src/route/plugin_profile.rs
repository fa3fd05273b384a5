//! `GET /_millrace/plugins/NAME/profile?seconds=10`: where a plugin spends its time, as
//! <https://profiler.firefox.com> opens it. The answer comes when that time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use wasm::{NotProfiled, PluginName, Plugins};
use wire::{Answer, ApiError, form, json};

use super::api::not_found;

/// How long a profile lasts unless the request says otherwise, and the most that it may say.
const SECONDS_DEFAULT: u64 = 10;
const SECONDS_MAX: u64 = 60;

/// Profiles a plugin and answers what was found.
pub(super) async fn profile(
    plugins: &Arc<Plugins>,
    name: &str,
    query: Option<&str>,
) -> Result<Answer, ApiError> {
    let seconds = seconds(query)?;
    let found = PluginName::parse(name).map_err(|_| not_found(&format!("plugin {name}")))?;
    let under_way = plugins.profile(&found).map_err(|why| refused(name, why))?;
    sleep(Duration::from_secs(seconds)).await;
    let answered = spawn_blocking(move || json::answer(&under_way.end())).await;
    answered.map_err(|_| ApiError::internal("a profile was not written"))?
}

/// How long it shall last.
fn seconds(query: Option<&str>) -> Result<u64, ApiError> {
    let query = query.unwrap_or_default();
    let Some(given) = form::parameter(query, "seconds") else {
        return Ok(SECONDS_DEFAULT);
    };
    let seconds = given.parse().ok();
    let seconds = seconds.filter(|seconds| (1..=SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| {
        let what = format!("A profile lasts 1 to {SECONDS_MAX} seconds.");
        ApiError::new("InvalidArgumentException", what)
    })
}

fn refused(name: &str, why: NotProfiled) -> ApiError {
    match why {
        NotProfiled::NoPlugin => not_found(&format!("plugin {name}")),
        NotProfiled::UnderWay => {
            let what = format!("A profile of {name} is under way; try again when it is over.");
            ApiError::new("ResourceInUseException", what)
        }
        NotProfiled::TooMany => {
            let what = "Profiles of other plugins are under way; try again in a moment.";
            ApiError::new("LimitExceededException", what.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_lasts_from_a_second_to_a_minute() {
        assert_eq!(seconds(None).unwrap(), SECONDS_DEFAULT);
        assert_eq!(seconds(Some("seconds=1")).unwrap(), 1);
        assert_eq!(seconds(Some("seconds=60")).unwrap(), 60);
        for bad in [
            "seconds=0",
            "seconds=61",
            "seconds=",
            "seconds=1.5",
            "seconds=-1",
        ] {
            assert!(seconds(Some(bad)).is_err(), "{bad}");
        }
    }
}
