//! What an operator lets each plugin have besides tables and streams: which secrets, and which
//! hosts it may call. Asked of it at each call, so that a change holds from the next one on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use crate::addresses::AddressRange;
use crate::call_counts::CallCounts;
use crate::hosts::HostPattern;
use crate::http_url::HttpUrl;
use crate::limits::PARTIES_KEPT_MAX;
use crate::manifest::Manifest;
use crate::name::PluginName;
use crate::outbound::Outbound;
use crate::secret::{SecretName, SecretValue};

/// Values that a secret had before and that are still taken out of logs, since instances may hold
/// them. The oldest goes first.
const RETIRED_MAX: usize = 4;
/// The same of secrets that a plugin is not granted any more: those of a hundred, five each, and
/// some.
const TAKEN_MAX: usize = 512;

/// What the configuration grants to one plugin: see `[[plugin_grants]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantSettings {
    /// Secrets by name, each with the file of its value.
    pub secrets: BTreeMap<SecretName, PathBuf>,
    /// Hosts that it may call over HTTP.
    pub http: Vec<HostPattern>,
    /// Ranges of addresses that these calls may go to, besides the internet at large.
    pub addresses: Vec<AddressRange>,
}

/// All grants of a server, and who makes the calls. The default grants nothing.
#[derive(Default)]
pub struct GrantBook {
    granted: RwLock<BTreeMap<PluginName, Granted>>,
    /// Without it no calls are made.
    outbound: OnceLock<Arc<dyn Outbound>>,
    counts: Mutex<BTreeMap<PluginName, Arc<CallCounts>>>,
    /// Nothing here is an operator's: see [`GrantBook::of_an_author`].
    is_of_an_author: bool,
}

/// What one plugin has.
#[derive(Debug, Default)]
struct Granted {
    secrets: BTreeMap<SecretName, Held>,
    http: Vec<HostPattern>,
    addresses: Vec<AddressRange>,
    /// Values of secrets that it had and has no more. Its instances may hold them, so that they are
    /// taken out of its logs. The oldest goes first.
    taken: Vec<(SecretName, SecretValue)>,
}

/// A secret with its file.
#[derive(Debug)]
struct Held {
    file: PathBuf,
    /// The value in force, or why there has been none yet.
    value: Result<SecretValue, String>,
    /// Why the file gives no value now, if it does not: told once.
    fault: Option<String>,
    /// Values of before.
    retired: Vec<SecretValue>,
}

/// Who makes a call, and to which addresses besides the internet at large.
pub(crate) struct CallGrant {
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) ranges: Vec<AddressRange>,
}

/// What became of a plugin's question for a secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Value(SecretValue),
    /// It may not have it: what must be written where.
    Refused(String),
    /// It may, and the file gives none.
    Unread(String),
}

impl fmt::Debug for GrantBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrantBook").field(&self.granted).finish()
    }
}

impl GrantBook {
    /// Reads what the configuration grants. A file that gives no secret is logged, and keeps
    /// nobody but the plugin from working that asks for it. Blocks.
    pub fn open(settings: BTreeMap<PluginName, GrantSettings>) -> Self {
        let book = Self::default();
        book.change(settings);
        book
    }

    /// Calls over HTTP are made by this from now on, if nobody makes them yet.
    pub fn calls_by(
        &self,
        outbound: impl FnOnce() -> io::Result<Arc<dyn Outbound>>,
    ) -> io::Result<()> {
        if self.outbound.get().is_none() {
            // Who comes second finds one that is as good.
            let _ = self.outbound.set(outbound()?);
        }
        Ok(())
    }

