//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The repository and its build directory.
pub struct Workspace {
    /// The repository's root.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Workspace {
    /// The workspace that this program was built from, with the target directory it was built to.
    pub fn find() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = fs::canonicalize(&root).map_err(|e| format!("find {}: {e}", root.display()))?;
        let program = env::current_exe().map_err(|e| format!("find this program: {e}"))?;
        // <target>/<profile>/xtask
        let target = program
            .ancestors()
            .nth(2)
            .ok_or("this program stands outside of a target")?;
        Ok(Self {
            target: target.to_owned(),
            root,
        })
    }

    /// The server as built with this profile's directory name.
    pub fn binary(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("millrace")
    }

    /// A program of the tests as built with this profile's directory name.
    pub fn example(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join("examples").join(name)
    }

    /// Where what the conformance clients need is installed.
    pub fn clients(&self) -> PathBuf {
        self.target.join("conformance")
    }

    /// The plugins, each in a folder of its name.
    pub fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The sources of the conformance tests.
    pub fn conformance(&self) -> PathBuf {
        self.root.join("tests/conformance")
    }

    /// A command of the cargo that started this program.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }
}
