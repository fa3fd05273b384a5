//! From files to a version that can be put in force: admitted, compiled, linked, kept, and tried
//! once.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use types::Timestamp;

use crate::admission;
use crate::code_cache::CodeCache;
use crate::compiler::Compiler;
use crate::fault::Fault;
use crate::grant_book::GrantBook;
use crate::hash::ContentHash;
use crate::kept::{Kept, Source};
use crate::limits::Limits;
use crate::lives::Lives;
use crate::manifest::Manifest;
use crate::moment::Moment;
use crate::name::PluginName;
use crate::options::{OpenError, Options};
use crate::refusal::Refusal;
use crate::rollout::RolloutRules;
use crate::running::Running;
use crate::runtime::{Purpose, Runtime};
use crate::signature::{SignatureMode, SignatureRules, Signed};
use crate::version::{Facts, Version};
use crate::world::World;

/// What loading needs.
pub(crate) struct Loader {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) kept: Kept,
    pub(crate) lives: Lives,
    pub(crate) code: CodeCache,
    pub(crate) compiler: Compiler,
    pub(crate) limits: Limits,
    pub(crate) rollout: RolloutRules,
    pub(crate) signatures: SignatureRules,
}

impl Loader {
    /// With what is kept where the options say.
    ///
    /// # Errors
    /// When that cannot be written, or the machine does not give what plugins need.
    pub(crate) fn open(options: &Options) -> Result<Self, OpenError> {
        Self::open_for(Purpose::Production, options, Arc::clone(&options.grants))
    }

    /// The same with engines of this purpose, where plugins are granted this.
    ///
    /// # Errors
    /// Those of [`Loader::open`].
    pub(crate) fn open_for(
        purpose: Purpose,
        options: &Options,
        grants: Arc<GrantBook>,
    ) -> Result<Self, OpenError> {
        let failed = |what: &str, why: &dyn fmt::Display| OpenError(format!("{what}: {why}"));
        let runtime = Runtime::new(purpose, grants);
        let runtime = runtime.map_err(|e| failed("start the runtime of plugins", &e))?;
        let kept = Kept::open(&options.keep.join("versions"));
        let lives = Lives::open(&options.keep.join("lives"), &options.keep.join("in-force"));
        let compiled = options.keep.join("compiled");
        let code = CodeCache::open(&compiled, options.cache_key, &runtime.engine);
        let compiler = Compiler::new(options.compiler.clone(), purpose, options.limits);
        Ok(Self {
            runtime: Arc::new(runtime),
            kept: kept.map_err(|e| failed("keep versions of plugins", &e))?,
            lives: lives.map_err(|e| failed("keep which versions are in force", &e))?,
            code: code.map_err(|e| failed("keep compiled plugins", &e))?,
            compiler: compiler.map_err(|e| failed("prepare to compile plugins", &e))?,
            limits: options.limits,
            rollout: options.rollout,
            signatures: options.signatures.clone(),
        })
    }

    /// Makes a version of what was found, if it comes to life. It is kept durably before this
    /// answers, so that a delivery may rely on it.
    ///
    /// # Errors
    /// A sentence that says at which step, and why; and whether that is for good.
    pub(crate) fn load(
        &self,
        name: &PluginName,
        source: &Source,
        now: Timestamp,
    ) -> Result<Version, Refusal> {
        let version = self.bring_to_life(name, source, now)?;
        if let Some(lines) = version.lacks() {
            tracing::warn!(
                plugin = %name, lines,
                "its manifest asks for more than is granted to it; the operator would write lines"
            );
        }
        let failed = |error| Refusal::ForNow(format!("keep it: {error}"));
        // Last: a version with a component is whole.
        self.keep_signature(name, source).map_err(failed)?;
        self.kept.save(source).map_err(failed)?;
        Ok(version)
    }

    /// Keeps the signature of a version. One of a trusted key makes room only for another such.
    /// Whether another is kept than before.
    fn keep_signature(&self, name: &PluginName, source: &Source) -> io::Result<bool> {
        let Some(signature) = &source.signature else {
            return Ok(false);
        };
        let (hash, rules) = (source.hash(), &self.signatures);
        let kept = self.kept.signature(name, hash).ok().flatten();
        let is_good = |signature: &[u8]| rules.trusts(name, hash, signature);
        if kept.as_ref() == Some(signature)
            || kept.is_some_and(|kept| is_good(&kept)) && !is_good(signature)
        {
            return Ok(false);
        }
        self.kept.sign(name, hash, signature).map(|()| true)
    }

    /// Keeps the signature of a version that is kept: it may have come later than the version.
    /// Failing that, it is asked for again when it is needed. Whether another is kept than before.
    pub(crate) fn note_signature(&self, name: &PluginName, source: &Source) -> bool {
        if !self.kept.has(source.hash()) {
            return false;
        }
        match self.keep_signature(name, source) {
            Ok(is_another) => is_another,
            Err(error) => {
                tracing::warn!(plugin = %name, %error, "keep the signature of a version");
                false
            }
        }
    }

    /// The same without keeping it: nothing may rely on what this makes.
    ///
    /// # Errors
    /// Those of [`Loader::load`].
    pub(crate) fn bring_to_life(
        &self,
        name: &PluginName,
        source: &Source,
        now: Timestamp,
    ) -> Result<Version, Refusal> {
        let manifest = match &source.manifest {
            Some(text) => Manifest::parse(text, name, self.limits).map_err(|e| e.to_string())?,
            None => Manifest::bare(name.clone(), self.limits),
        };
        let signature = source.signature.as_deref();
        let signed = self.signatures.check(name, source.hash(), signature)?;
        let version = self.link(manifest, (source, signed), now)?;
        version.manifest().check_role(version.role())?;
        let (version, described) = try_once(version, now)?;
        Ok(version.with_description(described?))
    }

