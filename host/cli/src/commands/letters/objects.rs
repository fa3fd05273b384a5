//! `millrace delivery dead-letters NAME …`: objects of failed records.

use std::num::NonZeroUsize;

use clap::{ArgGroup, Args, Subcommand};

use super::{Door, OBJECTS_MAX, PAGE, table};
use crate::client::{Client, TargetArgs};
use crate::commands::app::told;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ObjectsArgs {
    /// The delivery stream's name
    name: String,
    #[command(subcommand)]
    command: ObjectsCommand,
}

#[derive(Subcommand)]
enum ObjectsCommand {
    /// List the objects of failed records, with what they hold and what became of them
    List(ListArgs),
    /// Show the first records of one
    Show(ShowArgs),
    /// Deliver the records of one once more, or those of all
    ///
    /// Records that were replayed before are not delivered again, however often this is done.
    // `--version` is the plugin's.
    #[command(disable_version_flag = true)]
    Replay(ReplayArgs),
    /// Leave one out of the list
    Discard(ObjectArgs),
}

#[derive(Args)]
struct ListArgs {
    /// Only those whose keys begin so
    #[arg(long)]
    prefix: Option<String>,
    /// So many at most
    #[arg(short = 'n', value_name = "N", default_value = "20")]
    count: NonZeroUsize,
    /// Begin after this one
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    /// Also those that were discarded
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
struct ShowArgs {
    /// Which one, as `list` shows it
    object: String,
    /// So many records at most
    #[arg(short = 'n', value_name = "N")]
    count: Option<NonZeroUsize>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
struct ObjectArgs {
    /// Which one, as `list` shows it
    object: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).args(["object", "all"]))]
struct ReplayArgs {
    /// Which one, as `list` shows it
    object: Option<String>,
    /// All that are there now, and are neither replayed nor discarded
    #[arg(long)]
    all: bool,
    /// With `--all`: only those whose keys begin so
    #[arg(long, requires = "all")]
    prefix: Option<String>,
    /// Through this version of the plugin [default: the one in force when a record is delivered]
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) async fn run(args: &ObjectsArgs) -> Result<(), Failure> {
    let door = Door::of_delivery(&args.name);
    match &args.command {
        ObjectsCommand::List(of) => list(&door, of).await,
        ObjectsCommand::Show(of) => {
            let mut client = Client::new(&of.target.target()?.into());
            door.show(&mut client, (&of.object, of.count)).await
        }
        ObjectsCommand::Replay(of) => replay(&door, of).await,
        ObjectsCommand::Discard(of) => {
            let mut client = Client::new(&of.target.target()?.into());
            let answer = door
                .order(&mut client, ("discard", &of.object, None))
                .await?;
            told(&answer, &format!("discard {}", of.object))
        }
    }
}

async fn list(door: &Door, args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let mut left = args.count.get();
    let (mut after, mut objects) = (args.after.clone(), Vec::new());
    while left > 0 {
        let of = (args.prefix.as_deref(), after.as_deref(), args.all);
        let page = door.objects(&mut client, of, left.min(PAGE)).await?;
        left = left.saturating_sub(page.dead_letters.len());
        objects.extend(page.dead_letters);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if objects.is_empty() {
        return Ok(output::lines("no dead letters")?);
    }
    output::raw(table(&objects).as_bytes())?;
    if let Some(after) = after {
        output::lines(&format!("there may be more: --after {after}"))?;
    }
    Ok(output::flush()?)
}

async fn replay(door: &Door, args: &ReplayArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let version = args.version.as_deref();
    if let Some(object) = &args.object {
        let done = door.replay(&mut client, (object, version)).await?;
        return Ok(output::lines(&done)?);
    }
    // What fails again becomes other objects, which this does not replay.
    let objects = all(door, &mut client, args.prefix.as_deref()).await?;
    let mut failed: u64 = 0;
    for object in &objects {
        match door.replay(&mut client, (object, version)).await {
            Ok(done) => output::lines(&done)?,
            Err(failure @ Failure::ReaderGone) => return Err(failure),
            Err(failure) => {
                failed += 1;
                output::lines(&format!("{object}: {}", failure.text()))?;
            }
        }
    }
    match failed {
        0 => Ok(output::lines(&format!("{} objects", objects.len()))?),
        failed => Err(Failure::Text(format!("{failed} objects were not replayed"))),
    }
}

/// The keys of all objects that are not replayed.
async fn all(
    door: &Door,
    client: &mut Client,
    prefix: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let (mut keys, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let of = (prefix, after.as_deref(), false);
        let page = door.objects(client, of, PAGE).await?;
        let open = page.dead_letters.into_iter();
        let open = open.filter(super::shapes::Object::is_open);
        keys.extend(open.map(|object| object.object));
        after = page.next;
        if after.is_none() || keys.len() >= OBJECTS_MAX {
            return Ok(keys);
        }
    }
}