    /// From the next call on this is granted and nothing else. A secret whose file gives no value
    /// keeps the one that it had. Blocks.
    pub fn change(&self, settings: BTreeMap<PluginName, GrantSettings>) {
        // Outside of the lock: a disk that hangs keeps no plugin from what it has.
        let read = settings.into_iter().map(|(plugin, settings)| {
            let secrets = settings.secrets.into_iter();
            let secrets = secrets.map(|(name, file)| (name, SecretValue::read(&file), file));
            let secrets: Vec<_> = secrets.collect();
            (plugin, secrets, settings.http, settings.addresses)
        });
        let read: Vec<_> = read.collect();
        let mut all = self.granted.write().unwrap_or_else(PoisonError::into_inner);
        for granted in all.values_mut() {
            (granted.http, granted.addresses) = (Vec::new(), Vec::new());
        }
        let mut before: BTreeMap<PluginName, BTreeMap<SecretName, Held>> = all
            .iter_mut()
            .map(|(plugin, granted)| (plugin.clone(), std::mem::take(&mut granted.secrets)))
            .collect();
        for (plugin, secrets, http, addresses) in read {
            let mut had = before.remove(&plugin).unwrap_or_default();
            let granted = all.entry(plugin.clone()).or_default();
            (granted.http, granted.addresses) = (http, addresses);
            for (name, value, file) in secrets {
                let held = match had.remove(&name) {
                    Some(mut held) => {
                        held.file = file;
                        held.renew(&plugin, &name, value);
                        held
                    }
                    None => Held::new(&plugin, &name, (file, value)),
                };
                granted.secrets.insert(name, held);
            }
            granted.take(had);
        }
        for (plugin, had) in before {
            if let Some(granted) = all.get_mut(&plugin) {
                granted.take(had);
            }
        }
    }

    /// Whether some plugin may call somebody.
    pub fn grants_calls(&self) -> bool {
        self.lock().values().any(|granted| !granted.http.is_empty())
    }

    /// For an author's trials, where no operator is: every secret that a manifest asks for has a
    /// value, which is made of its name, so that no fixture can hold a real one.
    pub(crate) fn of_an_author() -> Self {
        Self {
            is_of_an_author: true,
            ..Self::default()
        }
    }

    /// Looks at the files of all secrets again. One that was changed is in force from the next
    /// call on; one that gives no value any more leaves the one in force, and is logged. Blocks.
    pub fn look(&self) {
        let files: Vec<(PluginName, SecretName, PathBuf)> = self
            .lock()
            .iter()
            .flat_map(|(plugin, granted)| {
                let secrets = granted.secrets.iter();
                secrets.map(|(name, held)| (plugin.clone(), name.clone(), held.file.clone()))
            })
            .collect();
        // Outside of the lock: a disk that hangs keeps no plugin from what it has.
        for (plugin, name, file) in files {
            let read = SecretValue::read(&file);
            let mut all = self.granted.write().unwrap_or_else(PoisonError::into_inner);
            let granted = all.get_mut(&plugin);
            if let Some(held) = granted.and_then(|granted| granted.secrets.get_mut(&name)) {
                held.renew(&plugin, &name, read);
            }
        }
    }

    /// What a plugin with this manifest is told that asks for a secret.
    pub(crate) fn secret(&self, manifest: &Manifest, name: &str) -> Asked {
        let plugin = &manifest.name;
        let name = match SecretName::parse(name) {
            Ok(name) => name,
            Err(wrong) => return Asked::Refused(wrong.to_string()),
        };
        if !manifest.grants.secrets.contains(&name) {
            return Asked::Refused(format!(
                "the secret {name} is not asked for; the plugin's plugin.toml would say [grants] \
                 secrets = [\"{name}\"]"
            ));
        }
        if self.is_of_an_author {
            let made = SecretValue::of(format!("secret {name}").as_bytes());
            return made.map_or_else(Asked::Unread, Asked::Value);
        }
        let all = self.lock();
        let held = all.get(plugin).and_then(|it| it.secrets.get(&name));
        match held.map(|held| &held.value) {
            Some(Ok(secret)) => Asked::Value(secret.clone()),
            Some(Err(why)) => Asked::Unread(format!("the file of the secret {name}: {why}")),
            None => Asked::Refused(format!(
                "the secret {name} is not granted; the operator would write {}",
                lines(plugin, std::slice::from_ref(&name), &[])
            )),
        }
    }

