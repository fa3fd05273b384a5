//! `… dead-letters NAME list|show|replay|discard` of delivery streams, and of all that read a
//! stream or go through a plugin.

mod objects;
mod readers;
mod shapes;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

pub(crate) use objects::{ObjectsArgs, run as objects_of_delivery};
pub(crate) use readers::{ReadersArgs, run as of_readers};

use crate::client::{Client, Method, encoded};
use crate::commands::app::Done;
use crate::failure::Failure;
use crate::output;
use shapes::{Named, Objects, Replayed, Shown};

/// Objects of one page of a listing that all of are wanted.
const PAGE: usize = 100;
/// Objects that are replayed in one go. More of them are found the next time.
const OBJECTS_MAX: usize = 100_000;
/// Times that the server is asked again that has no room for more at the moment, a second apart:
/// what was replayed before is being delivered.
const BUSY_MAX: u32 = 120;
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// How long an order is asked again that others are in the way of.
const BUSY_TIME_MAX: Duration = Duration::from_secs(60);

/// Which letters of whom a command is about: the page that has them, and the reader if the page is
/// not its own.
pub(crate) struct Door {
    /// `delivery-streams/NAME`, `streams/NAME` or `plugins/NAME`.
    page: String,
    application: Option<String>,
    delivery_stream: Option<String>,
}

impl Door {
    fn of_delivery(name: &str) -> Self {
        Self {
            page: format!("delivery-streams/{name}"),
            application: None,
            delivery_stream: None,
        }
    }

    /// A page below it, with parameters.
    fn page(&self, what: &str, parameters: &[(&str, Option<&str>)]) -> String {
        let mut page = format!("{}/dead-letters{what}", self.page);
        let own = [
            ("application", self.application.as_deref()),
            ("deliveryStream", self.delivery_stream.as_deref()),
        ];
        let all = own.iter().chain(parameters);
        let given = all.filter_map(|(name, value)| Some((name, (*value)?)));
        for (place, (name, value)) in given.enumerate() {
            let sign = if place == 0 { '?' } else { '&' };
            page.push_str(&format!("{sign}{name}={}", encoded(value)));
        }
        page
    }

    fn named<'a>(&'a self, letter: &'a str, version: Option<&'a str>) -> Named<'a> {
        Named {
            letter,
            application: self.application.as_deref(),
            delivery_stream: self.delivery_stream.as_deref(),
            version,
        }
    }

    /// Prints the first records of an object.
    async fn show(
        &self,
        client: &mut Client,
        (object, limit): (&str, Option<NonZeroUsize>),
    ) -> Result<(), Failure> {
        let limit = limit.map(|limit| limit.to_string());
        let parameters = [("letter", Some(object)), ("limit", limit.as_deref())];
        let page = self.page("/one", &parameters);
        let shown: Shown = client.page(Method::GET, &page).await?;
        for (number, record) in (1..).zip(&shown.records) {
            output::lines(&format!("{number}: {}", record.what()))?;
            output::lines(&format!("  {}", record.data()))?;
        }
        if shown.more {
            output::lines("there are more records; `-n` says how many are shown")?;
        }
        Ok(output::flush()?)
    }

    /// Has one letter replayed or discarded, and asks again while others are in the way.
    async fn order(
        &self,
        client: &mut Client,
        (order, letter, version): (&str, &str, Option<&str>),
    ) -> Result<Done, Failure> {
        let page = self.page_without_reader(&format!("/{order}"));
        let body = self.named(letter, version);
        let end_at = Instant::now() + BUSY_TIME_MAX;
        loop {
            match client.page_of(Method::POST, &page, &body).await {
                Err(error) if error.passes() && Instant::now() < end_at => {}
                answer => return Ok(answer?),
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    /// Replays an object to its end; a sentence that says what came of it.
    async fn replay(
        &self,
        client: &mut Client,
        (object, version): (&str, Option<&str>),
    ) -> Result<String, Failure> {
        let page = self.page_without_reader("/replay");
        let (mut now, mut busy) = (0, 0);
        loop {
            let body = self.named(object, version);
            let replayed: Replayed = match client.page_of(Method::POST, &page, &body).await {
                Ok(replayed) => replayed,
                Err(error) if error.passes() && busy < BUSY_MAX => {
                    busy += 1;
                    tokio::time::sleep(BUSY_PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            now += replayed.now;
            if replayed.done {
                return Ok(replayed.text(now));
            }
            if replayed.now > 0 {
                busy = 0;
            }
        }
    }

    fn page_without_reader(&self, what: &str) -> String {
        format!("{}/dead-letters{what}", self.page)
    }

    /// A page of the objects of a delivery stream.
    async fn objects(
        &self,
        client: &mut Client,
        (prefix, after, all): (Option<&str>, Option<&str>, bool),
        limit: usize,
    ) -> Result<Objects, Failure> {
        let (limit, all) = (limit.to_string(), all.then_some("true"));
        let parameters = [
            ("prefix", prefix),
            ("after", after),
            ("limit", Some(limit.as_str())),
            ("all", all),
        ];
        let page = self.page("", &parameters);
        Ok(client.page(Method::GET, &page).await?)
    }
}

/// A table of objects.
fn table(objects: &[shapes::Object]) -> String {
    let head = ["object", "put", "bytes", "records", "state", "codes"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for object in objects {
        rows.push(vec![
            object.object.clone(),
            output::time(object.put_at_ms),
            output::count(object.bytes),
            output::count_or_none(object.records),
            object.state(),
            object.codes(),
        ]);
    }
    output::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_into_a_query_as_it_is_signed() {
        let door = Door::of_delivery("clicks");
        let parameters = [
            ("letter", Some("a/é b+&")),
            ("limit", None),
            ("x", Some("1")),
        ];
        assert_eq!(
            door.page("/one", &parameters),
            "delivery-streams/clicks/dead-letters/one?letter=a%2F%C3%A9%20b%2B%26&x=1"
        );
    }
}
