//! `millrace stream dead-letters NAME …` and `millrace plugin dead-letters NAME …`: what all
//! applications and delivery streams that read the stream, or go through the plugin, could not do.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};

use super::shapes::{Readers, Records};
use super::{Door, table};
use crate::client::{Client, Method, TargetArgs};
use crate::commands::app::{WholeLetter, letters_table, print_letter, told};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct ReadersArgs {
    /// The name of the stream or the plugin
    name: String,
    #[command(subcommand)]
    command: ReadersCommand,
}

#[derive(Subcommand)]
enum ReadersCommand {
    /// List the dead letters of all, each with the application or delivery stream that has them
    List(ListArgs),
    /// Show one
    Show(ShowArgs),
    /// Have one worked on or delivered once more
    // `--version` is the plugin's.
    #[command(disable_version_flag = true)]
    Replay(ReplayArgs),
    /// Discard one
    Discard(LetterArgs),
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    target: TargetArgs,
}

/// Whose letter it is.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct ReaderArgs {
    /// The application that has it
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The delivery stream that has it
    #[arg(long, value_name = "NAME")]
    delivery: Option<String>,
}

#[derive(Args)]
struct LetterArgs {
    /// Which one, as `list` shows it
    letter: String,
    #[command(flatten)]
    reader: ReaderArgs,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    letter: LetterArgs,
    /// So many records of an object at most
    #[arg(short = 'n', value_name = "N")]
    count: Option<NonZeroUsize>,
}

#[derive(Args)]
struct ReplayArgs {
    #[command(flatten)]
    letter: LetterArgs,
    /// Through this version of the plugin [default: as the reader works]
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
}

impl LetterArgs {
    fn door(&self, of: &str) -> Door {
        Door {
            page: of.to_owned(),
            application: self.reader.app.clone(),
            delivery_stream: self.reader.delivery.clone(),
        }
    }
}

/// Runs a command about a stream or a plugin: `kind` is what pages call these.
pub(crate) async fn run(kind: &str, args: &ReadersArgs) -> Result<(), Failure> {
    let page = format!("{kind}/{}", args.name);
    match &args.command {
        ReadersCommand::List(of) => list(&page, of).await,
        ReadersCommand::Show(of) => {
            let mut client = Client::new(&of.letter.target.target()?.into());
            let (door, letter) = (of.letter.door(&page), of.letter.letter.as_str());
            if of.letter.reader.delivery.is_some() {
                return door.show(&mut client, (letter, of.count)).await;
            }
            let page = door.page("/one", &[("letter", Some(letter))]);
            let whole: WholeLetter = client.page(Method::GET, &page).await?;
            print_letter(&whole)
        }
        ReadersCommand::Replay(of) => {
            let mut client = Client::new(&of.letter.target.target()?.into());
            let (door, letter) = (of.letter.door(&page), of.letter.letter.as_str());
            let version = of.version.as_deref();
            if of.letter.reader.delivery.is_some() {
                let done = door.replay(&mut client, (letter, version)).await?;
                return Ok(output::lines(&done)?);
            }
            order(&mut client, &door, ("replay", letter, version)).await
        }
        ReadersCommand::Discard(of) => {
            let mut client = Client::new(&of.target.target()?.into());
            let door = of.door(&page);
            order(&mut client, &door, ("discard", &of.letter, None)).await
        }
    }
}

async fn order(
    client: &mut Client,
    door: &Door,
    (order, letter, version): (&str, &str, Option<&str>),
) -> Result<(), Failure> {
    let answer = door.order(client, (order, letter, version)).await?;
    told(&answer, &format!("{order} {letter}"))
}

async fn list(page: &str, args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("{page}/dead-letters");
    let all: Readers = client.page(Method::GET, &page).await?;
    if all.readers.is_empty() && all.denied == 0 {
        return Ok(output::lines("nobody who could have dead letters")?);
    }
    for read in &all.readers {
        let (kind, command, name) = match (&read.application, &read.delivery_stream) {
            (Some(name), _) => ("application", "app", name),
            (None, Some(name)) => ("delivery stream", "delivery", name),
            (None, None) => continue,
        };
        let text = match (&read.why, &read.dead_letters) {
            (Some(why), _) => format!("  {why}\n"),
            (None, Records::Objects(objects)) if objects.is_empty() => match &read.next {
                None => "  none\n".to_owned(),
                Some(_) => "  none among the objects that were looked at\n".to_owned(),
            },
            (None, Records::Objects(objects)) => table(objects),
            (None, Records::Letters(letters)) => letters_table(letters),
        };
        output::lines(&format!("{kind} {name}"))?;
        output::raw(text.as_bytes())?;
        if let Some(after) = &read.next {
            output::lines(&format!(
                "  there may be more: millrace {command} dead-letters {name} list --after {after}"
            ))?;
        }
    }
    if all.denied > 0 {
        output::lines(&format!("{} others may not be asked", all.denied))?;
    }
    Ok(output::flush()?)
}
