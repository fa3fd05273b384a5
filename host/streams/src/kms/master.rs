//! The master keys of one server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bincode::{Decode, Encode};
use bytes::Bytes;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use store::{Engine, Expect, KeyId, KeyRefusal, TableWrite};
use types::{AccountId, Caller};

use super::data_keys::Known;
use super::error::{KmsError, KmsFault, KmsOpenError};
use super::files::{self, FileFault, KEY_BYTES};
use super::key_id::{KeyName, NOT_YOURS};
use crate::rows;
use crate::tables::{SERVICE_KEY_PREFIX, SETTINGS};

/// Where master keys are.
#[derive(Clone, Debug, Default)]
pub struct KmsSettings {
    /// Those that the operator gives.
    pub keys: Vec<MasterKeySetting>,
    /// The directory of those that are made when they are first needed; `None`: none is.
    pub service_keys: Option<PathBuf>,
}

/// A master key that the operator gives.
#[derive(Clone, Debug)]
pub struct MasterKeySetting {
    /// Its id.
    pub id: String,
    /// Other names, each of which begins with `alias/`.
    pub aliases: Vec<String>,
    /// The file that holds it.
    pub file: PathBuf,
    /// The account that may use it; `None`: each may.
    pub account: Option<AccountId>,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A key that a service has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ServiceKey {
    /// Of streams.
    Kinesis,
    /// Of delivery streams.
    Firehose,
}

impl ServiceKey {
    const ALL: [Self; 2] = [Self::Kinesis, Self::Firehose];

    /// Its alias.
    pub fn alias(self) -> &'static str {
        match self {
            Self::Kinesis => "alias/aws/kinesis",
            Self::Firehose => "alias/aws/firehose",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Kinesis => "aws-kinesis.key",
            Self::Firehose => "aws-firehose.key",
        }
    }

    fn row(self) -> Bytes {
        Bytes::from([SERVICE_KEY_PREFIX, self.alias().as_bytes()].concat())
    }
}

/// Which master key it is, whatever it was called by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum MasterName {
    /// One that a service has by itself.
    Service(ServiceKey),
    /// One that the operator gave, by its id.
    Given(String),
}

impl MasterName {
    fn key_name(&self) -> KeyName<'_> {
        match self {
            Self::Service(service) => KeyName::Alias(service.alias()),
            Self::Given(id) => KeyName::Id(id),
        }
    }
}

/// What became of a key's file.
#[derive(Clone)]
enum State {
    Usable(Arc<LessSafeKey>),
    Disabled,
    Absent,
    Denied,
    Unfit,
}

struct MasterKey {
    setting: MasterKeySetting,
    state: State,
}

/// All master keys, and which data keys are wrapped with them.
#[derive(Default)]
pub struct Kms {
    given: Vec<MasterKey>,
    service_keys: Option<PathBuf>,
    services: RwLock<HashMap<ServiceKey, State>>,
    pub(super) known: RwLock<HashMap<KeyId, Known>>,
}

impl Kms {
    /// Reads the files of all keys. Blocks. One that is gone, or holds no key any more, is no
    /// reason not to start: what it wraps cannot be read, and all else can.
    ///
    /// # Errors
    /// When others than its owner may read a file: then it is no secret.
    pub fn open(settings: KmsSettings) -> Result<Self, KmsOpenError> {
        let mut given = Vec::with_capacity(settings.keys.len());
        for setting in settings.keys {
            let state = if setting.enabled {
                state_of(&setting.file)?
            } else {
                State::Disabled
            };
            given.push(MasterKey { setting, state });
        }
        let mut services = HashMap::new();
        for service in ServiceKey::ALL {
            if let Some(directory) = &settings.service_keys {
                let path = directory.join(service.file());
                services.insert(service, state_of(&path)?);
            }
        }
        Ok(Self {
            given,
            service_keys: settings.service_keys,
            services: RwLock::new(services),
            known: RwLock::default(),
        })
    }

    /// The master key that `caller` names, if it may be used now. That of a service is made when it
    /// is first asked for, and never again.
    pub async fn find(
        &self,
        engine: &dyn Engine,
        text: &str,
        caller: &Caller,
    ) -> Result<MasterName, KmsError> {
        let name = KeyName::parse(text, caller)?;
        let master = self
            .named(name, caller)
            .ok_or_else(|| name.not_found(caller))?;
        if let MasterName::Service(service) = master {
            self.make_once(engine, service, caller).await?;
        }
        self.usable(&master, caller)?;
        Ok(master)
    }

    fn named(&self, name: KeyName<'_>, caller: &Caller) -> Option<MasterName> {
        let is_service = |service: &ServiceKey| name == KeyName::Alias(service.alias());
        if let Some(service) = ServiceKey::ALL.into_iter().find(is_service) {
            return Some(MasterName::Service(service));
        }
        let mut given = self.given.iter().map(|key| &key.setting);
        let found = given.find(|key| {
            let is_theirs = key.account.is_none_or(|account| account == caller.account);
            let is_called = match name {
                KeyName::Id(id) => key.id == id,
                KeyName::Alias(alias) => key.aliases.iter().any(|known| known == alias),
            };
            is_theirs && is_called
        });
        found.map(|key| MasterName::Given(key.id.clone()))
    }

