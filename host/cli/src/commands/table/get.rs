//! `millrace table get`.

use clap::Args;

use super::print::{Format, key_digits, line};
use super::shapes::ItemPage;
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct GetArgs {
    /// The table's name
    table: String,
    /// The hash key: text, or bytes as base64:…
    #[arg(allow_hyphen_values = true)]
    key: String,
    /// The range key, where the table has one
    #[arg(allow_hyphen_values = true)]
    range_key: Option<String>,
    /// What the item is printed as
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &GetArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut page = format!("tables/{}/items/{}", args.table, key_digits(&args.key)?);
    if let Some(range_key) = &args.range_key {
        page.push_str(&format!("/{}", key_digits(range_key)?));
    }
    let found: ItemPage = client.page(Method::GET, &page).await?;
    for item in &found.items {
        output::lines(&line(&found, item, args.format))?;
    }
    Ok(())
}
