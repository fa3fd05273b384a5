//! Files of master keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use streams::kms::{KmsSettings, MasterKeySetting};
use tempfile::TempDir;

use crate::{Service, Setting};

/// The id of a key.
pub const ONE: &str = "11111111-aaaa-bbbb-cccc-000000000001";
/// The id of another.
pub const TWO: &str = "22222222-aaaa-bbbb-cccc-000000000002";

/// Key files in a directory of their own.
pub struct KeyFiles(TempDir);

impl Default for KeyFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyFiles {
    /// The files of both keys.
    pub fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, byte) in [(ONE, 1), (TWO, 2)] {
            files.write(name, &[byte; 32]);
        }
        files
    }

    /// Where the file of that name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that nobody else reads.
    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// A key whose file has its id for a name.
    pub fn key(&self, id: &str, alias: &str) -> MasterKeySetting {
        MasterKeySetting {
            id: id.to_owned(),
            aliases: vec![alias.to_owned()],
            file: self.path(id),
            account: None,
            enabled: true,
        }
    }

    /// `alias/one` and `alias/two`.
    pub fn settings(&self) -> KmsSettings {
        KmsSettings {
            keys: vec![self.key(ONE, "alias/one"), self.key(TWO, "alias/two")],
            service_keys: Some(self.path("of services")),
        }
    }

    /// The same with the second one disabled.
    pub fn without_two(&self) -> KmsSettings {
        let mut settings = self.settings();
        settings.keys[1].enabled = false;
        settings
    }

    /// A server that has both keys.
    pub async fn service(&self) -> Service {
        Service::start_with(Setting {
            kms: self.settings(),
            ..Setting::default()
        })
        .await
    }
}

impl Service {
    /// The files in which the server keeps one of the texts.
    pub fn files_with(&self, texts: &[&str]) -> Vec<PathBuf> {
        let kept = self.kept();
        let files = kept.iter().flat_map(|directory| contents(directory));
        let holds = |(_, content): &(PathBuf, Vec<u8>)| {
            texts.iter().any(|text| {
                let mut windows = content.windows(text.len());
                windows.any(|window| window == text.as_bytes())
            })
        };
        files.filter(holds).map(|(path, _)| path).collect()
    }
}

/// All files in a directory, with what they hold.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}