    async fn make_once(
        &self,
        engine: &dyn Engine,
        service: ServiceKey,
        caller: &Caller,
    ) -> Result<(), KmsError> {
        let Some(directory) = self.service_keys.clone() else {
            return Ok(());
        };
        let is_absent = matches!(self.service(service), State::Absent);
        let ours = |error: &dyn std::fmt::Display| {
            KmsError::ours(format!("make the key {}: {error}", service.alias()))
        };
        let row = engine.get(SETTINGS, &service.row()).await;
        let was_made = row.map_err(|error| ours(&error))?.is_some();
        if is_absent {
            if was_made {
                // It was destroyed. A new one under its name would hide that.
                return Err(KeyName::Alias(service.alias()).not_found(caller));
            }
            let making = move || files::make(&directory, service.file());
            let made = tokio::task::spawn_blocking(making).await;
            let made = made.map_err(|error| ours(&error))?;
            let secret = made.map_err(|fault| ours(&format!("{fault:?}")))?;
            let key = usable(&secret).ok_or_else(|| ours(&"no key"))?;
            let mut services = self
                .services
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            services.insert(service, key);
        }
        if !was_made {
            let write = TableWrite {
                table: SETTINGS,
                key: service.row(),
                value: Some(Bytes::from_static(&[1])),
                expect: Expect::Any,
            };
            let noted = rows::write_alone(engine, write).await;
            noted.map_err(|error| ours(&error))?;
        }
        Ok(())
    }

    /// Whether an account may use a master key, if that is there.
    pub(super) fn is_for(&self, master: &MasterName, account: AccountId) -> bool {
        let MasterName::Given(id) = master else {
            return true;
        };
        let mut given = self.given.iter().map(|key| &key.setting);
        let setting = given.find(|setting| setting.id == *id);
        let only = setting.and_then(|setting| setting.account);
        only.is_none_or(|only| only == account)
    }

    fn service(&self, service: ServiceKey) -> State {
        let services = self.services.read().unwrap_or_else(PoisonError::into_inner);
        services.get(&service).cloned().unwrap_or(State::Absent)
    }

    fn state(&self, master: &MasterName) -> State {
        match master {
            MasterName::Service(service) => self.service(*service),
            MasterName::Given(id) => {
                let mut given = self.given.iter();
                let found = given.find(|key| key.setting.id == *id);
                found.map_or(State::Absent, |key| key.state.clone())
            }
        }
    }

    /// The key itself.
    pub(super) fn key(&self, master: &MasterName) -> Result<Arc<LessSafeKey>, KeyRefusal> {
        match self.state(master) {
            State::Usable(key) => Ok(key),
            State::Disabled => Err(KeyRefusal::Disabled),
            State::Absent | State::Denied => Err(KeyRefusal::Absent),
            State::Unfit => Err(KeyRefusal::Unfit),
        }
    }

    /// The same for a client.
    pub(super) fn usable(
        &self,
        master: &MasterName,
        caller: &Caller,
    ) -> Result<Arc<LessSafeKey>, KmsError> {
        let name = master.key_name();
        let arn = name.arn(caller);
        if !self.is_for(master, caller.account) {
            return Err(KmsError::new(KmsFault::AccessDenied, NOT_YOURS));
        }
        Err(match self.state(master) {
            State::Usable(key) => return Ok(key),
            State::Disabled => KmsError::new(KmsFault::Disabled, format!("{arn} is disabled.")),
            State::Absent => name.not_found(caller),
            State::Denied => KmsError::new(
                KmsFault::AccessDenied,
                format!("The server is not allowed to read {arn}."),
            ),
            State::Unfit => unfit(&arn),
        })
    }

    /// What there is to say of a master key that does not open what was wrapped with it.
    pub(super) fn unfit(&self, master: &MasterName, caller: &Caller) -> KmsError {
        let name = master.key_name();
        match self.usable(master, caller) {
            Err(error) => error,
            Ok(_) => unfit(&name.arn(caller)),
        }
    }
}

fn unfit(arn: &str) -> KmsError {
    KmsError::new(KmsFault::InvalidState, format!("{arn} is unavailable."))
}

fn state_of(path: &Path) -> Result<State, KmsOpenError> {
    let what = match files::read(path) {
        Ok(secret) => return Ok(usable(&secret).unwrap_or(State::Unfit)),
        Err(FileFault::Absent) => return Ok(State::Absent),
        Err(FileFault::Open(mode)) => {
            return Err(KmsOpenError {
                file: path.to_owned(),
                what: format!("its mode is {mode:04o}: take it from others with chmod 600"),
            });
        }
        Err(FileFault::Denied) => {
            tracing::error!(path = %path.display(), "a key file may not be read");
            return Ok(State::Denied);
        }
        Err(FileFault::NoKey) => "it holds neither 32 bytes nor 64 hexadecimal digits".to_owned(),
        Err(FileFault::Io(error)) => error.to_string(),
    };
    tracing::error!(path = %path.display(), what, "a key file gives no key");
    Ok(State::Unfit)
}

fn usable(secret: &[u8; KEY_BYTES]) -> Option<State> {
    let key = UnboundKey::new(&AES_256_GCM, secret).ok()?;
    Some(State::Usable(Arc::new(LessSafeKey::new(key))))
}