    /// Who makes a call of a plugin with this manifest, and to which addresses.
    ///
    /// # Errors
    /// Why it may not be made: what must be written where.
    pub(crate) fn call(&self, manifest: &Manifest, url: &HttpUrl) -> Result<CallGrant, String> {
        let (plugin, is_it) = (&manifest.name, |it: &HostPattern| {
            it.matches(url.host(), url.port())
        });
        if !manifest.grants.http.iter().any(is_it) {
            return Err(format!(
                "calls to {url} are not asked for; the plugin's plugin.toml would say [grants] \
                 http = [\"{url}\"]"
            ));
        }
        if self.is_of_an_author {
            return Err("no calls are made where a plugin is tried".to_owned());
        }
        let all = self.lock();
        let granted = all.get(plugin).filter(|it| it.http.iter().any(is_it));
        let Some(granted) = granted else {
            return Err(format!(
                "calls to {url} are not granted; the operator would write [[plugin_grants]] name \
                 = \"{plugin}\" http = [\"{url}\"]"
            ));
        };
        let outbound = self.outbound.get().cloned();
        Ok(CallGrant {
            outbound: outbound.ok_or("no calls are made here")?,
            ranges: granted.addresses.clone(),
        })
    }

    /// What a plugin had others do.
    pub(crate) fn counts_of(&self, plugin: &PluginName) -> Arc<CallCounts> {
        // Each statement under the lock leaves the counts whole.
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() > PARTIES_KEPT_MAX {
            all.retain(|_, counts| Arc::strong_count(counts) > 1);
        }
        Arc::clone(all.entry(plugin.clone()).or_default())
    }

    /// Which of what a manifest asks for is not granted, as lines for the server's configuration;
    /// `None`: all is. Tables and streams are not looked at.
    pub fn lacking(&self, manifest: &Manifest) -> Option<String> {
        if self.is_of_an_author {
            return None;
        }
        let all = self.lock();
        let granted = all.get(&manifest.name);
        let has = |name: &SecretName| granted.is_some_and(|it| it.secrets.contains_key(name));
        let asked = manifest.grants.secrets.iter().cloned();
        let lacking: Vec<SecretName> = asked.filter(|name| !has(name)).collect();
        let calls = |host: &&HostPattern| {
            granted.is_some_and(|it| it.http.iter().any(|granted| granted.covers(host)))
        };
        let asked = manifest.grants.http.iter();
        let hosts: Vec<&HostPattern> = asked.filter(|host| !calls(host)).collect();
        let is_all = lacking.is_empty() && hosts.is_empty();
        (!is_all).then(|| lines(&manifest.name, &lacking, &hosts))
    }

    /// A text of a plugin with the values of its secrets replaced by their names.
    pub(crate) fn clean<'text>(&self, plugin: &PluginName, text: &'text str) -> Cow<'text, str> {
        let all = self.lock();
        let secrets = all.get(plugin).map(|granted| granted.secrets.iter());
        let mut found: Vec<(&str, &SecretName)> = Vec::new();
        for (name, held) in secrets.into_iter().flatten() {
            let values = held.value.iter().chain(&held.retired);
            let texts = values.flat_map(SecretValue::texts);
            found.extend(texts.filter(|it| text.contains(it)).map(|it| (it, name)));
        }
        let taken = all.get(plugin).map(|granted| granted.taken.iter());
        for (name, value) in taken.into_iter().flatten() {
            let texts = value.texts();
            found.extend(texts.filter(|it| text.contains(it)).map(|it| (it, name)));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        // A value may hold another one.
        found.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let mut clean = text.to_owned();
        for (value, name) in found {
            clean = clean.replace(value, &format!("[secret {name}]"));
        }
        Cow::Owned(clean)
    }

    /// Whether a text of a plugin may have the value of a secret in it.
    pub(crate) fn has_secrets(&self, plugin: &PluginName) -> bool {
        let all = self.lock();
        let granted = all.get(plugin);
        granted.is_some_and(|it| !it.secrets.is_empty() || !it.taken.is_empty())
    }

    fn lock(&self) -> RwLockReadGuard<'_, BTreeMap<PluginName, Granted>> {
        // Whatever is done under the lock leaves each secret whole.
        self.granted.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Granted {
    /// Secrets are not granted any more.
    fn take(&mut self, had: BTreeMap<SecretName, Held>) {
        for (name, held) in had {
            // What is in force goes last.
            let values = held.retired.into_iter().chain(held.value);
            let values = values.map(|value| (name.clone(), value));
            self.taken.extend(values);
        }
        let too_many = self.taken.len().saturating_sub(TAKEN_MAX);
        self.taken.drain(..too_many);
    }
}

