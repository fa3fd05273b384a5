//! Reading a log of a server on: the lines since the look before, also over a restart of the
//! server.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::client::{CallError, Client, Method, encoded};
use crate::failure::Failure;
use crate::output;

/// Between two looks for lines that came.
const LOOK: Duration = Duration::from_millis(250);
/// How long a server that does not answer is waited for while its lines are followed; after that
/// the command ends and says what it heard last.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A line as a page has it.
pub(crate) trait LogLine: DeserializeOwned {
    /// As it is printed.
    fn text(&self) -> String;
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<L> {
    run: String,
    lines: Vec<L>,
    next: u64,
    missed: u64,
    /// Not every log leaves lines out.
    #[serde(default)]
    left_out: u64,
}

/// How far somebody has read a log.
pub(crate) struct Reader<L> {
    page: String,
    after: u64,
    /// The run of the server whose numbers that are; `None` before the first look.
    run: Option<String>,
    /// Lines that were left out by the last look, since somebody said too much.
    left_out: u64,
    /// More lines are there already.
    has_more: bool,
    lines: PhantomData<L>,
}

/// What a look brought.
pub(crate) struct News {
    /// Lines, as they are printed.
    pub(crate) lines: Vec<String>,
    /// Lines that were gone before they were read.
    pub(crate) missed: u64,
    /// Lines that were left out since the look before, since somebody said too much.
    pub(crate) left_out: u64,
}

impl<L: LogLine> Reader<L> {
    /// Nothing is read yet of the log at this page, whose query is ready for one more member.
    pub(crate) fn new(page: String) -> Self {
        Self {
            page,
            after: 0,
            run: None,
            left_out: 0,
            has_more: false,
            lines: PhantomData,
        }
    }

    /// What came. The numbers of lines begin anew with the server.
    pub(crate) async fn next(&mut self, client: &mut Client) -> Result<News, CallError> {
        let run = self.run.as_deref().unwrap_or_default();
        let run = if run.is_empty() {
            String::new()
        } else {
            format!("&run={}", encoded(run))
        };
        let page = format!("{}after={}{run}", self.page, self.after);
        let page: Page<L> = client.page(Method::GET, &page).await?;
        let is_first_look = self.run.is_none();
        let is_same = self.run.as_ref() == Some(&page.run);
        let left_out_before = if is_same { self.left_out } else { 0 };
        let news = News {
            // Nobody asked for those that were gone before the first look.
            missed: if is_first_look { 0 } else { page.missed },
            // Those of a version that is held no longer are counted no longer.
            left_out: page.left_out.saturating_sub(left_out_before),
            lines: page.lines.iter().map(L::text).collect(),
        };
        self.has_more = !page.lines.is_empty();
        self.after = page.next;
        self.left_out = page.left_out;
        self.run = Some(page.run);
        Ok(news)
    }

    /// Prints what is there, and goes on with what comes, if it is to follow. Where there is
    /// nothing, it says so.
    pub(crate) async fn print(
        mut self,
        client: &mut Client,
        follows: bool,
        nothing: &str,
    ) -> Result<(), Failure> {
        let mut is_silent = true;
        let mut silent_since = None;
        loop {
            match self.next(client).await {
                Ok(news) => {
                    silent_since = None;
                    news.print()?;
                }
                Err(error) if follows && self.run.is_some() && may_pass(&error) => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > SILENCE_MAX {
                        return Err(error.into());
                    }
                    self.has_more = false;
                }
                Err(error) => return Err(error.into()),
            }
            if self.has_more {
                is_silent = false;
                continue;
            }
            if !follows {
                if is_silent {
                    output::complain(nothing)?;
                }
                return Ok(());
            }
            output::check_reader()?;
            sleep(LOOK).await;
        }
    }
}

/// Whether a server that starts anew may say something else in a moment: then it does not answer,
/// or has not found what logs yet.
fn may_pass(error: &CallError) -> bool {
    match error {
        CallError::Broken(_) => true,
        CallError::Refused { code, .. } => error.passes() || code == "ResourceNotFoundException",
    }
}

impl News {
    fn print(&self) -> Result<(), Failure> {
        if self.missed > 0 {
            let missed = output::count(self.missed);
            output::lines(&format!("({missed} lines were gone before they were read)"))?;
        }
        for line in &self.lines {
            output::lines(line)?;
        }
        if self.left_out > 0 {
            let left_out = output::count(self.left_out);
            output::lines(&format!(
                "({left_out} lines were left out, as it said more than it may)"
            ))?;
        }
        Ok(())
    }
}
