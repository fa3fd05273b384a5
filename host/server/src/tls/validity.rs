//! From when until when a certificate is good, and what an operator is told of it.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use types::Timestamp;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long before its end an operator hears that a certificate ends.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// From when until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Validity {
    /// Reads it as a client does: one that checks the certificate at the beginning of time and at
    /// its end says what it misses.
    ///
    /// # Errors
    /// What is wrong with the certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut roots = RootCertStore::empty();
        let own = certificate.clone().into_owned();
        roots.add(own).map_err(|error| text(&error))?;
        let provider = Arc::new(ring::default_provider());
        let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let client = client.build().map_err(|error| text(&error))?;
        let name = ServerName::try_from("localhost").map_err(|error| text(&error))?;
        let check = |at: Duration| {
            let at = UnixTime::since_unix_epoch(at);
            client.verify_server_cert(certificate, &[], &name, &[], at)
        };
        let from = match check(Duration::ZERO) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => at(not_before),
            // Good since 1970, or what else is wrong with it comes up again below.
            _ => Timestamp(0),
        };
        match check(Duration::from_secs(u64::MAX)) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => Ok(Self {
                from,
                until: at(not_after),
            }),
            Err(error) => Err(text(&error)),
            Ok(_) => Err("has no end".to_owned()),
        }
    }

    /// Why it is not good at `now`.
    ///
    /// # Errors
    /// It is not good yet, or no longer.
    pub(super) fn check(self, now: Timestamp) -> Result<(), String> {
        if now < self.from {
            return Err(format!("is not good before {}", self.from.utc_text()));
        }
        if now > self.until {
            return Err(format!("has expired: {}", self.until.utc_text()));
        }
        Ok(())
    }

    /// Until when it is good, in words.
    pub(super) fn in_words(self) -> String {
        format!("good until {}", self.until.utc_text())
    }

    fn ends_soon(self, now: Timestamp) -> bool {
        now.after(ENDS_SOON) > self.until
    }
}

/// What an operator was told of the certificate in force.
#[derive(Default)]
pub(super) struct Reminder {
    told_at: Option<Timestamp>,
}

impl Reminder {
    /// What there is to say of the certificate in force: that it is not good, or ends soon. It is
    /// said once a day.
    pub(super) fn due(&mut self, validity: Validity, now: Timestamp) -> Option<String> {
        let what = match validity.check(now) {
            Err(what) => what,
            Ok(()) if validity.ends_soon(now) => format!("is only {}", validity.in_words()),
            Ok(()) => {
                self.told_at = None;
                return None;
            }
        };
        if self.told_at.is_some_and(|told_at| now.since(told_at) < DAY) {
            return None;
        }
        self.told_at = Some(now);
        Some(what)
    }
}

fn at(time: UnixTime) -> Timestamp {
    Timestamp(time.as_secs().saturating_mul(1000))
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// 2023-11-14.
    pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// A certificate and its key that are good from the one moment to the other.
    pub(crate) fn certificate(from: Timestamp, until: Timestamp) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let moment = |at: Timestamp| date_time_ymd(1970, 1, 1) + Duration::from_millis(at.0);
        (params.not_before, params.not_after) = (moment(from), moment(until));
        let certificate = params.self_signed(&key).unwrap();
        (certificate.der().to_vec(), key.serialize_der())
    }

    fn validity(from: Timestamp, until: Timestamp) -> Validity {
        Validity::of(&certificate(from, until).0.into()).unwrap()
    }

    #[test]
    fn a_certificate_says_from_when_until_when_it_is_good() {
        for (from, until) in [
            (NOW, NOW.after(DAY)),
            (NOW.before(900 * DAY), NOW.before(DAY)),
            (Timestamp(0), NOW.after(365_000 * DAY)),
        ] {
            assert_eq!(validity(from, until), Validity { from, until });
        }
        assert!(Validity::of(&b"no certificate".to_vec().into()).is_err());
    }

    #[test]
    fn a_certificate_is_good_between_its_two_moments() {
        let validity = validity(NOW, NOW.after(DAY));
        let before = validity.check(NOW.before(HOUR)).unwrap_err();
        assert_eq!(before, "is not good before Tue Nov 14 22:13:20 UTC 2023");
        assert_eq!(validity.check(NOW), Ok(()));
        assert_eq!(validity.check(NOW.after(DAY)), Ok(()));
        let after = validity.check(NOW.after(DAY + HOUR)).unwrap_err();
        assert_eq!(after, "has expired: Wed Nov 15 22:13:20 UTC 2023");
    }

    #[test]
    fn an_operator_hears_once_a_day_that_a_certificate_ends_from_two_weeks_before() {
        let (long, short) = (validity(NOW, NOW.after(99 * DAY)), NOW.after(20 * DAY));
        let short = validity(NOW, short);
        let mut reminder = Reminder::default();
        let heard: Vec<u32> = (0..24 * 22)
            .filter(|hour| reminder.due(short, NOW.after(HOUR * *hour)).is_some())
            .collect();
        let first = 6 * 24 + 1;
        let days: Vec<u32> = (0..16).map(|day| first + 24 * day).collect();
        assert_eq!(heard, days);
        assert_eq!(reminder.due(long, NOW.after(23 * DAY)), None);
    }
}
