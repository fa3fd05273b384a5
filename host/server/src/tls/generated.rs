//! A certificate of our own, for who brings none: made at the first start with TLS and kept.
//!
//! It is signed by an authority whose key is forgotten at once: whoever trusts that authority
//! trusts this server, and nothing that anybody could still sign. So when the certificate no longer
//! fits, both are made anew and clients have to trust the new one.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use types::Timestamp;

use super::{TlsError, files};
use crate::config::TlsFiles;

/// Below the data directory.
const DIRECTORY: &str = "tls";
const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "certificate.pem";
/// The same while it is being written.
const CERTIFICATE_NEW: &str = "certificate.pem.new";
const KEY: &str = "key.pem";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a certificate is good. Clients have to be told to trust the next one, so it is long.
const VALID_DAYS: u32 = 3650;
/// How long before its end it is made anew, when the server starts.
const RENEWED_DAYS: u32 = 30;
/// How far the clocks of clients may be behind.
const EARLIER_DAYS: u32 = 1;

/// Readable by all, as a certificate is meant to be, and by nobody else.
const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// Bytes of what an authority is told apart by, in its name.
const AUTHORITY_ID_BYTES: usize = 8;
/// Characters of a line of PEM (RFC 7468).
const PEM_LINE_CHARS: usize = 64;

/// What was made, now or at an earlier start.
pub(super) struct Generated {
    pub(super) files: TlsFiles,
    /// What clients must trust.
    pub(super) authority: PathBuf,
    pub(super) key: CertifiedKey,
}

/// The certificate below `data` that is good at `now` for a server that listens at `address`, or a
/// new one. Blocks.
///
/// # Errors
/// Files that cannot be read or written, or a key that others can read.
pub(super) fn open(data: &Path, address: IpAddr, now: Timestamp) -> Result<Generated, TlsError> {
    let directory = data.join(DIRECTORY);
    let authority = directory.join(AUTHORITY);
    let files = TlsFiles {
        certificate: directory.join(CERTIFICATE),
        key: directory.join(KEY),
    };
    let names = names(address);
    if files.certificate.exists() {
        let key = files::load(&files)?;
        match check(&authority, &key, &names, now) {
            Ok(()) => {
                return Ok(Generated {
                    files,
                    authority,
                    key,
                });
            }
            Err(why) => tracing::warn!(
                why,
                "a certificate is made anew: clients have to trust the new {AUTHORITY}"
            ),
        }
    }
    make(&directory, &names, now)?;
    Ok(Generated {
        key: files::load(&files)?,
        files,
        authority,
    })
}

/// What clients may call the server by. An address that stands for all of the machine's is none.
fn names(address: IpAddr) -> Vec<String> {
    let local = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let mut names = vec!["localhost".to_owned()];
    names.extend(local.iter().map(IpAddr::to_string));
    if !address.is_unspecified() && !local.contains(&address) {
        names.push(address.to_string());
    }
    names
}

/// Whether a client that trusts `authority` takes the certificate by each of the names, now and for
/// a while. What is said otherwise is why not.
fn check(
    authority: &Path,
    key: &CertifiedKey,
    names: &[String],
    now: Timestamp,
) -> Result<(), String> {
    let text = |error: &dyn Display| error.to_string();
    let mut roots = RootCertStore::empty();
    for trusted in files::certificates(authority).map_err(|error| text(&error))? {
        roots.add(trusted).map_err(|error| text(&error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let client = client.map_err(|error| text(&error))?;
    let certificate = key.end_entity_cert().map_err(|error| text(&error))?;
    let later = Duration::from_millis(now.0).saturating_add(DAY * RENEWED_DAYS);
    let later = UnixTime::since_unix_epoch(later);
    for name in names {
        let server = ServerName::try_from(name.as_str()).map_err(|error| text(&error))?;
        client
            .verify_server_cert(certificate, &[], &server, &[], later)
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// Makes an authority, a key and a certificate. The certificate is written last: while it is not
/// there, all are made anew.
fn make(directory: &Path, names: &[String], now: Timestamp) -> Result<(), TlsError> {
    let file = |name: &str| directory.join(name);
    fs::create_dir_all(directory).map_err(|error| TlsError::new(directory, error.to_string()))?;
    remove(&file(CERTIFICATE))?;
    let [authority, certificate, key] = sign(names, now)
        .map_err(|error| TlsError::new(directory, format!("make a certificate: {error}")))?;
    write(&file(AUTHORITY), &authority, PUBLIC)?;
    write(&file(KEY), &key, PRIVATE)?;
    let new = file(CERTIFICATE_NEW);
    write(&new, &certificate, PUBLIC)?;
    let kept = fs::rename(&new, file(CERTIFICATE)).and_then(|()| sync(directory));
    kept.map_err(|error| TlsError::new(&file(CERTIFICATE), error.to_string()))
}

/// An authority, a certificate that it signed and the key of that, in PEM.
fn sign(names: &[String], now: Timestamp) -> Result<[String; 3], rcgen::Error> {
    // Certificates write moments in seconds.
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.0 / 1000);
    let params = |names: Vec<String>, name: String| -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(names)?;
        params.not_before = now - DAY * EARLIER_DAYS;
        params.not_after = now + DAY * VALID_DAYS;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params)
    };
    let authority_key = KeyPair::generate()?;
    // Two authorities of one name are hard to tell apart for whoever has to trust one.
    let id: String = params(Vec::new(), String::new())?
        .key_identifier(&authority_key)
        .iter()
        .take(AUTHORITY_ID_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut authority = params(Vec::new(), format!("millrace authority {id}"))?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_certificate = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let mut server = params(names.to_vec(), "millrace".to_owned())?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok([
        pem("CERTIFICATE", authority_certificate.der()),
        pem("CERTIFICATE", certificate.der()),
        pem("PRIVATE KEY", &key.serialize_der()),
    ])
}

/// Bytes as text between lines that say what they are (RFC 7468).
fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(PEM_LINE_CHARS.min(rest.len()));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Writes a file that is not there after anything but this, with these permissions.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    remove(file)?;
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    });
    written.map_err(|error| TlsError::new(file, error.to_string()))
}

