//! `millrace plugin list`.

use clap::Args;

use super::{Ignored, Plugin, Plugins};
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
    let Plugins { plugins, ignored } = client.page(Method::GET, "plugins").await?;
    if plugins.is_empty() {
        output::lines("no plugins: `millrace plugin deploy` puts one in force")?;
    } else {
        let head = [
            "plugin",
            "state",
            "version",
            "world",
            "loaded at",
            "calls",
            "traps",
            "swaps",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(plugins.iter().map(row));
        output::raw(output::table(&rows).as_bytes())?;
    }
    let mut refused = Vec::new();
    for plugin in &plugins {
        if let Some(refusal) = plugin.refusal() {
            output::lines(&format!("  {refusal}"))?;
            refused.push(plugin.name.as_str());
        }
    }
    for plugin in &plugins {
        if let Some(aside) = &plugin.set_aside {
            let (name, aside) = (&plugin.name, aside.text());
            output::lines(&format!("  {name}: what lies there is set aside: {aside}"))?;
        }
        if let Some(failing) = &plugin.failing {
            output::lines(&format!("  {}: {failing}", plugin.name))?;
        }
    }
    for Ignored { file, why } in &ignored {
        output::lines(&format!("  {file}: ignored: {why}"))?;
    }
    output::flush()?;
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::Text(format!("refused: {}", refused.join(", "))))
}

fn row(plugin: &Plugin) -> Vec<String> {
    let traps = plugin.traps.zip(plugin.deadlines);
    vec![
        plugin.name.clone(),
        plugin.state.clone(),
        plugin.version_text(),
        output::or_none(plugin.world.clone()),
        output::or_none(plugin.loaded_at_ms.map(output::time)),
        output::count_or_none(plugin.calls),
        output::count_or_none(traps.map(|(traps, deadlines)| traps + deadlines)),
        output::count(plugin.swaps),
    ]
}
