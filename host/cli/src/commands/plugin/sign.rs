//! `millrace plugin sign`: makes keys, and signs plugins with them. Asks no server.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use types::Invalid;
use wasm::{ContentHash, PluginName, SigningKey};

use crate::failure::Failure;
use crate::output;

const MANIFEST: &str = "plugin.toml";
/// Who may read a secret key: its owner.
const KEY_MODE: u32 = 0o600;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["key", "new_key"]))]
pub(crate) struct SignArgs {
    /// The plugin: NAME.wasm, or the folder with NAME.wasm and plugin.toml in it
    #[arg(required_unless_present = "new_key", conflicts_with = "new_key")]
    plugin: Option<PathBuf>,
    /// The file of the secret key to sign with
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Make a key, keep it in this file, and print the public half for trusted_keys
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
}

pub(crate) fn run(args: &SignArgs) -> Result<(), Failure> {
    if let Some(file) = &args.new_key {
        return make_key(file);
    }
    let (Some(plugin), Some(key)) = (&args.plugin, &args.key) else {
        return Err(Failure::Text("name a plugin and --key".to_owned()));
    };
    let key = read_key(key)?;
    let signed = if plugin.is_dir() {
        sign_folder(plugin, &key)?
    } else {
        sign_file(plugin, &key)?
    };
    Ok(output::lines(&format!(
        "{} is signed by {}",
        signed.display(),
        key.public()
    ))?)
}

fn make_key(file: &Path) -> Result<(), Failure> {
    let key = SigningKey::generate().map_err(told)?;
    let mut new = File::options();
    // A key that is there already is somebody's.
    new.write(true).create_new(true).mode(KEY_MODE);
    let written = new.open(file).and_then(|mut file| {
        writeln!(file, "{}", key.to_text())?;
        file.sync_all()
    });
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(output::lines(&key.public())?)
}

fn read_key(file: &Path) -> Result<SigningKey, Failure> {
    let text = fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let key = SigningKey::parse(&text);
    Ok(key.map_err(|Invalid(why)| format!("{}: {why}", file.display()))?)
}

/// Signs a folder; where the signature lies.
fn sign_folder(folder: &Path, key: &SigningKey) -> Result<PathBuf, Failure> {
    // `.` has a name, too.
    let whole = folder.canonicalize();
    let whole = whole.map_err(|error| format!("{}: {error}", folder.display()))?;
    let name = name_of(whole.file_name())?;
    let manifest = read(&whole.join(MANIFEST))?;
    let manifest = String::from_utf8(manifest).map_err(|_| format!("{MANIFEST} is not text"))?;
    let component = read(&whole.join(format!("{name}.wasm")))?;
    let signature = key.sign(&name, ContentHash::of(Some(&manifest), &component));
    write(whole.join("plugin.sig"), &signature)
}

/// Signs a bare component; where the signature lies.
fn sign_file(file: &Path, key: &SigningKey) -> Result<PathBuf, Failure> {
    let is_component = file.extension().is_some_and(|ending| ending == "wasm");
    if !is_component {
        let what = format!("{} is neither a folder nor NAME.wasm", file.display());
        return Err(Failure::Text(what));
    }
    let folder = file.parent().map(|folder| folder.join(MANIFEST));
    if folder.is_some_and(|manifest| manifest.exists()) {
        let what = format!("there is a {MANIFEST} beside {}", file.display());
        return Err(Failure::Text(format!("{what}: name the folder")));
    }
    let name = name_of(file.file_stem())?;
    let signature = key.sign(&name, ContentHash::of(None, &read(file)?));
    let mut beside = file.to_owned().into_os_string();
    beside.push(".sig");
    write(PathBuf::from(beside), &signature)
}

fn name_of(name: Option<&std::ffi::OsStr>) -> Result<PluginName, Failure> {
    let name = name.and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    Ok(PluginName::parse(name).map_err(told)?)
}

fn told(Invalid(why): Invalid) -> String {
    why
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn write(file: PathBuf, signature: &str) -> Result<PathBuf, Failure> {
    let written = fs::write(&file, format!("{signature}\n"));
    written.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}
