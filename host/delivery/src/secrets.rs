//! Secrets of destinations, in the place of Secrets Manager: files of the operator, by account and
//! name. A file is read right before a request is sent, so that what it holds then is what counts,
//! and nothing of it stays here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bincode::{Decode, Encode};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use types::{AccountId, Invalid};
use wasm::SecretValue;

use crate::delivery_stream::DeliveryStream;
use crate::redshift::Redshift;
use crate::secret::Secret;
use crate::secret_arn::{ManagedSecretName, SecretArn};

/// How long a file is waited for. Then there is no value for now; the file is not read a second
/// time before the first reading has ended, so that a disk that hangs takes one thread for each.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// What secrets hold (developer guide, "Understand secrets").
pub const OF_ENDPOINT: [&str; 1] = ["api_key"];
pub const OF_SPLUNK: [&str; 1] = ["hec_token"];
pub const OF_DATABASE: [&str; 2] = ["username", "password"];

/// A secret that the configuration has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSetting {
    /// What destinations call it.
    pub name: ManagedSecretName,
    /// Whose destinations may.
    pub account: AccountId,
    /// Where its value lies, which nobody but its owner may read or write.
    pub file: PathBuf,
}

/// `SecretsManagerConfiguration`, as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NamedSecret {
    /// Whether it takes the place of what the destination holds itself.
    pub is_enabled: bool,
    /// The secret.
    pub arn: Option<String>,
    /// Kept and given back; roles mean nothing here.
    pub role_arn: Option<String>,
}

/// All secrets that destinations may name. The default has none.
#[derive(Debug, Default)]
pub struct Secrets(RwLock<BTreeMap<(AccountId, ManagedSecretName), Arc<File>>>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// For whoever reads it.
    turn: Arc<Semaphore>,
}

impl Secrets {
    /// Those that the configuration has. Nothing is read yet.
    pub fn new(settings: Vec<SecretSetting>) -> Self {
        let secrets = Self::default();
        secrets.change(settings);
        secrets
    }

    /// From the next request on there are these and no others.
    pub fn change(&self, settings: Vec<SecretSetting>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let files = settings.into_iter().map(|it| {
            let key = (it.account, it.name);
            // One that is being read is not read a second time.
            let known = all.get(&key).filter(|known| known.path == it.file);
            let new = || Arc::new(File::at(it.file.clone()));
            let file = known.cloned().unwrap_or_else(new);
            (key, file)
        });
        let files = files.collect();
        *all = files;
    }

    /// The texts that a secret has by these keys.
    ///
    /// # Errors
    /// A sentence that says why it has not, without a character of its value.
    pub async fn members<const N: usize>(
        &self,
        arn: &SecretArn,
        keys: [&str; N],
    ) -> Result<[Secret; N], String> {
        let file = self.find(arn).ok_or_else(|| absent(arn))?;
        let value = file.read().await;
        let read = value.and_then(|value| members(value.bytes(), keys));
        read.map_err(|why| format!("the file of the secret {}: {why}", arn.name))
    }

    /// The file of a secret: that of its whole name, or else of the one to which Secrets Manager
    /// would have added something.
    fn find(&self, arn: &SecretArn) -> Option<Arc<File>> {
        let files = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of = |name: ManagedSecretName| files.get(&(arn.account, name)).cloned();
        of(arn.name.clone()).or_else(|| of(arn.name.without_what_is_added()?))
    }
}

/// There is no such secret: what an operator would write.
fn absent(arn: &SecretArn) -> String {
    let (name, account) = (&arn.name, arn.account);
    let name = name.without_what_is_added().unwrap_or_else(|| name.clone());
    format!(
        "there is no secret of that name; the operator would write [[secrets]] name = \"{name}\" \
         account = \"{account}\" file = \"FILE\""
    )
}

impl File {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    async fn read(&self) -> Result<SecretValue, String> {
        let path = self.path.clone();
        let turn = Arc::clone(&self.turn);
        let read = async {
            // It is never closed.
            let turn = turn
                .acquire_owned()
                .await
                .map_err(|error| error.to_string())?;
            let read = spawn_blocking(move || {
                let read = SecretValue::read(&path);
                drop(turn);
                read
            });
            read.await.map_err(|error| error.to_string())?
        };
        let seconds = READ_TIME_MAX.as_secs();
        let late = |_| format!("it has not been read for {seconds} s");
        timeout(READ_TIME_MAX, read).await.map_err(late)?
    }
}

/// What an object of JSON has by these keys.
fn members<const N: usize>(value: &[u8], keys: [&str; N]) -> Result<[Secret; N], String> {
    // What the parser says of it may repeat it.
    let no_object = |_| "it holds no object of JSON".to_owned();
    let mut found: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(value).map_err(no_object)?;
    let mut all = [const { Secret(String::new()) }; N];
    for (key, secret) in keys.iter().zip(&mut all) {
        match found.remove(*key) {
            None => return Err(format!("its object has no \"{key}\"")),
            Some(serde_json::Value::String(text)) if text.is_empty() => {
                return Err(format!("its \"{key}\" is empty"));
            }
            Some(serde_json::Value::String(text)) if text.chars().any(char::is_control) => {
                return Err(format!("its \"{key}\" has a control character"));
            }
            Some(serde_json::Value::String(text)) => *secret = Secret(text),
            Some(_) => return Err(format!("its \"{key}\" is not a text")),
        }
    }
    Ok(all)
}