    /// Makes the version of a plugin again that was in force last, as [`Loader::load`] made it;
    /// `None` if there was none.
    ///
    /// # Errors
    /// Why it cannot be in force again.
    pub(crate) fn load_last(
        &self,
        name: &PluginName,
        now: Timestamp,
    ) -> Option<Result<Version, Refusal>> {
        let hash = self.lives.hash_in_force(name)?;
        Some(self.load_again(name, hash, now))
    }

    /// Makes a version again that was kept, as [`Loader::load`] made it.
    ///
    /// # Errors
    /// Why it cannot be in force again.
    pub(crate) fn load_again(
        &self,
        name: &PluginName,
        hash: ContentHash,
        now: Timestamp,
    ) -> Result<Version, Refusal> {
        let source = self.kept.load(name, hash).map_err(Refusal::ForNow)?;
        self.load(name, &source, now)
    }

    /// Makes a version again that was kept. What it does now is the delivery's that it was begun
    /// with to deal with: one that does not come to life any more is a version all the same, and so
    /// is one without a signature. Nothing may be begun with it but by [`Loader::check_signature`].
    ///
    /// # Errors
    /// When it was not kept, or not as it was.
    pub(crate) fn load_kept(
        &self,
        name: &PluginName,
        hash: ContentHash,
        now: Timestamp,
    ) -> Result<Version, String> {
        let source = self.kept.load(name, hash)?;
        let manifest = match &source.manifest {
            Some(text) => {
                Manifest::parse_kept(text, name, self.limits).map_err(|e| e.to_string())?
            }
            None => Manifest::bare(name.clone(), self.limits),
        };
        let signed = self
            .signatures
            .look(name, hash, source.signature.as_deref());
        let linked = self.link(manifest, (&source, signed), now);
        let linked = linked.map_err(|refusal| refusal.to_string())?;
        let (version, described) = try_once(linked, now)?;
        // What cannot say what it is called is called by its manifest alone, if it has one.
        Ok(version.with_description(described.unwrap_or_default()))
    }

    /// Lets something be begun with a version that was kept, before any of it runs.
    ///
    /// # Errors
    /// Which key or file is missing.
    pub(crate) fn check_signature(
        &self,
        name: &PluginName,
        hash: ContentHash,
    ) -> Result<(), Refusal> {
        if self.signatures.mode != SignatureMode::Require {
            return Ok(());
        }
        let signature = self.kept.signature(name, hash).map_err(Refusal::ForNow)?;
        let signature = signature.as_deref();
        self.signatures.check(name, hash, signature).map(|_| ())
    }

    /// Brings files to life that are only tried. Their code is not kept for it.
    ///
    /// # Errors
    /// As [`Self::bring_to_life`].
    pub(crate) fn try_out(
        &self,
        name: &PluginName,
        source: &Source,
        now: Timestamp,
    ) -> Result<Version, Refusal> {
        let component = ContentHash::of_component(&source.component);
        let _tried = self.code.tries(component);
        self.bring_to_life(name, source, now)
    }

    /// Deletes compiled code that was not used for long: that of a person who tries many
    /// components.
    pub(crate) fn prune_code(&self) {
        if let Err(error) = self.code.prune(&HashSet::new()) {
            tracing::warn!(%error, "delete old compiled code");
        }
    }

    fn link(
        &self,
        manifest: Manifest,
        (source, signed): (&Source, Signed),
        now: Timestamp,
    ) -> Result<Version, Refusal> {
        admission::admit(&source.component)?;
        let started = Instant::now();
        let engine = &self.runtime.engine;
        let code = self
            .code
            .component(engine, &self.compiler, &source.component);
        let (component, from_cache) = code.map_err(|refusal| refusal.at("compile"))?;
        let facts = Facts {
            hash: source.hash(),
            component_hash: ContentHash::of_component(&source.component),
            component_bytes: source.component.len(),
            loaded_at: now,
            compile_time: started.elapsed(),
            from_cache,
            described: None,
            signed,
        };
        let world = World::link(&self.runtime, &component)?;
        let runtime = Arc::clone(&self.runtime);
        Ok(Version::new(manifest, world, runtime, facts))
    }
}

/// What a plugin says that it is called, and its version; or why it does not.
type Described = Result<Option<(String, String)>, Refusal>;

/// Makes an instance and asks it what it is.
fn try_once(version: Version, now: Timestamp) -> Result<(Version, Described), String> {
    let version = Arc::new(version);
    let described = describe(&version, now);
    match Arc::try_unwrap(version) {
        Ok(version) => Ok((version, described)),
        // The instance held the only other handle.
        Err(version) => Err(format!("{version:?} is still held")),
    }
}

fn describe(version: &Arc<Version>, now: Timestamp) -> Described {
    let with = (Moment { now, seed: 0 }, version.call_limits());
    let started = Running::start(version, with, None);
    let mut running = started.map_err(|fault| refusal(&fault))?;
    let described = running.describe();
    described
        .map(Some)
        .map_err(|fault| refusal(&fault).at("describe"))
}

fn refusal(fault: &Fault) -> Refusal {
    match fault {
        // On a busy machine an innocent one may miss a deadline.
        Fault::Deadline(_) | Fault::Unavailable(_) | Fault::NoInstance(_) | Fault::Stopped => {
            Refusal::ForNow(fault.to_string())
        }
        Fault::Panicked(_)
        | Fault::Trap(_)
        | Fault::NotReady(_)
        | Fault::Answer(_)
        | Fault::Doubled(_)
        | Fault::Retryable(_)
        | Fault::Permanent(_) => Refusal::ForGood(fault.to_string()),
    }
}
