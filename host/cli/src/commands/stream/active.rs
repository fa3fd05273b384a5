//! Waiting until a stream is ACTIVE.

use std::time::Duration;

use tokio::time::sleep;

use super::describe::{Description, summary};
use crate::client::Client;
use crate::failure::Failure;

/// How often, and how far apart, we look whether it is.
const LOOKS_MAX: u32 = 150;
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Waits until the stream takes changes. It was `done` a moment ago.
pub(super) async fn until_active(
    client: &mut Client,
    name: &str,
    done: &str,
) -> Result<Description, Failure> {
    for _ in 0..LOOKS_MAX {
        let description = summary(client, name).await?;
        if description.stream_status == "ACTIVE" {
            return Ok(description);
        }
        sleep(LOOK_PAUSE).await;
    }
    Err(format!("stream '{name}' was {done} but is not ACTIVE yet").into())
}