/// The secret that a delivery stream names, with whoever tells it.
#[derive(Clone)]
pub struct Credentials {
    secrets: Arc<Secrets>,
    /// `None`: the destination holds what it is known by itself.
    named: Option<NamedSecret>,
}

impl Credentials {
    /// By the configuration in force.
    pub fn of(secrets: &Arc<Secrets>, stream: &DeliveryStream) -> Self {
        Self {
            secrets: Arc::clone(secrets),
            named: stream.destination.names_secret().cloned(),
        }
    }

    /// Whether it is what is named in the configuration of now.
    pub fn is_in_force(&self, stream: &DeliveryStream) -> bool {
        stream.destination.names_secret() == self.named.as_ref()
    }

    /// The texts that the secret has by these keys at the moment; `None`: none is named.
    ///
    /// # Errors
    /// A sentence that says why it has not, without a character of its value.
    pub async fn members<const N: usize>(
        &self,
        keys: [&str; N],
    ) -> Result<Option<[Secret; N]>, String> {
        let Some(named) = &self.named else {
            return Ok(None);
        };
        let arn = named.arn().map_err(|Invalid(why)| why)?;
        self.secrets.members(&arn, keys).await.map(Some)
    }
}

impl Credentials {
    /// Who logs in to a database, and with what, at the moment.
    ///
    /// # Errors
    /// As [`Credentials::members`].
    pub async fn login(&self, own: &Redshift) -> Result<(String, Secret), String> {
        let named = self.members(OF_DATABASE).await?;
        let named = named.map(|[user, password]| (user.0, password));
        Ok(named.unwrap_or_else(|| (own.user.clone(), own.password.clone())))
    }
}

impl NamedSecret {
    /// The secret that is named.
    ///
    /// # Errors
    /// A sentence that says that none is, or that what is named is none.
    pub fn arn(&self) -> Result<SecretArn, Invalid> {
        let none = || Invalid("no SecretARN is given".to_owned());
        SecretArn::parse(self.arn.as_deref().ok_or_else(none)?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:000000000042:secret:";

    fn write(path: &Path, value: &str) {
        fs::write(path, value).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn setting(name: &str, account: &str, file: &Path) -> SecretSetting {
        SecretSetting {
            name: ManagedSecretName::parse(name).unwrap(),
            account: AccountId::parse(account).unwrap(),
            file: file.to_owned(),
        }
    }

    async fn asked(secrets: &Secrets, name: &str) -> Result<String, String> {
        let arn = SecretArn::parse(&format!("{ARN}{name}")).unwrap();
        let [value] = secrets.members(&arn, ["api_key"]).await?;
        Ok(value.0)
    }

    #[tokio::test]
    async fn a_secret_is_what_its_file_holds_when_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let secrets = Secrets::new(vec![setting("web/key", "000000000042", &file)]);
        let missing = asked(&secrets, "web/key").await.unwrap_err();
        assert!(
            missing.contains("the secret web/key: it cannot be read"),
            "{missing}"
        );
        for value in ["first", "second"] {
            write(
                &file,
                &format!("{{\"api_key\": \"{value}\", \"other\": 1}}\n"),
            );
            assert_eq!(asked(&secrets, "web/key").await.unwrap(), value);
            assert_eq!(asked(&secrets, "web/key-a1B2c3").await.unwrap(), value);
        }
        secrets.change(Vec::new());
        let gone = asked(&secrets, "web/key-a1B2c3").await.unwrap_err();
        assert!(gone.contains("[[secrets]] name = \"web/key\" account = \"000000000042\""));
    }

    #[tokio::test]
    async fn the_whole_name_goes_before_the_one_that_something_was_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["one", "two", "three"].map(|it| directory.path().join(it));
        for (file, value) in files.iter().zip(["first", "second", "third"]) {
            write(file, &format!("{{\"api_key\": \"{value}\"}}"));
        }
        let secrets = Secrets::new(vec![
            setting("db", "000000000042", &files[0]),
            setting("db-abcdef", "000000000042", &files[1]),
            setting("theirs", "000000000007", &files[2]),
        ]);
        assert_eq!(asked(&secrets, "db-abcdef").await.unwrap(), "second");
        assert_eq!(asked(&secrets, "db-abcdeg").await.unwrap(), "first");
        assert!(asked(&secrets, "theirs").await.is_err());
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_without_it() {
        for (value, why) in [
            ("hush-hush", "no object of JSON"),
            ("\"hush-hush\"", "no object of JSON"),
            ("{\"api_key\": \"hush\"", "no object of JSON"),
            ("{\"key\": \"hush-hush\"}", "has no \"api_key\""),
            ("{\"api_key\": \"\", \"hush\": 1}", "is empty"),
            ("{\"api_key\": [\"hush\"]}", "is not a text"),
            ("{\"api_key\": \"hush\\nhush\"}", "has a control character"),
        ] {
            let told = members(value.as_bytes(), ["api_key"]).unwrap_err();
            assert!(told.contains(why) && !told.contains("hush"), "{told}");
        }
        let [user, password] = members(
            b"{\"password\":\"b\",\"username\":\"a\"}",
            ["username", "password"],
        )
        .unwrap();
        assert_eq!((user.0.as_str(), password.0.as_str()), ("a", "b"));
    }
}
