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
use crate::files;
use crate::grant_book::GrantBook;
use crate::hash::ContentHash;
use crate::kept::Source;
use crate::limits::{Limits, MANIFEST_BYTES_MAX};
use crate::loader::Loader;
use crate::name::PluginName;
use crate::options::{OpenError, Options};
use crate::runtime::Purpose;
use crate::signature::{self, SIGNATURE_FILE_BYTES_MAX};
use crate::version::Version;

pub use recorder::Effect;
pub use trial::{Came, Cost, Trial, Tried};

const MANIFEST: &str = "plugin.toml";
/// What a line with a signature begins with. No manifest does: it would be no TOML.
const SIGNATURE_WORD: &str = "millrace-signature ";
/// Bytes of the rest of that line: those of a file with a signature, which is base64 of 64 bytes.
const SIGNATURE_LINE_BYTES_MAX: usize = 256;
/// Bytes that stand before the component at most.
pub const DEPLOYED_TEXT_BYTES_MAX: usize =
    SIGNATURE_WORD.len() + SIGNATURE_LINE_BYTES_MAX + 1 + MANIFEST_BYTES_MAX;

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

    /// The files as they are handed from one program to another: a line with the signature, the
    /// manifest's text, both of which may be missing, and the component right behind. A component
    /// begins with a zero byte, and no text has one.
    ///
    /// ```text
    /// millrace-signature <base64>
    /// <plugin.toml>
    /// <component>
    /// ```
    ///
    /// # Errors
    /// When there is no component, or what stands before it is no manifest of a possible size.
    pub fn split(whole: &[u8]) -> Result<Self, String> {
        let at = whole.iter().position(|byte| *byte == 0);
        let at = at.ok_or("there is no component in it: one begins with a zero byte")?;
        let (text, component) = whole.split_at(at);
        let (signature, manifest) = match text.strip_prefix(SIGNATURE_WORD.as_bytes()) {
            None => (None, text),
            Some(rest) => {
                let end = rest.iter().position(|byte| *byte == b'\n');
                let end = end.filter(|end| *end <= SIGNATURE_LINE_BYTES_MAX);
                let (line, manifest) = end
                    .and_then(|end| rest.split_at_checked(end))
                    .ok_or_else(|| format!("{SIGNATURE_WORD}is followed by no line of base64"))?;
                (Some(line.trim_ascii().to_vec()), &manifest[1..])
            }
        };
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
            signature,
        }))
    }

    /// The same in one piece.
    pub fn whole(&self) -> Vec<u8> {
        let line = self.0.signature.as_deref().map(signature::to_base64);
        let line = line.map(|base64| format!("{SIGNATURE_WORD}{base64}\n"));
        [
            line.unwrap_or_default().as_bytes(),
            self.manifest().unwrap_or_default().as_bytes(),
            self.component(),
        ]
        .concat()
    }

    /// The same files with the signature that a file holds.
    ///
    /// # Errors
    /// When it cannot be read, or is too large for one.
    pub fn signed_by(mut self, file: &Path) -> Result<Self, String> {
        let read = files::read_operators(file, SIGNATURE_FILE_BYTES_MAX, "");
        self.0.signature = Some(read.map_err(|refusal| refusal.to_string())?);
        Ok(self)
    }

    /// The same files without a signature.
    pub fn unsigned(mut self) -> Self {
        self.0.signature = None;
        self
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

    /// Whether there is a signature with them, whosever it is.
    pub fn has_signature(&self) -> bool {
        self.0.signature.is_some()
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
        let loader = Loader::open_for(purpose, options, Arc::new(GrantBook::of_an_author()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_after_they_were_handed_over_whole() {
        let signed = signature::to_base64(&[7; 64]).into_bytes();
        for (manifest, signature) in [
            (None, None),
            (Some("name = 'a'\n"), None),
            (None, Some(&signed)),
            (Some("name = 'a'\n"), Some(&signed)),
        ] {
            let files = Files(Source {
                manifest: manifest.map(str::to_owned),
                component: b"\0asm".to_vec(),
                signature: signature.cloned(),
            });
            assert_eq!(Files::split(&files.whole()), Ok(files));
        }
    }

    #[test]
    fn a_raw_signature_is_handed_over_in_base64() {
        let raw: Vec<u8> = (0..64).collect();
        let files = Files(Source {
            component: b"\0asm".to_vec(),
            signature: Some(raw.clone()),
            ..Source::default()
        });
        let Files(split) = Files::split(&files.whole()).unwrap();
        assert_eq!(split.component, b"\0asm");
        assert_eq!(
            split.signature.unwrap(),
            signature::to_base64(&raw).as_bytes()
        );
    }

    #[test]
    fn what_is_no_line_with_a_signature_is_refused() {
        for text in ["", &"x".repeat(SIGNATURE_LINE_BYTES_MAX + 1)] {
            let end = if text.is_empty() { "" } else { "\n" };
            let body = format!("{SIGNATURE_WORD}{text}{end}\0asm");
            let why = Files::split(body.as_bytes()).unwrap_err();
            assert!(why.contains("no line of base64"), "{why}");
        }
    }
}
