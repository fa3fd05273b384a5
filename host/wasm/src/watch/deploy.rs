//! Versions that are handed in: loaded first, their files come last.

use super::{Handled, Watch};
use crate::control::Seen;
use crate::deploying::{Deployed, Standing};
use crate::directory;
use crate::hash::ContentHash;
use crate::kept::Source;
use crate::life::Course;
use crate::name::PluginName;
use crate::placing;
use crate::refusal::Refusal;
use crate::version::Version;

impl Watch {
    /// Puts a version in force that was handed in, and its files into the directory: the files come
    /// last, so that none lies there that was not taken.
    ///
    /// # Errors
    /// Why it is not in force. The one before is, and its files lie where they were; or the error
    /// says that what was handed in may still come into force.
    pub(crate) fn deploy(
        &mut self,
        name: &PluginName,
        source: &Source,
    ) -> Result<Deployed, Refusal> {
        let hash = source.hash();
        placing::check(&self.directory, name, source)?;
        let control = &self.control;
        let before = self.lies(name);
        let was_in_force = control.registry.hash(name) == Some(hash);
        if was_in_force
            && before
                .as_ref()
                .is_ok_and(|it| is_whole_of(it.as_ref(), source))
        {
            return Ok(Deployed {
                hash,
                was_in_force,
                standing: Standing::InForce,
            });
        }
        let since = control.loader.lives.course(name);
        let version = control.loader.load(name, source, control.registry.now())?;
        control.shadow(&version)?;
        let taken = placing::put(&self.directory, name, source)
            .and_then(|()| self.take_deployed(name, version, since));
        if let Err(refusal) = taken {
            return Err(self.withdraw(name, before, refusal));
        }
        let control = &self.control;
        let standing = control.standing(name, hash);
        if control.registry.hash(name).is_none() {
            // A share goes by what was handed in, and the others by what was in force last.
            self.fall_back(name, Some(hash));
        }
        // What was just written is handled, unless somebody wrote to it since.
        if let Ok(Some(found)) = directory::look_at(&self.directory, name)
            && self.lies_there(name, hash)
        {
            self.settling.remove(name);
            self.handled
                .insert(name.clone(), Handled { found, again: None });
        }
        Ok(Deployed {
            hash,
            was_in_force,
            standing,
        })
    }

    fn take_deployed(
        &self,
        name: &PluginName,
        version: Version,
        since: Course,
    ) -> Result<(), Refusal> {
        let (control, hash) = (&self.control, version.hash());
        control.deploys(name, hash);
        match control.sees(name, hash)? {
            Seen::LeftAlone => Ok(()),
            Seen::Taken(how) => control.put_in_force(version, how, since),
        }
    }

    /// Takes files back that were put there in vain: whoever handed them in hears that it failed,
    /// and so nothing of them may come into force later. What is said to them.
    fn withdraw(
        &mut self,
        name: &PluginName,
        before: Result<Option<Source>, Refusal>,
        refusal: Refusal,
    ) -> Refusal {
        self.control.deploys_no_more(name);
        // What lies there then is looked at anew.
        self.handled.remove(name);
        let withdrawn =
            before.and_then(|before| placing::withdraw(&self.directory, name, before.as_ref()));
        match withdrawn {
            Ok(()) => refusal,
            Err(error) => Refusal::ForNow(format!(
                "{refusal}; its files lie in the plugins directory ({error}) and are tried again"
            )),
        }
    }

    /// What lies in the directory, read whole.
    fn lies(&self, name: &PluginName) -> Result<Option<Source>, Refusal> {
        let found = directory::look_at(&self.directory, name).map_err(Refusal::ForNow)?;
        let bytes_max = self.control.loader.limits.component_bytes_max;
        found.map(|it| it.read(name, bytes_max)).transpose()
    }

    /// Whether the files of this version lie in the directory.
    fn lies_there(&self, name: &PluginName, hash: ContentHash) -> bool {
        let lies = self.lies(name).ok().flatten();
        lies.is_some_and(|source| source.hash() == hash)
    }
}

/// Whether what lies there is what was handed in, with its signature if it has one.
fn is_whole_of(lies: Option<&Source>, source: &Source) -> bool {
    let is_signed_so = |lies: &Source| match &source.signature {
        Some(signature) => lies.signature.as_ref() == Some(signature),
        None => true,
    };
    lies.is_some_and(|lies| lies.hash() == source.hash() && is_signed_so(lies))
}
