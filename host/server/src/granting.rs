//! What plugins are granted: tables and streams, secrets, and calls over HTTP; and which secrets
//! destinations may name. The configuration file and the files of plugins' secrets are looked at as
//! long as the server lives, so that an operator who grants something stops nobody.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use consumers::{Consumers, Grants};
use delivery::{SecretSetting, Secrets};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};
use wasm::{GrantBook, GrantSettings, PluginName};

use crate::config::Config;
use crate::egress::Egress;

/// Reads the files of plugins' secrets, and prepares to make their calls.
///
/// # Errors
/// When the certificates that the machine trusts cannot be read, and a plugin may call somebody.
pub(crate) async fn open_grants(config: &Config) -> io::Result<Arc<GrantBook>> {
    let (settings, runtime) = (config.plugin_access.clone(), Handle::current());
    let opened = spawn_blocking(move || {
        let grants = GrantBook::open(settings);
        if grants.grants_calls() {
            grants.calls_by(|| Ok(Arc::new(Egress::open(runtime)?)))?;
        }
        Ok(Arc::new(grants))
    });
    opened.await.map_err(io::Error::other)?
}

/// How long a file must say the same before that holds, if it is looked at less often: who writes
/// one cuts it short first, and half of a file may be one.
const SAYS_THE_SAME_FOR: Duration = Duration::from_secs(2);

/// What is granted, and to whom it is told.
pub(crate) struct Granting {
    book: Arc<GrantBook>,
    consumers: Arc<Consumers>,
    secrets: Arc<Secrets>,
    runtime: Handle,
    /// The configuration file; `None`: there is none.
    file: Option<PathBuf>,
    /// What it says of them.
    said: Said,
    /// What else it said when it was looked at last.
    seen: Option<Said>,
    /// What was wrong with it when it was looked at last.
    fault: Option<String>,
}

/// What the configuration grants.
#[derive(PartialEq, Eq)]
struct Said {
    secrets: Vec<SecretSetting>,
    grants: BTreeMap<PluginName, Grants>,
    access: BTreeMap<PluginName, GrantSettings>,
}

impl Said {
    fn by(config: &Config) -> Self {
        Self {
            secrets: config.secrets.clone(),
            grants: config.plugin_grants.clone(),
            access: config.plugin_access.clone(),
        }
    }
}

impl Granting {
    /// What `config` says is granted to these.
    pub(crate) fn new(
        book: Arc<GrantBook>,
        consumers: Arc<Consumers>,
        secrets: Arc<Secrets>,
        config: &Config,
    ) -> Self {
        Self {
            book,
            consumers,
            secrets,
            runtime: Handle::current(),
            file: config.file.clone(),
            said: Said::by(config),
            seen: None,
            fault: None,
        }
    }

    /// Looks at the files again and again, for ever.
    pub(crate) async fn keep(mut self, period: Duration) {
        // An interval of zero panics.
        let mut looks = interval(period.max(Duration::from_millis(1)));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            loop {
                let looked = spawn_blocking(move || {
                    self.look();
                    self
                });
                match looked.await {
                    Ok(looked) => self = looked,
                    Err(error) => {
                        tracing::error!(%error, "look at what is granted to plugins: it stays so");
                        return;
                    }
                }
                if self.seen.is_none() {
                    break;
                }
                sleep(SAYS_THE_SAME_FOR.min(period)).await;
            }
        }
    }

    /// Blocks.
    fn look(&mut self) {
        if let Some(file) = &self.file {
            let loaded = Config::load(file).map_err(|error| error.to_string());
            let changed = loaded.and_then(|config| self.hears(Said::by(&config)));
            let fault = changed.err();
            if let Some(why) = fault
                .as_ref()
                .filter(|why| self.fault.as_ref() != Some(why))
            {
                tracing::warn!(
                    why,
                    "read what is granted to plugins; what was granted stays so"
                );
            }
            self.fault = fault;
        }
        self.book.look();
    }

    /// The file says this: that holds once it says so twice.
    fn hears(&mut self, said: Said) -> Result<(), String> {
        let before = self.seen.take();
        if said == self.said {
            return Ok(());
        }
        if before.as_ref() != Some(&said) {
            self.seen = Some(said);
            return Ok(());
        }
        self.grants_as(said)
    }

    fn grants_as(&mut self, said: Said) -> Result<(), String> {
        if said.access.values().any(|access| !access.http.is_empty()) {
            let runtime = self.runtime.clone();
            let outbound = || Ok::<_, io::Error>(Arc::new(Egress::open(runtime)?) as _);
            let made = self.book.calls_by(outbound);
            made.map_err(|error| format!("no calls can be made: {error}"))?;
        }
        if said.secrets != self.said.secrets {
            self.secrets.change(said.secrets.clone());
            tracing::info!("which secrets destinations may name was read anew");
        }
        self.book.change(said.access.clone());
        // Last: whoever waits for a grant looks again once these have changed.
        self.consumers.grant(said.grants.clone());
        tracing::info!("what is granted to plugins was read anew");
        self.said = said;
        Ok(())
    }
}
