//! Plugins on their author's machine: a component is examined, and records go through it, on the
//! engine and within the limits of production, without a server and without a plugins directory.
//! Nothing is kept but compiled code.

mod recorder;
mod trial;

use std::path::Path;
use std::sync::Arc;

use types::Timestamp;

use crate::admission;
use crate::census::Census;
use crate::directory;
use crate::hash::ContentHash;
use crate::kept::Source;
use crate::limits::{Limits, MANIFEST_BYTES_MAX};
use crate::loader::Loader;
use crate::name::PluginName;
use crate::options::{OpenError, Options};
use crate::runtime::Purpose;
use crate::version::Version;

pub use recorder::Effect;
pub use trial::{Came, Cost, Trial, Tried};

const MANIFEST: &str = "plugin.toml";

/// A plugin's files, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(Source);

impl Files {
    /// Reads a component, and its manifest if it has one, as the plugins directory is read.
    ///
    /// # Errors
    /// When one cannot be read, or is larger than it may be: what a server would say of it.
    pub fn read(
        component: &Path,
        manifest: Option<&Path>,
        limits: &Limits,
    ) -> Result<Self, String> {
        let read = directory::read_source(component, manifest, limits.component_bytes_max);
        read.map(Self).map_err(|refusal| refusal.to_string())
    }

    /// The files as they are handed from one program to another: the manifest's text, which may be
    /// missing, and the component right behind it. A component begins with a zero byte, and no text
    /// has one.
    ///
    /// # Errors
    /// When there is no component, or what stands before it is no manifest of a possible size.
    pub fn split(whole: &[u8]) -> Result<Self, String> {
        let at = whole.iter().position(|byte| *byte == 0);
        let at = at.ok_or("there is no component in it: one begins with a zero byte")?;
        let (manifest, component) = whole.split_at(at);
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(format!(
                "{MANIFEST} has more than {MANIFEST_BYTES_MAX} bytes"
            ));
        }
        let manifest = str::from_utf8(manifest).map_err(|_| format!("{MANIFEST} is not text"))?;
        let manifest = (!manifest.trim().is_empty()).then(|| manifest.to_owned());
        Ok(Self(Source {
            manifest,
            component: component.to_vec(),
            signature: None,
        }))
    }

    /// The same in one piece.
    pub fn whole(&self) -> Vec<u8> {
        [
            self.manifest().unwrap_or_default().as_bytes(),
            self.component(),
        ]
        .concat()
    }

    pub(crate) fn of(source: Source) -> Self {
        Self(source)
    }

    pub(crate) fn into_source(self) -> Source {
        self.0
    }

    /// The manifest's text.
    pub fn manifest(&self) -> Option<&str> {
        self.0.manifest.as_deref()
    }

    /// The component.
    pub fn component(&self) -> &[u8] {
        &self.0.component
    }

    /// What tells them apart from other versions, on a server as well.
    pub fn hash(&self) -> ContentHash {
        self.0.hash()
    }
}

/// An engine for an author.
pub struct Workbench {
    loader: Loader,
}

impl Workbench {
    /// An engine that makes the code of production.
    ///
    /// # Errors
    /// When compiled code cannot be kept, or the machine does not give what plugins need.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_for(Purpose::Production, options)
    }

    /// An engine that counts what a guest executes. The code is another than that of production:
    /// what comes out is the same, how long it takes is not.
    ///
    /// # Errors
    /// Those of [`Workbench::open`].
    pub fn open_metered(options: &Options) -> Result<Self, OpenError> {
        Self::open_for(Purpose::Metered, options)
    }

    fn open_for(purpose: Purpose, options: &Options) -> Result<Self, OpenError> {
        let loader = Loader::open_for(purpose, options)?;
        loader.prune_code();
        Ok(Self { loader })
    }

    /// What is in a component, as admission counts it, whether or not it would be admitted.
    pub fn census(files: &Files) -> Census {
        admission::look(files.component()).0
    }

    /// Does with files what a server does before it puts them in force: reads the manifest, admits
    /// and compiles the component, links it, makes an instance and asks it what it is. Blocks.
    ///
    /// # Errors
    /// What a server would say of them.
    pub fn load(
        &self,
        name: &PluginName,
        files: &Files,
        now: Timestamp,
    ) -> Result<Arc<Version>, String> {
        let version = self.loader.bring_to_life(name, &files.0, now);
        version.map(Arc::new).map_err(|refusal| refusal.to_string())
    }

    /// What plugins may use here.
    pub fn limits(&self) -> &Limits {
        &self.loader.limits
    }
}