impl Held {
    fn new(
        plugin: &PluginName,
        name: &SecretName,
        (file, value): (PathBuf, Result<SecretValue, String>),
    ) -> Self {
        let fault = value.as_ref().err().cloned();
        if let Some(why) = &fault {
            let file = file.display();
            tracing::error!(%plugin, secret = %name, %file, why, "read a secret of a plugin");
        }
        Self {
            file,
            value,
            fault,
            retired: Vec::new(),
        }
    }

    fn renew(&mut self, plugin: &PluginName, name: &SecretName, read: Result<SecretValue, String>) {
        let file = self.file.display();
        match read {
            Ok(new) if self.value.as_ref() == Ok(&new) => self.fault = None,
            Ok(new) => {
                let before = std::mem::replace(&mut self.value, Ok(new));
                self.retired.extend(before);
                if self.retired.len() > RETIRED_MAX {
                    self.retired.remove(0);
                }
                self.fault = None;
                tracing::info!(%plugin, secret = %name, %file, "a secret was read anew");
            }
            Err(why) if self.fault.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::warn!(
                    %plugin, secret = %name, %file, why,
                    "read a secret of a plugin; the value in force stays"
                );
                self.fault = Some(why);
            }
        }
    }
}

/// What an operator would write.
fn lines(plugin: &PluginName, secrets: &[SecretName], hosts: &[&HostPattern]) -> String {
    let mut lines = format!("[[plugin_grants]] name = \"{plugin}\"");
    if !secrets.is_empty() {
        let secrets = secrets.iter().map(|name| format!("{name} = \"FILE\""));
        let secrets: Vec<String> = secrets.collect();
        lines.push_str(&format!(" secrets = {{ {} }}", secrets.join(", ")));
    }
    if !hosts.is_empty() {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
        lines.push_str(&format!(" http = [{}]", hosts.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::limits::Limits;

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    fn plugin() -> PluginName {
        PluginName::parse("enrich").unwrap()
    }

    fn manifest(grants: &str) -> Manifest {
        let text = format!("name = 'enrich'\nversion = '1'\n{grants}");
        Manifest::parse(&text, &plugin(), Limits::default()).unwrap()
    }

    fn write(path: &Path, value: &str) {
        fs::write(path, value).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn book(secrets: &[(&str, &Path)]) -> GrantBook {
        let secrets = secrets.iter();
        let secrets = secrets.map(|(it, file)| (name(it), (*file).to_owned()));
        let settings = GrantSettings {
            secrets: secrets.collect(),
            ..GrantSettings::default()
        };
        GrantBook::open(BTreeMap::from([(plugin(), settings)]))
    }

    fn value(asked: &Asked) -> &str {
        match asked {
            Asked::Value(secret) => std::str::from_utf8(secret.bytes()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_is_had_by_a_plugin_that_asks_for_it_and_is_granted_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        write(&file, "hush-hush\n");
        let book = book(&[("key", &file), ("other", &file)]);
        let asking = manifest("[grants]\nsecrets = ['key', 'third']\n");
        assert_eq!(value(&book.secret(&asking, "key")), "hush-hush");
        for (asked, why) in [
            ("other", "would say [grants] secrets = [\"other\"]"),
            (
                "third",
                "[[plugin_grants]] name = \"enrich\" secrets = { third = \"FILE\" }",
            ),
            ("../x", "a secret's name is"),
        ] {
            match book.secret(&asking, asked) {
                Asked::Refused(told) => assert!(told.contains(why), "{told}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            book.lacking(&asking).unwrap(),
            "[[plugin_grants]] name = \"enrich\" secrets = { third = \"FILE\" }"
        );
        assert_eq!(
            book.lacking(&manifest("[grants]\nsecrets = ['key']\n")),
            None
        );
        let nobody = GrantBook::default();
        assert!(matches!(nobody.secret(&asking, "key"), Asked::Refused(_)));
    }

    #[test]
    fn what_is_granted_anew_holds_at_once_and_what_is_taken_is_still_no_word_for_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["one", "two"].map(|it| directory.path().join(it));
        write(&files[0], "hush-hush");
        write(&files[1], "sealed-lips");
        let book = book(&[("key", &files[0])]);
        let asking = manifest("[grants]\nsecrets = ['key', 'third']\nhttp = ['a.example:443']\n");
        let grant = |secrets: &[(&str, &Path)], http: &[&str]| {
            let secrets = secrets
                .iter()
                .map(|(it, file)| (name(it), (*file).to_owned()));
            let hosts = http.iter().map(|host| HostPattern::parse(host).unwrap());
            let settings = GrantSettings {
                secrets: secrets.collect(),
                http: hosts.collect(),
                addresses: Vec::new(),
            };
            book.change(BTreeMap::from([(plugin(), settings)]));
        };
        assert!(matches!(book.secret(&asking, "third"), Asked::Refused(_)));
        let hosts = ["a.example:443"];
        grant(&[("key", &files[0]), ("third", &files[1])], &hosts);
        assert_eq!(value(&book.secret(&asking, "third")), "sealed-lips");
        assert_eq!(book.lacking(&asking), None);
        assert!(book.grants_calls());
        // The file of one that is granted on gives nothing now.
        fs::remove_file(&files[0]).unwrap();
        grant(&[("key", &files[0])], &[]);
        assert_eq!(value(&book.secret(&asking, "key")), "hush-hush");
        assert!(matches!(book.secret(&asking, "third"), Asked::Refused(_)));
        assert!(!book.grants_calls());
        let clean = book.clean(&plugin(), "hush-hush, sealed-lips");
        assert_eq!(clean, "[secret key], [secret third]");
        book.change(BTreeMap::new());
        assert!(matches!(book.secret(&asking, "key"), Asked::Refused(_)));
        assert!(book.has_secrets(&plugin()));
        let clean = book.clean(&plugin(), "hush-hush, sealed-lips");
        assert_eq!(clean, "[secret key], [secret third]");
    }

    #[test]
    fn a_file_that_changes_is_read_anew_and_one_that_breaks_leaves_what_is_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let book = book(&[("key", &file)]);
        let asking = manifest("[grants]\nsecrets = ['key']\n");
        assert!(matches!(book.secret(&asking, "key"), Asked::Unread(_)));
        for (content, wanted) in [
            ("first-one", "first-one"),
            ("second-one", "second-one"),
            ("short", "second-one"),
            ("third-one", "third-one"),
        ] {
            write(&file, content);
            book.look();
            assert_eq!(value(&book.secret(&asking, "key")), wanted);
        }
        let told = book.clean(&plugin(), "first-one, second-one, third-one, short");
        assert_eq!(told, "[secret key], [secret key], [secret key], short");
    }

    #[test]
    fn a_text_has_no_value_in_it_whole_or_line_by_line_and_others_texts_are_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let [short, long, lines] = ["short", "long", "lines"].map(|it| directory.path().join(it));
        write(&short, "hush-hush");
        write(&long, "hush-hush-hush");
        write(&lines, "-----BEGIN\nMIIEvgIBADAN\nx\n-----END----\n");
        let book = book(&[("short", &short), ("long", &long), ("lines", &lines)]);
        for (text, clean) in [
            (
                "say hush-hush twice: hush-hush",
                "say [secret short] twice: [secret short]",
            ),
            ("say hush-hush-hush", "say [secret long]"),
            ("a line MIIEvgIBADAN of it", "a line [secret lines] of it"),
            (
                "-----BEGIN\nMIIEvgIBADAN\nx\n-----END----",
                "[secret lines]",
            ),
            ("x hush", "x hush"),
        ] {
            assert_eq!(book.clean(&plugin(), text), clean);
        }
        let other = PluginName::parse("other").unwrap();
        assert_eq!(book.clean(&other, "hush-hush"), "hush-hush");
    }

    #[test]
    fn an_author_has_a_value_for_each_secret_that_is_no_real_one() {
        let book = GrantBook::of_an_author();
        let asking = manifest("[grants]\nsecrets = ['key']\n");
        assert_eq!(value(&book.secret(&asking, "key")), "secret key");
        assert!(matches!(book.secret(&asking, "other"), Asked::Refused(_)));
        assert_eq!(book.lacking(&asking), None);
    }
}
