//! `millrace app list|describe`.

use clap::Args;

use super::shapes::{Apps, Description, Shard};
use crate::client::{CallError, Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
pub(crate) struct NameArgs {
    /// The application's name
    pub(super) name: String,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(crate) async fn list(args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page: Apps = client.page(Method::GET, "apps").await?;
    for refused in &page.refused {
        let (plugin, why) = (&refused.plugin, &refused.why);
        output::lines(&format!(
            "the application of plugin {plugin} is not made: {why}"
        ))?;
    }
    if page.apps.is_empty() {
        return Ok(output::lines("no applications")?);
    }
    let head = [
        "application",
        "state",
        "stream",
        "plugin",
        "processed",
        "waiting",
        "dead letters",
        "lost",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for app in &page.apps {
        let texts = [&app.name, &app.state, &app.stream, &app.plugin];
        let mut row: Vec<_> = texts.into_iter().cloned().collect();
        let counts = &app.counts;
        let numbers = [
            counts.processed,
            app.waiting,
            counts.dead_letters,
            counts.lost,
        ];
        row.extend(numbers.map(output::count));
        rows.push(row);
    }
    output::raw(output::table(&rows).as_bytes())?;
    for app in &page.apps {
        if let Some(why) = &app.trouble {
            output::lines(&format!("  {} does not get on: {why}", app.name))?;
        }
    }
    Ok(output::flush()?)
}

/// What became of the application that a plugin is by itself: the stream that it works on, or why
/// it is not made; `None` while that is not known.
pub(crate) async fn declared(
    client: &mut Client,
    plugin: &str,
) -> Result<Option<Result<String, String>>, CallError> {
    let page: Apps = client.page(Method::GET, "apps").await?;
    let refused = page.refused.into_iter().find(|it| it.plugin == plugin);
    let made = page.apps.into_iter().find(|app| app.name == plugin);
    Ok(match (made, refused) {
        (Some(app), _) => Some(Ok(app.stream)),
        (None, Some(refused)) => Some(Err(refused.why)),
        (None, None) => None,
    })
}

pub(crate) async fn describe(args: &NameArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("apps/{}", args.name);
    let described: Description = client.page(Method::GET, &page).await?;
    for (name, value) in facts(&described) {
        output::lines(&format!("  {name:<16} {value}"))?;
    }
    for shard in &described.shards {
        output::lines(&text_of(shard))?;
    }
    if let Some(trouble) = &described.app.trouble {
        output::lines(&format!("  does not get on: {trouble}"))?;
    }
    Ok(())
}

/// What is known of all shards together, by name.
fn facts(described: &Description) -> Vec<(&'static str, String)> {
    let (app, number) = (&described.app, output::count);
    let counts = &app.counts;
    vec![
        ("application", app.name.clone()),
        ("state", app.state.clone()),
        ("stream", app.stream.clone()),
        ("plugin", app.plugin.clone()),
        ("start", app.start.clone()),
        (
            "version",
            app.pinned
                .clone()
                .unwrap_or_else(|| "the one in force".to_owned()),
        ),
        ("tables", described.tables.join(", ")),
        ("emits to", described.emit.join(", ")),
        (
            "processor time",
            output::share(described.cpu_ms_per_second, Some(described.held_back_us)),
        ),
        (
            "of its account",
            output::share(
                described.account_cpu_ms_per_second,
                Some(described.account_held_back_us),
            ),
        ),
        ("processed", number(counts.processed)),
        ("waiting", number(app.waiting)),
        ("rows written", number(counts.rows)),
        ("emitted", number(counts.emitted)),
        ("of other shards", number(counts.foreign)),
        ("lost", number(counts.lost)),
        ("left out", number(counts.left_out)),
        (
            "dead letters",
            format!(
                "{} with {} bytes; {} were replayed, {} discarded",
                number(described.letters),
                number(described.letter_bytes),
                number(described.replayed),
                number(described.discarded)
            ),
        ),
    ]
}

fn text_of(shard: &Shard) -> String {
    let number = output::count;
    let mut text = format!(
        "  {} {}: processed {}, waiting {}",
        shard.shard,
        shard.state,
        number(shard.counts.processed),
        number(shard.waiting)
    );
    if let Some(behind) = shard.behind_ms.filter(|behind| *behind > 0) {
        text.push_str(&format!(", {behind} ms behind"));
    }
    if shard.redone > 0 {
        let (redone, conflicts) = (number(shard.redone), number(shard.conflicts));
        text.push_str(&format!(
            ", batches done again {redone} (conflicts {conflicts})"
        ));
    }
    if let Some(version) = &shard.version {
        let hash = version.get(..12).unwrap_or(version);
        text.push_str(&match shard.version_number {
            Some(number) => format!(", version {number} ({hash})"),
            None => format!(", version {hash}"),
        });
        if shard.is_canary {
            text.push_str(", a canary");
        }
    }
    if shard.unheard > 0 {
        let times = number(shard.unheard);
        text.push_str(&format!(", ended {times} times without being heard"));
    }
    if let Some(why) = &shard.swap_refused {
        text.push_str(&format!("\n    not swapped in: {why}"));
    }
    if let Some(why) = &shard.stuck {
        text.push_str(&format!("\n    does not get on: {why}"));
    }
    text
}
