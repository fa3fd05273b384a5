//! What a server says while it lets a user in is looked at before it is believed: one that asks for
//! as many rounds of hashing as it can count to would keep a thread busy for as long as it likes.
//! Pure.
//!
//! ```text
//! (kind 1 byte | length 4 bytes, with itself | content), one after the other
//! kind R, content 11 and `r=...,s=...,i=<rounds>`   SCRAM (RFC 5802, server-first-message)
//! kind Z                                            the user is in
//! ```

/// Rounds of hashing that a password is put through: what takes some milliseconds, for which nobody
/// else is served on the thread. A server asks for 4,096 unless it is told otherwise (PostgreSQL,
/// `scram_iterations`).
const ROUNDS_MAX: u32 = 16_384;
/// Bytes of what stands before the content of a message.
const HEAD_BYTES: usize = 5;
/// A message that is about letting in, and the one of these that asks for rounds.
const AUTHENTICATION: u8 = b'R';
const GO_ON: [u8; 4] = 11_u32.to_be_bytes();
/// The server waits to be asked.
const READY: u8 = b'Z';

/// What was read of the message that has begun. No more of it is read than of any answer.
#[derive(Default)]
pub struct Login {
    begun: Vec<u8>,
    is_over: bool,
}

impl Login {
    /// Takes in what was read, before anybody else does.
    ///
    /// # Errors
    /// When more is asked for than is done.
    pub fn sees(&mut self, read: &[u8]) -> Result<(), String> {
        if self.is_over {
            return Ok(());
        }
        self.begun.extend_from_slice(read);
        while let Some((kind, bytes)) = self.message() {
            let message: Vec<u8> = self.begun.drain(..bytes).collect();
            if kind == READY {
                self.is_over = true;
                self.begun = Vec::new();
                return Ok(());
            }
            let content = message.get(HEAD_BYTES..).unwrap_or_default();
            if let (AUTHENTICATION, Some(challenge)) = (kind, content.strip_prefix(&GO_ON)) {
                check(challenge)?;
            }
        }
        Ok(())
    }

    /// The kind and the bytes of the first message, if it is whole.
    fn message(&self) -> Option<(u8, usize)> {
        let [kind, a, b, c, d, ..] = self.begun[..] else {
            return None;
        };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let bytes = length.max(HEAD_BYTES - 1) + 1;
        (bytes <= self.begun.len()).then_some((kind, bytes))
    }
}

fn check(challenge: &[u8]) -> Result<(), String> {
    let challenge = String::from_utf8_lossy(challenge);
    let rounds = challenge.split(',').find_map(|it| it.strip_prefix("i="));
    match rounds.map(str::parse::<u32>) {
        Some(Ok(rounds)) if rounds > ROUNDS_MAX => Err(format!(
            "it asks for {rounds} rounds of hashing, which are more than {ROUNDS_MAX}"
        )),
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err("it does not say how often to hash".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, content].concat()
    }

    fn challenge(text: &str) -> Vec<u8> {
        message(AUTHENTICATION, &[&GO_ON, text.as_bytes()].concat())
    }

    /// What comes of bytes that are read so many at a time.
    fn seen(bytes: &[u8], at_once: usize) -> Result<bool, String> {
        let mut login = Login::default();
        for read in bytes.chunks(at_once) {
            login.sees(read)?;
        }
        Ok(login.is_over)
    }

    #[test]
    fn nobody_hashes_for_as_long_as_a_server_likes() {
        let before = message(AUTHENTICATION, &10_u32.to_be_bytes());
        let ready = message(READY, b"I");
        for at_once in 1..60 {
            for (text, is_fine) in [
                ("r=a,s=b,i=4096", true),
                ("r=a,s=b,i=16384", true),
                ("r=a,s=b,i=16385", false),
                ("r=a,s=b,i=4294967295", false),
                ("r=a,s=b,i=4294967296", false),
                ("r=a,s=b", false),
            ] {
                let bytes = [before.clone(), challenge(text), ready.clone()].concat();
                let seen = seen(&bytes, at_once);
                assert_eq!(seen.is_ok(), is_fine, "{text}: {seen:?}");
                assert!(seen.is_err() || seen == Ok(true));
            }
        }
    }

    #[test]
    fn what_comes_later_is_not_looked_at() {
        let bytes = [message(READY, b"I"), challenge("r=a,s=b,i=9999999")].concat();
        assert_eq!(seen(&bytes, 3), Ok(true));
        assert_eq!(seen(&challenge("i=1")[..9], 1), Ok(false));
        // A length that is none ends nothing.
        assert_eq!(seen(&[b'R', 0, 0, 0, 0, b'Z', 0, 0, 0, 5, 0], 1), Ok(true));
    }
}
