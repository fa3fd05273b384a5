//! What a plugin that is developed has of the world besides its records: the secrets that its
//! author hands over, and calls over HTTP.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use wasm::{AddressRange, GrantSettings, Grants, PluginName, SecretName};

/// The folder of the values that nobody handed over, below the server's directory.
const MADE_UP: &str = "dev-secrets";

/// What the author hands over.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct AccessArgs {
    /// A secret that the plugin may read, with the file of its value (mode 0600)
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = secret)]
    secrets: Vec<(SecretName, PathBuf)>,
    /// Addresses that the plugin's calls over HTTP may go to, besides the internet at large:
    /// 127.0.0.0/8 for this machine
    #[arg(long = "address", value_name = "RANGE", value_parser = address)]
    addresses: Vec<AddressRange>,
}

impl AccessArgs {
    /// Whether a plugin that asks for `grants` has a use for all that is handed over to it.
    ///
    /// # Errors
    /// What it has none for, and what it asks for.
    pub(super) fn check(&self, plugin: &PluginName, grants: &Grants) -> Result<(), String> {
        for (place, (name, _)) in self.secrets.iter().enumerate() {
            if !grants.secrets.contains(name) {
                let asked: Vec<_> = grants.secrets.iter().map(ToString::to_string).collect();
                let asked = if asked.is_empty() {
                    "it asks for no secrets".to_owned()
                } else {
                    format!("it asks for {}", asked.join(", "))
                };
                return Err(format!(
                    "--secret {name}: the manifest of {plugin} does not ask for the secret {name}: \
                     {asked}; `secrets = [\"{name}\"]` below `[grants]` would ask for it"
                ));
            }
            let mut before = self.secrets.iter().take(place);
            if before.any(|(other, _)| other == name) {
                return Err(format!("--secret {name} is there twice"));
            }
        }
        if grants.http.is_empty() && !self.addresses.is_empty() {
            return Err(format!(
                "--address: the manifest of {plugin} asks for no calls over HTTP; \
                 `http = [\"HOST:PORT\"]` below `[grants]` would ask for some"
            ));
        }
        Ok(())
    }

    /// The grants of a plugin that asks for `grants`, in a server that keeps everything in `data`,
    /// and lines about secrets that nobody handed over: their values are made up, as those in
    /// `plugin test`.
    ///
    /// # Errors
    /// A value cannot be made up.
    pub(super) fn settings(
        &self,
        grants: &Grants,
        data: &Path,
    ) -> Result<(GrantSettings, Vec<String>), String> {
        let (mut secrets, mut lines) = (BTreeMap::new(), Vec::new());
        for name in &grants.secrets {
            let handed_over = self.secrets.iter().find(|(it, _)| it == name);
            let file = match handed_over {
                Some((_, file)) => file.clone(),
                None => {
                    let file = make_up(name, &data.join(MADE_UP));
                    lines.push(format!(
                        "secret {name}: its value is the text `secret {name}`; \
                         --secret {name}=FILE hands over another"
                    ));
                    file.map_err(|error| format!("write a value for the secret {name}: {error}"))?
                }
            };
            secrets.insert(name.clone(), file);
        }
        let settings = GrantSettings {
            secrets,
            http: grants.http.iter().cloned().collect(),
            addresses: self.addresses.clone(),
        };
        Ok((settings, lines))
    }
}

/// The file of a value for a secret, in a folder.
fn make_up(name: &SecretName, folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(name.to_string());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&path)?;
    write!(file, "secret {name}")?;
    Ok(path)
}

fn secret(text: &str) -> Result<(SecretName, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .ok_or("it is written NAME=FILE".to_owned())?;
    let name = SecretName::parse(name).map_err(|error| error.to_string())?;
    // A server reads it wherever it was started.
    let file = std::path::absolute(file).map_err(|error| error.to_string())?;
    Ok((name, file))
}

fn address(text: &str) -> Result<AddressRange, String> {
    AddressRange::parse(text).map_err(|error| error.to_string())
}
