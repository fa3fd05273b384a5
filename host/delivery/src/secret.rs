//! What a destination knows us by.

use std::fmt;

use bincode::{Decode, Encode};
use memchr::memmem;

/// Bytes of a secret that is looked for. A shorter one is in texts that do not mean it.
const LOOKED_FOR_BYTES_MIN: usize = 8;
/// What stands where a secret was.
const CROSSED_OUT: &[u8] = b"[secret]";

/// A secret: it is sent, and never logged.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// A text without the secret.
    pub fn crossed_out_of(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.cross_out(&mut bytes);
        // It is text as it was, unless the secret begins or ends within a sign.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Takes the secret out of what a destination answered. One that repeats the request, as pages
    /// of proxies do, would have it in logs and in lines of failed records.
    pub fn cross_out(&self, answer: &mut Vec<u8>) {
        let secret = self.0.as_bytes();
        if secret.len() < LOOKED_FOR_BYTES_MIN || memmem::find(answer, secret).is_none() {
            return;
        }
        let (mut clean, mut after) = (Vec::new(), 0);
        for at in memmem::find_iter(answer, secret) {
            clean.extend_from_slice(&answer[after..at]);
            clean.extend_from_slice(CROSSED_OUT);
            after = at + secret.len();
        }
        clean.extend_from_slice(&answer[after..]);
        *answer = clean;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_no_answer_that_is_shown() {
        let secret = Secret("open sesame".to_owned());
        for (answer, clean) in [
            (
                "you said open sesame, open sesame",
                "you said [secret], [secret]",
            ),
            ("open sesam", "open sesam"),
            ("open sesame", "[secret]"),
            ("", ""),
        ] {
            let mut answer = answer.as_bytes().to_vec();
            secret.cross_out(&mut answer);
            assert_eq!(String::from_utf8(answer).unwrap(), clean);
        }
        let mut answer = b"a cat".to_vec();
        Secret("a".to_owned()).cross_out(&mut answer);
        assert_eq!(answer, b"a cat");
    }
}
