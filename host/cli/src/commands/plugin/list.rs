//! `millrace plugin list`.

use clap::Args;

use super::{Plugin, Plugins};
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
    let Plugins { plugins } = client.page(Method::GET, "plugins").await?;
    if plugins.is_empty() {
        return Ok(output::lines("no plugins")?);
    }
    let head = [
        "plugin", "state", "version", "world", "calls", "traps", "swaps",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(plugins.iter().map(row));
    output::raw(output::table(&rows).as_bytes())?;
    for plugin in &plugins {
        if let Some(why) = &plugin.refused {
            let name = &plugin.name;
            output::lines(&format!(
                "  {name}: the version that lies there was refused: {why}"
            ))?;
        }
    }
    Ok(output::flush()?)
}

fn row(plugin: &Plugin) -> Vec<String> {
    let traps = plugin.traps.unwrap_or(0) + plugin.deadlines.unwrap_or(0);
    vec![
        plugin.name.clone(),
        plugin.state.clone(),
        plugin.version_text(),
        plugin.world.clone().unwrap_or_else(|| "-".to_owned()),
        output::count(plugin.calls.unwrap_or(0)),
        output::count(traps),
        output::count(plugin.swaps),
    ]
}
