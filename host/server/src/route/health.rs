//! `/healthz`: whether the server is well, for balancers and for people.

use http::StatusCode;
use hyper::Response;
use wire::Answer;

use super::Router;
use super::plain::{TEXT, text};

impl Router {
    /// What is said of the server's health.
    pub(super) async fn health(&self) -> Response<Answer> {
        let degraded = |why: &dyn std::fmt::Display| {
            let what = format!("degraded: {why}\n");
            text(StatusCode::SERVICE_UNAVAILABLE, TEXT, what)
        };
        if let Err(why) = self.engine.health() {
            return degraded(&why);
        }
        // The server is well, and no balancer should turn away from it for the sake of a plugin or
        // of a record.
        match self.look_at_health().await {
            Ok(poorer) if poorer.is_empty() => text(StatusCode::OK, TEXT, "ok\n".to_owned()),
            Ok(poorer) => {
                let what = format!("degraded: {}\n", poorer.join("; "));
                text(StatusCode::OK, TEXT, what)
            }
            Err(_) => degraded(&"the server cannot look at itself"),
        }
    }
}
