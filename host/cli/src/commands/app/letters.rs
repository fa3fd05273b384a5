//! `millrace app dead-letters NAME list|show|replay|discard`.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::orders::told;
use super::shapes::{Done, Letter, Letters, WholeLetter};
use crate::client::{Client, Method, TargetArgs};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct LettersArgs {
    /// The application's name
    name: String,
    #[command(subcommand)]
    command: LetterCommand,
}

#[derive(Subcommand)]
enum LetterCommand {
    /// List the records that always failed, and why
    List(ListArgs),
    /// Show one with its content
    Show(LetterArgs),
    /// Work on one again, and remove it if that goes well
    Replay(ReplayArgs),
    /// Remove one
    Discard(LetterArgs),
}

#[derive(Args)]
struct ListArgs {
    /// Begin after this one
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
struct LetterArgs {
    /// Which one, as `list` shows it
    id: String,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Args)]
struct ReplayArgs {
    /// Which one, as `list` shows it; `all` of them, one after the other
    id: String,
    /// With this version of the plugin [default: the one that the application works with]
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

pub(crate) async fn run(args: LettersArgs) -> Result<(), Failure> {
    let name = &args.name;
    match &args.command {
        LetterCommand::List(of) => list(name, of).await,
        LetterCommand::Show(of) => show(name, of).await,
        LetterCommand::Replay(of) => replay(name, of).await,
        LetterCommand::Discard(of) => {
            let mut client = Client::new(&of.target.target()?.into());
            let page = format!("apps/{name}/dead-letters/{}/discard", of.id);
            let answer: Done = client.page(Method::POST, &page).await?;
            told(&answer, &format!("discard {}", of.id))
        }
    }
}

async fn list(name: &str, args: &ListArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let letters = letters(&mut client, name, args.after.as_deref()).await?;
    if letters.is_empty() {
        return Ok(output::lines("no dead letters")?);
    }
    output::raw(letters_table(&letters).as_bytes())?;
    Ok(output::flush()?)
}

/// A table of dead letters of an application.
pub(crate) fn letters_table(letters: &[Letter]) -> String {
    let head = ["id", "shard", "sequence number", "tries", "bytes", "reason"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for letter in letters {
        rows.push(vec![
            letter.id.clone(),
            letter.shard.clone(),
            letter.sequence_number.clone(),
            letter.tries.to_string(),
            output::count(letter.bytes),
            letter.reason.clone(),
        ]);
    }
    output::table(&rows)
}

async fn letters(
    client: &mut Client,
    name: &str,
    after: Option<&str>,
) -> Result<Vec<Letter>, Failure> {
    let page = match after {
        Some(after) => format!("apps/{name}/dead-letters/after/{after}"),
        None => format!("apps/{name}/dead-letters"),
    };
    let page: Letters = client.page(Method::GET, &page).await?;
    Ok(page.dead_letters)
}

async fn show(name: &str, args: &LetterArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    let page = format!("apps/{name}/dead-letters/{}", args.id);
    let whole: WholeLetter = client.page(Method::GET, &page).await?;
    print_letter(&whole)
}

/// Prints a dead letter of an application with its content.
pub(crate) fn print_letter(whole: &WholeLetter) -> Result<(), Failure> {
    let letter = &whole.letter;
    for (name, value) in [
        ("id", &letter.id),
        ("shard", &letter.shard),
        ("sequence number", &letter.sequence_number),
        ("partition key", &whole.partition_key),
        ("arrived (ms)", &letter.arrival_ms.to_string()),
        ("failed (ms)", &letter.failed_at_ms.to_string()),
        ("tries", &letter.tries.to_string()),
        ("version", &letter.version),
        ("reason", &letter.reason),
        ("data (base64)", &whole.data),
    ] {
        output::lines(&format!("  {name:<16} {value}"))?;
    }
    Ok(())
}

async fn replay(name: &str, args: &ReplayArgs) -> Result<(), Failure> {
    let mut client = Client::new(&args.target.target()?.into());
    if args.id != "all" {
        return replay_one(&mut client, name, (&args.id, args)).await;
    }
    let (mut after, mut failed): (Option<String>, u64) = (None, 0);
    loop {
        let letters = letters(&mut client, name, after.as_deref()).await?;
        let Some(last) = letters.last() else {
            break;
        };
        after = Some(last.id.clone());
        for letter in &letters {
            if let Err(failure) = replay_one(&mut client, name, (&letter.id, args)).await {
                failed += 1;
                let (Failure::Text(why) | Failure::Bare(why)) = failure else {
                    return Err(failure);
                };
                output::lines(&format!("{}: {why}", letter.id))?;
            }
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Text(format!("{failed} dead letters stay"))),
    }
}

async fn replay_one(
    client: &mut Client,
    name: &str,
    (id, args): (&str, &ReplayArgs),
) -> Result<(), Failure> {
    let page = format!("apps/{name}/dead-letters/{id}/replay");
    let version = args.version.as_deref();
    let answer: Done = client
        .page_of(Method::POST, &page, &Body { version })
        .await?;
    told(&answer, &format!("replay {id}"))
}
