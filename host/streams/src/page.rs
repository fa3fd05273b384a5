//! Page tokens: where a list goes on, for the 300 seconds that AWS keeps them.

use bincode::{Decode, Encode};
use store::StoreError;
use types::Timestamp;
use types::limits::PAGE_TOKEN_LIFETIME;

use crate::codec;
use crate::seal::{Purpose, SealingKey};

/// Why a page token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// This server did not make it for this list.
    Invalid,
    /// It was made too long ago.
    Expired {
        /// When it was made.
        issued_at: Timestamp,
    },
}

/// Seals `page`, which says where the list goes on.
///
/// # Errors
/// The page cannot be written. Without its token the list would seem to end here.
pub fn seal<T: Encode>(
    key: &SealingKey,
    purpose: Purpose,
    page: &T,
    now: Timestamp,
) -> Result<String, StoreError> {
    let mut payload = now.0.to_be_bytes().to_vec();
    payload.extend_from_slice(&codec::encode(page)?);
    Ok(key.seal(purpose, &payload))
}

/// Reads what [`seal`] made.
pub fn open<T: Decode<()>>(
    key: &SealingKey,
    purpose: Purpose,
    token: &str,
    now: Timestamp,
) -> Result<T, PageError> {
    let payload = key.open(purpose, token).ok_or(PageError::Invalid)?;
    let (issued_at, page) = payload.split_first_chunk().ok_or(PageError::Invalid)?;
    let issued_at = Timestamp(u64::from_be_bytes(*issued_at));
    if now.since(issued_at) > PAGE_TOKEN_LIFETIME {
        return Err(PageError::Expired { issued_at });
    }
    codec::decode("page tokens", page).map_err(|_| PageError::Invalid)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_page_token_is_good_for_300_seconds_and_for_its_own_list() {
        let key = SealingKey::new([3; 32]);
        let noon = Timestamp(43_200_000);
        let token = seal(&key, Purpose::Shards, &("clicks".to_owned(), 7_u32), noon).unwrap();
        let open = |purpose, now| open::<(String, u32)>(&key, purpose, &token, now);
        let last = noon.after(Duration::from_secs(300));
        assert_eq!(open(Purpose::Shards, last), Ok(("clicks".to_owned(), 7)));
        assert_eq!(
            open(Purpose::Shards, Timestamp(last.0 + 1)),
            Err(PageError::Expired { issued_at: noon })
        );
        assert_eq!(open(Purpose::Streams, noon), Err(PageError::Invalid));
    }
}
