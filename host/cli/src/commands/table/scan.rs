//! `millrace table scan`.

use clap::Args;

use super::print::{Format, key_digits, line};
use super::shapes::ItemPage;
use crate::client::{CallError, Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ScanArgs {
    /// The table's name
    table: String,
    /// Only items whose hash key begins so: text, or bytes as base64:…
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    prefix: Option<String>,
    /// End after so many items
    #[arg(short = 'n', value_name = "COUNT")]
    count: Option<usize>,
    /// What an item is printed as
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &ScanArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut pages = Pages::new(&args.table, args.prefix.as_deref())?;
    let mut left = args.count.unwrap_or(usize::MAX);
    while left > 0 {
        let Some(page) = pages.next(&mut client, left).await? else {
            break;
        };
        for item in &page.items {
            output::raw(line(&page, item, args.format).as_bytes())?;
            output::raw(b"\n")?;
        }
        left = left.saturating_sub(page.items.len());
        output::flush()?;
    }
    Ok(())
}

/// The items of a table, page by page.
pub(super) struct Pages {
    table: String,
    prefix: Option<String>,
    after: Option<String>,
    is_at_end: bool,
}

impl Pages {
    pub(super) fn new(table: &str, prefix: Option<&str>) -> Result<Self, String> {
        Ok(Self {
            table: table.to_owned(),
            prefix: prefix.map(key_digits).transpose()?,
            after: None,
            is_at_end: false,
        })
    }

    /// The next page, of `most` items at most; `None` at the end.
    pub(super) async fn next(
        &mut self,
        client: &mut Client,
        most: usize,
    ) -> Result<Option<ItemPage>, CallError> {
        if self.is_at_end {
            return Ok(None);
        }
        let mut page = format!("tables/{}?limit={most}", self.table);
        for (name, value) in [("prefix", &self.prefix), ("after", &self.after)] {
            if let Some(value) = value {
                page.push_str(&format!("&{name}={value}"));
            }
        }
        let found: ItemPage = client.page(Method::GET, &page).await?;
        self.is_at_end = found.next.is_none();
        self.after.clone_from(&found.next);
        Ok(Some(found))
    }
}
