//! Reading a certificate and its key.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::TlsError;
use crate::config::TlsFiles;

/// Bytes of a file with certificates or a key. A larger one is refused.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Permissions that a key's file must not give: to anybody but its owner, or to anybody but the
/// system and a group of its choice (the rule of PostgreSQL's `ssl_key_file`).
const NOT_BY_OTHERS: u32 = 0o077;
const NOT_BY_OTHERS_THAN_A_GROUP: u32 = 0o037;
const SYSTEM: u32 = 0;

/// Reads a certificate with those that vouch for it, and the key that belongs to it. Blocks.
///
/// # Errors
/// Which file is not as it must be, and why. Nothing of a key is told.
pub(super) fn load(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let in_certificate =
        |error: rustls::Error| TlsError::new(&files.certificate, error.to_string());
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let what = format!("is not the key of {}", files.certificate.display());
            TlsError::new(&files.key, what)
        }
        rustls::Error::General(why) => TlsError::new(&files.key, why),
        error => in_certificate(error),
    })
}

/// The certificates of a file, at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(&mut open(file)?, file)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| TlsError::new(file, error.to_string()))?;
    if certificates.is_empty() {
        return Err(TlsError::new(file, "holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let mut opened = open(file)?;
    check_owner(&opened, file)?;
    let text = read(&mut opened, file)?;
    // What the parser says of a key could hold parts of it.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| TlsError::new(file, "holds no private key in PEM, without a password"))
}

/// Refuses a key that others can read.
fn check_owner(opened: &File, file: &Path) -> Result<(), TlsError> {
    let data = opened
        .metadata()
        .map_err(|error| TlsError::new(file, error.to_string()))?;
    let forbidden = if data.uid() == SYSTEM {
        NOT_BY_OTHERS_THAN_A_GROUP
    } else {
        NOT_BY_OTHERS
    };
    if data.mode() & forbidden == 0 {
        return Ok(());
    }
    let mode = data.mode() & 0o777;
    let what = format!("others can read this key (its mode is {mode:04o}): chmod 0600");
    Err(TlsError::new(file, what))
}

fn open(file: &Path) -> Result<File, TlsError> {
    File::open(file).map_err(|error| TlsError::new(file, error.to_string()))
}

fn read(opened: &mut File, file: &Path) -> Result<Vec<u8>, TlsError> {
    let mut text = Vec::new();
    let count = opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut text);
    match count {
        Ok(_) if text.len() as u64 <= FILE_BYTES_MAX => Ok(text),
        Ok(_) => Err(TlsError::new(file, "has more than a mebibyte")),
        Err(error) => Err(TlsError::new(file, error.to_string())),
    }
}
