//! What the operator decides: the configuration file, and the defaults without one.
//!
//! The file is read by hand from its syntax tree, not through serde: every error names the line
//! and the key, and none ever quotes a value, because it might be a secret. Only the words of a
//! policy are repeated.

mod credentials;
mod delivery_limits;
mod egress;
mod entry;
mod file;
mod glue;
mod kms;
mod plugin_grants;
mod plugins;
mod secrets;
mod sections;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use consumers::Grants;
use delivery::SecretSetting;
use delivery::glue::Glue;
use delivery::objects::S3Config;
use streams::kms::KmsSettings;
use types::{AccountId, Timestamp};
use wasm::{HostPattern, PluginName};
use wire::Identity;
use wire::iam::Principal;
use wire::sigv4::{SecretKey, Verifier};

use crate::limits::Limits;
use crate::web_origin::WebOrigin;

pub use delivery_limits::DeliveryLimits;

/// The port of a server that is not told another.
pub const PORT_DEFAULT: u16 = 4567;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from. What is granted to plugins, and the secrets of destinations,
    /// are read from it again when it changes; all else holds as it was at the start.
    pub file: Option<PathBuf>,
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where to listen for TLS; `None`: nowhere.
    pub tls_listen: Option<SocketAddr>,
    /// The certificate of the port for TLS; `None`: one is made and kept in the data directory.
    pub tls: Option<TlsFiles>,
    /// The directory of everything that the server keeps.
    pub data: PathBuf,
    /// The directory of plugins, if there is one.
    pub plugins: Option<PathBuf>,
    /// Accounts that may deploy plugins, say which versions of them are in force, and see what
    /// those log and the records that shadow runs show. All accounts use plugins, so that no
    /// account may by itself. Without credentials whoever calls may.
    pub plugin_accounts: Vec<AccountId>,
    /// What every plugin may use.
    pub plugin_limits: wasm::Limits,
    /// What plugins may do besides, by name: tables and streams of applications.
    pub plugin_grants: BTreeMap<PluginName, Grants>,
    /// The same of what is no matter of applications alone: secrets.
    pub plugin_access: BTreeMap<PluginName, wasm::GrantSettings>,
    /// How carefully versions of plugins take the place of others.
    pub plugin_rollout: wasm::RolloutRules,
    /// Whose plugins are taken.
    pub plugin_signatures: wasm::SignatureRules,
    /// What deliveries share.
    pub delivery_limits: DeliveryLimits,
    /// The program that compiles plugins, `millrace` of this very build; `None`: this process does.
    /// Not in the file: it is for whoever starts the server.
    pub compiler: Option<PathBuf>,
    /// Log lines that could not be written, counted by whoever writes them. Not in the file either.
    pub log_lines_lost: Arc<AtomicU64>,
    /// Hosts with their ports that delivery streams may call besides the internet at large over
    /// TLS: plainly, and at loopback and private addresses.
    pub egress_allow: Vec<HostPattern>,
    /// Where tables are that records become rows of: in a directory, as `DATABASE/TABLE.json`, or
    /// where Glue tells them.
    pub glue: Glue,
    /// Secrets that destinations may name.
    pub secrets: Vec<SecretSetting>,
    /// Where delivered objects go; `None`: into buckets below the data directory.
    pub s3: Option<S3Config>,
    /// Master keys of encrypted streams. Those that a service has by itself lie below the data
    /// directory unless a directory is named.
    pub kms: KmsSettings,
    /// Enforce AWS's limits per shard.
    pub throttle: bool,
    /// Who may call. Empty: anybody, and the server listens on loopback only.
    pub credentials: Vec<Credential>,
    /// Web pages that may call. Those of any other origin are refused, whether or not they sign.
    pub cors_origins: Vec<WebOrigin>,
    /// Who presents it sees the metrics of all accounts.
    pub metrics_token: Option<SecretKey>,
    /// How far a signature's time may be off.
    pub clock_skew_max: Duration,
    /// Sizes, counts and deadlines.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT),
            tls_listen: None,
            tls: None,
            data: PathBuf::from("millrace-data"),
            plugins: None,
            plugin_accounts: Vec::new(),
            plugin_limits: wasm::Limits::default(),
            plugin_grants: BTreeMap::new(),
            plugin_access: BTreeMap::new(),
            egress_allow: Vec::new(),
            glue: Glue::None,
            secrets: Vec::new(),
            plugin_rollout: wasm::RolloutRules::default(),
            plugin_signatures: wasm::SignatureRules::default(),
            delivery_limits: DeliveryLimits::default(),
            compiler: None,
            log_lines_lost: Arc::default(),
            s3: None,
            kms: KmsSettings::default(),
            throttle: true,
            credentials: Vec::new(),
            cors_origins: Vec::new(),
            metrics_token: None,
            clock_skew_max: Verifier::SKEW_DEFAULT,
            limits: Limits::default(),
        }
    }
}

/// Where an operator's certificate lies, in PEM. Renewed files are read while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key, which nobody else may read.
    pub key: PathBuf,
}

/// A caller's key, and what it stands for.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The public half, sent with every request.
    pub access_key_id: String,
    /// The half that only signs.
    pub secret_access_key: SecretKey,
    /// Who has it, and what it lets do.
    pub identity: Identity,
    /// What makes it temporary.
    pub session: Option<Session>,
}

impl Credential {
    /// The key of an account's root, which may do everything in the account.
    pub fn of_account(access_key_id: &str, secret: SecretKey, account: AccountId) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret,
            identity: Identity {
                principal: Principal {
                    account,
                    user: None,
                },
                policy: None,
            },
            session: None,
        }
    }
}

/// What temporary credentials have beside their keys.
#[derive(Clone, Debug)]
pub struct Session {
    /// Sent with every request, and signed.
    pub token: SecretKey,
    /// From then on they are worth nothing.
    pub expires_at: Timestamp,
}

/// Why a configuration file was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` if the file could not be read at all, or is wrong as a whole.
    pub line: Option<usize>,
    /// What is wrong, without any value of the file.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}: {}", self.file.display(), self.what),
            None => write!(f, "{}: {}", self.file.display(), self.what),
        }
    }
}

impl std::error::Error for ConfigError {}
