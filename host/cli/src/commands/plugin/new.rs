//! `millrace plugin new`: a folder that builds at once.

mod rust;
mod single_file;
mod templates;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use wasm::PluginName;

use super::project::{Language, World};
use crate::failure::Failure;
use crate::output;
use templates::{File, Shape};

/// What stands in templates for the plugin's name, its language, and the file of its source.
const NAME: &str = "{{name}}";
const LANGUAGE: &str = "{{language}}";
const SOURCE: &str = "{{source}}";

/// Makes a folder with a plugin that builds at once: sources, manifest, fixtures, and the SDK.
#[derive(Args)]
pub(crate) struct NewArgs {
    /// What the plugin is called: 1 to 64 letters, digits, '-' and '_'
    name: String,
    /// The language that it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
    /// What it is for
    #[arg(long, value_enum, value_name = "WORLD", default_value = "transform")]
    world: World,
    /// A consumer that hands what it keeps in its memory to the instance after it
    #[arg(long)]
    state: bool,
    /// The folder to make [default: one of the plugin's name]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &NewArgs) -> Result<(), Failure> {
    let name = PluginName::parse(&args.name).map_err(|error| error.to_string())?;
    if args.lang == Language::Rust && !name.as_str().starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return Err(format!("a crate's name begins with a letter, and '{name}' does not").into());
    }
    let shape = match (args.world, args.state) {
        (World::Transform, false) => Shape::Transform,
        (World::Consumer, false) => Shape::Consumer,
        (World::Consumer, true) => Shape::Stateful,
        (World::Transform, true) => {
            let why = "a transform keeps no state: --state goes with --world consumer";
            return Err(Failure::Unable(why.to_owned()));
        }
    };
    let dir = args.dir.clone().unwrap_or_else(|| name.as_str().into());
    if dir.symlink_metadata().is_ok() {
        return Err(format!("{} is there already; it stays as it is", dir.display()).into());
    }
    let files = templates::of(args.lang, shape);
    write(&dir, &files, &name, args.lang)?;
    let shown = dir.display();
    output::lines(&format!(
        "made {shown}: {} files\n  cd {shown} && millrace plugin dev",
        files.len()
    ))?;
    Ok(())
}

/// Writes all files, or leaves nothing behind.
fn write(dir: &Path, files: &[File], name: &PluginName, language: Language) -> Result<(), String> {
    let (language, source) = templates::words(language);
    let written = files.iter().try_for_each(|file| {
        let path = dir.join(file.path);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder)?;
        let text = file.text.replace(NAME, name.as_str());
        let text = text.replace(LANGUAGE, language).replace(SOURCE, source);
        fs::write(&path, text)
    });
    written.map_err(|error| {
        // The folder was not there before, so that all in it is ours. What cannot be removed either
        // is seen by whoever looks for the reason of the first error.
        let _ = fs::remove_dir_all(dir);
        format!("make {}: {error}", dir.display())
    })
}
