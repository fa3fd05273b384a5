//! `/healthz`: whether the server is well, for balancers and for people.

use consumers::Owner;
use consumers::status::ApplicationStatus;
use http::StatusCode;
use hyper::Response;
use wire::Answer;

use super::Router;
use super::plain::{TEXT, text};

impl Router {
    /// What is said of the server's health.
    pub(super) fn health(&self) -> Response<Answer> {
        match self.engine.health() {
            // The server is well, and no balancer should turn away from it for the sake of a
            // plugin or of a record.
            Ok(()) => {
                let mut poorer = self.engine.unreadable();
                match self.services.delivery.without_plugin() {
                    0 => {}
                    count => poorer.push(format!("{count} delivery streams have no plugin")),
                }
                match self.services.consumers.refused().len() {
                    0 => {}
                    count => poorer.push(format!("{count} applications of plugins are refused")),
                }
                let applications = self.services.consumers.statuses(Owner::Anybody);
                let is_stuck = |it: &&ApplicationStatus| it.told_trouble().is_some();
                match applications.iter().filter(is_stuck).count() {
                    0 => {}
                    count => poorer.push(format!("{count} applications do not get on")),
                }
                match self.plugins.rolled_back_by_itself() {
                    0 => {}
                    count => poorer.push(format!(
                        "{count} plugins were rolled back for the records that they failed on"
                    )),
                }
                let what = match poorer.as_slice() {
                    [] => "ok\n".to_owned(),
                    poorer => format!("degraded: {}\n", poorer.join("; ")),
                };
                text(StatusCode::OK, TEXT, what)
            }
            Err(why) => {
                let what = format!("degraded: {why}\n");
                text(StatusCode::SERVICE_UNAVAILABLE, TEXT, what)
            }
        }
    }
}
