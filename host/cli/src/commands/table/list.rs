//! `millrace table list`.

use clap::Args;

use super::shapes::{Table, Tables};
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let Tables { tables } = client.page(Method::GET, "tables").await?;
    if tables.is_empty() {
        return Ok(output::lines("no tables")?);
    }
    let head = ["table", "status", "key", "indexes", "created at"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(tables.into_iter().map(row));
    output::raw(output::table(&rows).as_bytes())?;
    Ok(output::flush()?)
}

fn row(table: Table) -> Vec<String> {
    let indexes = Some(table.indexes.join(", ")).filter(|names| !names.is_empty());
    vec![
        table.name,
        table.status,
        table.key.join(", "),
        output::or_none(indexes),
        output::time(table.created_at_ms),
    ]
}
