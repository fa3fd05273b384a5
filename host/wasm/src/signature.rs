//! Signatures of plugins: ed25519 over a plugin's name and the hash of its component and manifest.
//!
//! What is signed is this text, so that other tools can sign, too:
//!
//! ```text
//! millrace plugin
//! <the plugin's name>
//! <hash, 64 hexadecimal digits>
//! ```
//!
//! A signature is 64 bytes, as they are or in base64, in `NAME.wasm.sig` beside a bare component or
//! in `plugin.sig` of a folder.

use std::fmt;

use base64_simd::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use types::Invalid;

use crate::hash::ContentHash;
use crate::name::PluginName;
use crate::refusal::Refusal;

/// Bytes of a signature, and of a public key.
const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// Bytes of a file with a signature: it may be base64 and end with a line.
pub(crate) const SIGNATURE_FILE_BYTES_MAX: u64 = 256;
/// Keys that may be trusted: each signature is tried with all.
pub const TRUSTED_KEYS_MAX: usize = 32;
/// Characters of a key that are shown.
const KEY_SHOWN_CHARS: usize = 12;

/// What becomes of plugins without a signature of a trusted key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureMode {
    /// Nobody looks at signatures.
    #[default]
    Off,
    /// They are taken, and that is told.
    Warn,
    /// They are refused, and so is a rollback to one.
    Require,
}

/// A key whose signatures count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrustedKey([u8; KEY_BYTES]);

impl TrustedKey {
    /// Reads a public key of ed25519, 32 bytes in base64.
    ///
    /// # Errors
    /// A sentence that says so.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let bytes = STANDARD.decode_to_vec(text.trim()).ok();
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        let wrong = || Invalid("a key of ed25519 is 32 bytes in base64".to_owned());
        key.map(Self).ok_or_else(wrong)
    }

    /// As much of it as tells it from others.
    fn short(&self) -> String {
        let mut text = STANDARD.encode_to_string(self.0);
        text.truncate(KEY_SHOWN_CHARS);
        text
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Whose plugins are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureRules {
    /// What becomes of others.
    pub mode: SignatureMode,
    /// The keys.
    pub trusted: Vec<TrustedKey>,
}

/// What is known of a version's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Nobody looked.
    Unknown,
    /// By the key that begins like this.
    By(String),
    /// Not by a trusted key: why not.
    Not(String),
}

impl SignatureRules {
    /// What is known of a version with this signature.
    pub(crate) fn look(
        &self,
        name: &PluginName,
        hash: ContentHash,
        signature: Option<&[u8]>,
    ) -> Signed {
        if self.mode == SignatureMode::Off {
            return Signed::Unknown;
        }
        match self.find(name, hash, signature) {
            Ok(key) => Signed::By(key.short()),
            Err(why) => Signed::Not(why),
        }
    }

    /// Whether something may be begun with a version of which this is known.
    pub(crate) fn permits(&self, signed: &Signed) -> bool {
        self.mode != SignatureMode::Require || matches!(signed, Signed::By(_))
    }

    /// Lets something be begun with a version that has this signature: every way into force, from
    /// the plugins directory, by a deployment or by an order, and whoever goes by a number, an
    /// alias or a hash, comes by here.
    ///
    /// # Errors
    /// When one of a trusted key is required and this is none: which key or file is missing, and
    /// how it is made.
    pub(crate) fn check(
        &self,
        name: &PluginName,
        hash: ContentHash,
        signature: Option<&[u8]>,
    ) -> Result<Signed, Refusal> {
        let signed = self.look(name, hash, signature);
        let Signed::Not(why) = &signed else {
            return Ok(signed);
        };
        if !self.permits(&signed) {
            return Err(Refusal::ForGood(format!(
                "{why}, and signatures = \"require\" is configured: `millrace plugin sign --key \
                 FILE {name}` makes one, and `millrace plugin deploy` hands it in"
            )));
        }
        tracing::warn!(plugin = %name, version = ?hash, why, "a plugin is not signed");
        Ok(signed)
    }

    /// Whether a signature is one of a trusted key.
    pub(crate) fn trusts(&self, name: &PluginName, hash: ContentHash, signature: &[u8]) -> bool {
        self.find(name, hash, Some(signature)).is_ok()
    }

    /// The trusted key that a signature was made with.
    fn find(
        &self,
        name: &PluginName,
        hash: ContentHash,
        signature: Option<&[u8]>,
    ) -> Result<&TrustedKey, String> {
        let file = format!("{name}.wasm.sig, or plugin.sig in its folder");
        let signature = signature.ok_or_else(|| format!("it has no signature: {file}"))?;
        let signature = decode(signature)
            .ok_or_else(|| format!("its signature is not 64 bytes, raw or in base64: {file}"))?;
        let message = message(name, hash);
        let is_by = |key: &&TrustedKey| {
            let key = UnparsedPublicKey::new(&ED25519, key.0);
            key.verify(message.as_bytes(), &signature).is_ok()
        };
        self.trusted.iter().find(is_by).ok_or_else(|| {
            let keys: Vec<String> = self.trusted.iter().map(TrustedKey::short).collect();
            format!(
                "its signature is of these files and of another key than the trusted_keys [{}], or \
                 of other files",
                keys.join(", ")
            )
        })
    }
}

fn message(name: &PluginName, hash: ContentHash) -> String {
    format!("millrace plugin\n{name}\n{hash}\n")
}

