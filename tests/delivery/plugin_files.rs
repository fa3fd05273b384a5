//! A plugins directory with plugins of this repository, which is changed as an operator changes it:
//! every file appears whole at once.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_tests::{Client, Service, Setting};
use tempfile::TempDir;

/// A plugins directory.
pub struct PluginFiles(TempDir);

impl PluginFiles {
    /// A directory with these plugins, as they are built.
    pub fn with(names: &[&str]) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for name in names {
            files.add(name);
        }
        files
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A server with this directory.
    pub async fn start(&self) -> Service {
        self.start_within(wasm::Limits::default()).await
    }

    /// A server with this directory whose plugins have these limits.
    pub async fn start_within(&self, plugin_limits: wasm::Limits) -> Service {
        Service::start_with(Setting {
            plugins: Some(self.0.path().to_owned()),
            plugin_limits,
            ..Setting::default()
        })
        .await
    }

    /// Puts a plugin there as it is built.
    pub fn add(&self, name: &str) {
        // No name that a plugin can have.
        let beside = self.0.path().join(".new");
        fs::create_dir(&beside).unwrap();
        for file in ["plugin.toml".to_owned(), format!("{name}.wasm")] {
            fs::copy(built(name).join(&file), beside.join(&file)).unwrap();
        }
        fs::rename(beside, self.0.path().join(name)).unwrap();
    }

    /// Puts `redact-card-numbers` there under another name.
    pub fn add_redaction_as(&self, name: &str) {
        let built = built("redact-card-numbers").join("redact-card-numbers.wasm");
        self.write(name, &format!("{name}.wasm"), fs::read(built).unwrap());
        let manifest = format!("name = '{name}'\nversion = '1'\n[config]\nmask = '*'\n");
        self.write(name, "plugin.toml", manifest);
    }

    /// Takes a plugin away.
    pub fn remove(&self, name: &str) {
        let beside = self.0.path().join(".old");
        fs::rename(self.0.path().join(name), &beside).unwrap();
        fs::remove_dir_all(beside).unwrap();
    }

    /// Puts a file of a plugin in the place of the one before.
    pub fn write(&self, name: &str, file: &str, content: impl AsRef<[u8]>) {
        let folder = self.0.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let beside = self.0.path().join(".file");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, folder.join(file)).unwrap();
    }

    /// Puts the built component there with another custom section: another version that does the
    /// same.
    pub fn write_variant(&self, name: &str, section: &str) {
        let file = format!("{name}.wasm");
        let mut component = fs::read(built(name).join(&file)).unwrap();
        let length = u8::try_from(section.len()).unwrap();
        assert!(length < 127, "a length of one byte");
        // Section 0; its bytes; the bytes of its name; its name; nothing in it.
        component.extend([0, length + 1, length]);
        component.extend(section.as_bytes());
        self.write(name, &file, component);
    }

    /// Gives `redact-card-numbers` another mask, and returns the hash of the version that has it
    /// once that is in force.
    pub async fn mask_with(&self, client: &Client, mask: char) -> String {
        let manifest = format!(
            "name = 'redact-card-numbers'\nversion = '{mask}'\n[config]\nmask = '{mask}'\n"
        );
        self.write("redact-card-numbers", "plugin.toml", manifest);
        let label = mask.to_string();
        let in_force = client
            .page_until("plugins/redact-card-numbers", |page| {
                page["version"] == label.as_str()
            })
            .await;
        in_force["hash"].as_str().unwrap().to_owned()
    }
}

/// Where a plugin lies once `cargo xtask plugins` has built it.
fn built(name: &str) -> PathBuf {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    plugins.join(name)
}