fn remove(file: &Path) -> Result<(), TlsError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TlsError::new(file, error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn days_later(days: u32) -> Timestamp {
        NOW.after(DAY * days)
    }

    fn authority_of(generated: &Generated) -> Vec<u8> {
        fs::read(&generated.authority).unwrap()
    }

    #[test]
    fn a_certificate_is_kept_until_a_month_before_its_end() {
        let data = tempfile::tempdir().unwrap();
        let first = authority_of(&open(data.path(), LOOPBACK, NOW).unwrap());
        let soon = days_later(VALID_DAYS - RENEWED_DAYS - 1);
        assert_eq!(
            authority_of(&open(data.path(), LOOPBACK, soon).unwrap()),
            first
        );
        let late = days_later(VALID_DAYS - RENEWED_DAYS + 1);
        let renewed = open(data.path(), LOOPBACK, late).unwrap();
        assert_ne!(authority_of(&renewed), first);
        let names = names(LOOPBACK);
        assert_eq!(
            check(&renewed.authority, &renewed.key, &names, late),
            Ok(())
        );
    }

    #[test]
    fn a_server_that_listens_at_another_address_has_another_certificate() {
        let data = tempfile::tempdir().unwrap();
        let other = IpAddr::from([10, 1, 2, 3]);
        let first = open(data.path(), LOOPBACK, NOW).unwrap();
        let unfit = check(&first.authority, &first.key, &names(other), NOW).unwrap_err();
        assert!(unfit.starts_with("10.1.2.3: "), "{unfit}");
        let second = open(data.path(), other, NOW).unwrap();
        assert_eq!(
            check(&second.authority, &second.key, &names(other), NOW),
            Ok(())
        );
        // It is good for the addresses of this machine, too, and stays.
        let second = authority_of(&second);
        for address in [
            LOOPBACK,
            IpAddr::from([0, 0, 0, 0]),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            assert_eq!(
                authority_of(&open(data.path(), address, NOW).unwrap()),
                second
            );
        }
    }

    #[test]
    fn files_that_a_crash_left_without_their_certificate_are_made_anew() {
        let data = tempfile::tempdir().unwrap();
        let first = open(data.path(), LOOPBACK, NOW).unwrap();
        fs::remove_file(&first.files.certificate).unwrap();
        fs::write(data.path().join(DIRECTORY).join(CERTIFICATE_NEW), "half").unwrap();
        let second = open(data.path(), LOOPBACK, NOW).unwrap();
        assert_eq!(
            check(&second.authority, &second.key, &names(LOOPBACK), NOW),
            Ok(())
        );
    }

    #[test]
    fn the_key_is_for_its_owner_and_the_authority_for_all() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let made = open(data.path(), LOOPBACK, NOW).unwrap();
        let mode = |file: &Path| fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&made.files.key), PRIVATE);
        assert_eq!(mode(&made.authority) & 0o044, 0o044);
        fs::set_permissions(&made.files.key, fs::Permissions::from_mode(0o604)).unwrap();
        let refused = open(data.path(), LOOPBACK, NOW).err().unwrap();
        assert_eq!(refused.file, made.files.key);
        assert!(refused.why.contains("others can read"), "{refused}");
    }
}
