//! The sections of the configuration file about plugins, objects and TLS.

use std::path::PathBuf;
use std::time::Duration;

use delivery::objects::S3Config;
use wire::sigv4::SecretKey;

use super::TlsFiles;
use super::entry::{Entry, Wrong};

const PLUGIN_LIMIT_KEYS: &str = "component_mib, compile_seconds, compile_mib, memory_mib, \
                                 batch_ms, output_mib, host_calls, log_line_bytes, \
                                 log_bytes_per_second, cpu_ms_per_second and \
                                 account_cpu_ms_per_second";
const S3_KEYS: &str = "endpoint, region, access_key_id, secret_access_key and path_style";
const TLS_KEYS: &str = "certificate and key";
/// Characters of a token at least: a shorter one could be guessed.
const TOKEN_CHARS_MIN: usize = 16;
pub(super) const REGION_DEFAULT: &str = "us-east-1";
/// Mebibytes that a component may have at most. More is refused here; a component with more than is
/// configured is refused when it is loaded.
const COMPONENT_MIB_MAX: u64 = 256;
/// Mebibytes of memory that a plugin can get: the pool's slots are as large.
const MEMORY_MIB_MAX: u64 = 256;
/// Mebibytes that a plugin may be allowed to make of one batch.
const OUTPUT_MIB_MAX: u64 = 256;
/// Bytes that a plugin's log line may be allowed to have. What is over the configured limit is cut.
const LOG_LINE_BYTES_MAX: u64 = 64 * 1024;
/// Milliseconds that a batch can get (Lambda's longest transform takes five minutes).
const BATCH_MS_MAX: u64 = 300_000;
/// Milliseconds of processor time a second that a plugin, or an account, may be bounded to: those
/// of a thousand processors.
const CPU_MS_PER_SECOND_MAX: u64 = 1_000_000;
/// Seconds of processor time that compiling can get: while one component is compiled, no other is
/// taken.
const COMPILE_SECONDS_MAX: u64 = 600;
/// Mebibytes of address space that compiling can get. With fewer no compiler starts.
const COMPILE_MIB_MIN: u64 = 64;
const COMPILE_MIB_MAX: u64 = 64 * 1024;

/// `[plugin_limits]`.
pub(super) fn plugin_limits(section: &Entry<'_>) -> Result<wasm::Limits, Wrong> {
    let mut limits = wasm::Limits::default();
    for entry in section.entries("[plugin_limits]", PLUGIN_LIMIT_KEYS)? {
        let number32 = || {
            let number = entry.number(1, u64::from(u32::MAX))?;
            u32::try_from(number).map_err(|_| entry.wrong("is too large"))
        };
        let share = || {
            let share = entry.number(0, CPU_MS_PER_SECOND_MAX)?;
            u32::try_from(share).map_err(|_| entry.wrong("is too large"))
        };
        match entry.key {
            "component_mib" => {
                limits.component_bytes_max = entry.mebibytes(1, COMPONENT_MIB_MAX)?
            }
            "compile_seconds" => {
                limits.compile_seconds_max = entry.number(1, COMPILE_SECONDS_MAX)?;
            }
            "compile_mib" => {
                limits.compile_bytes_max = entry.mebibytes(COMPILE_MIB_MIN, COMPILE_MIB_MAX)?;
            }
            "memory_mib" => limits.memory_bytes_max = entry.memory_mebibytes(1, MEMORY_MIB_MAX)?,
            "batch_ms" => {
                limits.batch_time_max = Duration::from_millis(entry.number(1, BATCH_MS_MAX)?);
            }
            "output_mib" => limits.output_bytes_max = entry.memory_mebibytes(1, OUTPUT_MIB_MAX)?,
            "host_calls" => limits.host_calls_max = number32()?,
            "log_line_bytes" => limits.log_line_bytes_max = entry.count(1, LOG_LINE_BYTES_MAX)?,
            "log_bytes_per_second" => limits.log_bytes_per_second_max = number32()?,
            "cpu_ms_per_second" => limits.cpu_ms_per_second = share()?,
            "account_cpu_ms_per_second" => limits.account_cpu_ms_per_second = share()?,
            _ => return Err(entry.unread()),
        }
    }
    Ok(limits)
}

/// `[metrics]`.
pub(super) fn metrics_token(section: &Entry<'_>) -> Result<SecretKey, Wrong> {
    let mut token = None;
    for entry in section.entries("[metrics]", "token")? {
        let text = entry.string()?;
        if text.len() < TOKEN_CHARS_MIN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(entry.wrong(&format!(
                "is not at least {TOKEN_CHARS_MIN} characters of ASCII without spaces"
            )));
        }
        token = Some(SecretKey::new(text));
    }
    token.ok_or_else(|| section.wrong("has no token"))
}

/// `[s3]`.
pub(super) fn s3(section: &Entry<'_>) -> Result<S3Config, Wrong> {
    let (mut endpoint, mut region) = (None, REGION_DEFAULT.to_owned());
    let (mut key_id, mut secret, mut path_style) = (None, None, None);
    for entry in section.entries("[s3]", S3_KEYS)? {
        let text = || match entry.string()? {
            "" => Err(entry.wrong("is empty")),
            text => Ok(text.to_owned()),
        };
        match entry.key {
            "endpoint" => endpoint = Some(url(&entry)?),
            "region" => region = text()?,
            "access_key_id" => key_id = Some(text()?),
            "secret_access_key" => secret = Some(text()?),
            "path_style" => path_style = Some(entry.boolean()?),
            _ => return Err(entry.unread()),
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    Ok(S3Config {
        // AWS names buckets in the host; what stands in its place mostly cannot.
        path_style: path_style.unwrap_or(endpoint.is_some()),
        endpoint,
        region,
        access_key_id: key_id.ok_or_else(|| missing("access_key_id"))?,
        secret_access_key: secret.ok_or_else(|| missing("secret_access_key"))?,
    })
}

/// `[tls]`.
pub(super) fn tls(section: &Entry<'_>) -> Result<TlsFiles, Wrong> {
    let (mut certificate, mut key) = (None, None);
    for entry in section.entries("[tls]", TLS_KEYS)? {
        let path = PathBuf::from(entry.string()?);
        match entry.key {
            "certificate" => certificate = Some(path),
            "key" => key = Some(path),
            _ => return Err(entry.unread()),
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    Ok(TlsFiles {
        certificate: certificate.ok_or_else(|| missing("certificate"))?,
        key: key.ok_or_else(|| missing("key"))?,
    })
}

/// A URL without a slash at its end.
pub(super) fn url(entry: &Entry<'_>) -> Result<String, Wrong> {
    let text = entry.string()?;
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|host| !host.is_empty())
    });
    if is_url {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(entry.wrong("is not a URL that begins with http:// or https://"))
    }
}