fn decode(signature: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    if let Ok(raw) = signature.try_into() {
        return Some(raw);
    }
    let bytes = STANDARD.decode_to_vec(signature.trim_ascii()).ok()?;
    bytes.try_into().ok()
}

/// A signature, raw or in base64, as one line of base64; what is neither stays no signature.
pub(crate) fn to_base64(signature: &[u8]) -> String {
    match decode(signature) {
        Some(raw) => STANDARD.encode_to_string(raw),
        None => STANDARD.encode_to_string(signature),
    }
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    /// As it is kept: PKCS #8.
    document: Vec<u8>,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate() -> Result<Self, Invalid> {
        let failed = |_| Invalid("the machine gives no random numbers".to_owned());
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
        Self::of(document.as_ref().to_vec())
    }

    /// Reads what [`SigningKey::to_text`] wrote.
    ///
    /// # Errors
    /// A sentence that says what a key must be.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let document = STANDARD.decode_to_vec(text.trim());
        Self::of(document.map_err(|_| no_key())?)
    }

    fn of(document: Vec<u8>) -> Result<Self, Invalid> {
        // Those of other tools may lack the public half, which ring would check.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| no_key())?;
        Ok(Self { pair, document })
    }

    /// The secret key in base64.
    pub fn to_text(&self) -> String {
        STANDARD.encode_to_string(&self.document)
    }

    /// The public key in base64, as it stands in `trusted_keys`.
    pub fn public(&self) -> String {
        STANDARD.encode_to_string(self.pair.public_key())
    }

    /// The signature of a plugin in base64.
    pub fn sign(&self, name: &PluginName, hash: ContentHash) -> String {
        let signature = self.pair.sign(message(name, hash).as_bytes());
        STANDARD.encode_to_string(signature)
    }
}

fn no_key() -> Invalid {
    Invalid("a signing key is one of ed25519, PKCS #8 in base64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PluginName {
        PluginName::parse(text).unwrap()
    }

    const HASH: ContentHash = ContentHash([7; 32]);

    fn rules(mode: SignatureMode, keys: &[&SigningKey]) -> SignatureRules {
        let trusted = keys.iter().map(|key| TrustedKey::parse(&key.public()));
        SignatureRules {
            mode,
            trusted: trusted.map(Result::unwrap).collect(),
        }
    }

    #[test]
    fn a_signature_of_a_trusted_key_counts_raw_and_in_base64() {
        let (key, other) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let again = SigningKey::parse(&key.to_text()).unwrap();
        let text = again.sign(&name("a"), HASH);
        let rules = rules(SignatureMode::Require, &[&other, &key]);
        let raw = STANDARD.decode_to_vec(&text).unwrap();
        let line = format!("{text}\n");
        for signature in [text.as_bytes(), line.as_bytes(), &raw] {
            let signed = rules.check(&name("a"), HASH, Some(signature));
            assert_eq!(signed, Ok(Signed::By(key.public()[..12].to_owned())));
        }
    }

    #[test]
    fn a_signature_of_something_else_counts_nowhere() {
        let key = SigningKey::generate().unwrap();
        let rules = rules(SignatureMode::Require, &[&key]);
        let signature = key.sign(&name("a"), HASH);
        let other = SigningKey::generate().unwrap().sign(&name("a"), HASH);
        let of_name = key.sign(&name("b"), HASH);
        for (hash, signature) in [
            (ContentHash([8; 32]), &signature),
            (HASH, &other),
            (HASH, &of_name),
        ] {
            let told = rules.check(&name("a"), hash, Some(signature.as_bytes()));
            let told = told.unwrap_err().to_string();
            assert!(told.contains("of other files"), "{told}");
            assert!(told.contains(&key.public()[..12]), "{told}");
        }
    }

    #[test]
    fn what_was_loaded_without_a_signature_begins_nothing_where_one_is_required() {
        let key = SigningKey::generate().unwrap();
        let not = Signed::Not("it has none".to_owned());
        for (mode, permitted) in [
            (SignatureMode::Off, true),
            (SignatureMode::Warn, true),
            (SignatureMode::Require, false),
        ] {
            let rules = rules(mode, &[&key]);
            assert!(rules.permits(&Signed::By("a key".to_owned())));
            assert_eq!(rules.permits(&not), permitted);
            assert_eq!(rules.permits(&Signed::Unknown), permitted);
        }
    }

    #[test]
    fn what_is_missing_is_named_and_only_refused_where_it_is_required() {
        let key = SigningKey::generate().unwrap();
        let missing = "it has no signature: a.wasm.sig, or plugin.sig in its folder";
        let short = "its signature is not 64 bytes, raw or in base64";
        for (signature, why) in [(None, missing), (Some(&b"abc"[..]), short)] {
            let check = |mode| rules(mode, &[&key]).check(&name("a"), HASH, signature);
            assert_eq!(check(SignatureMode::Off), Ok(Signed::Unknown));
            let Ok(Signed::Not(told)) = check(SignatureMode::Warn) else {
                panic!("it is taken, and told");
            };
            assert!(told.starts_with(why), "{told}");
            let told = check(SignatureMode::Require).unwrap_err().to_string();
            assert!(told.starts_with(why), "{told}");
            assert!(told.contains("\"require\""), "{told}");
            assert!(told.contains("plugin sign --key FILE a"), "{told}");
        }
    }
}
