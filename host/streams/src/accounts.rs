//! What an account has settled for all its streams of a region. It is looked up in its row, where
//! it is also changed: few ask, and nothing of it lies in memory.

use bincode::{Decode, Encode};
use store::{CommitError, Expect, StoreError, TableWrite, Version};
use types::{Caller, Timestamp};

use crate::Streams;
use crate::codec;
use crate::commitment::{Commitment, CommitmentStatus};
use crate::rows;
use crate::tables::{ACCOUNTS, account_key};

/// How often a change is tried that others change beneath it. After that it is refused as one too
/// many.
const TRIES_MAX: usize = 8;

#[derive(Encode, Decode)]
struct AccountRow {
    commitment: Option<CommitmentRow>,
}

#[derive(Encode, Decode)]
struct CommitmentRow {
    started_at_ms: u64,
    ends_at_ms: Option<u64>,
}

impl Streams {
    /// The commitment of an account in a region, if it ever made one.
    pub(crate) async fn commitment(
        &self,
        caller: &Caller,
    ) -> Result<Option<Commitment>, StoreError> {
        Ok(self.account_row(caller).await?.0)
    }

    /// Whether an account can have streams with a warm throughput now.
    pub(crate) async fn is_committed(&self, caller: &Caller) -> Result<bool, StoreError> {
        let commitment = self.commitment(caller).await?;
        let status = commitment.map(|commitment| commitment.status(self.now()));
        Ok(status.is_some_and(|status| status != CommitmentStatus::Disabled))
    }

    /// Makes a commitment or ends it, and gives what became of it once that is durable.
    pub(crate) async fn commit_account(
        &self,
        caller: &Caller,
        enable: bool,
    ) -> Result<Option<Commitment>, CommitError> {
        for _ in 0..TRIES_MAX {
            let (before, version) = self.account_row(caller).await.map_err(CommitError::Store)?;
            let now = self.now();
            let after = match before {
                before if enable => Some(Commitment::enabled(before, now)),
                before => before.map(|before| before.disabled(now)),
            };
            if after == before {
                return Ok(after);
            }
            let write = account_write(caller, after, version).map_err(CommitError::Store)?;
            match rows::write_alone(&*self.engine, write).await {
                Ok(()) => return Ok(after),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CommitError::Busy)
    }

    async fn account_row(
        &self,
        caller: &Caller,
    ) -> Result<(Option<Commitment>, Option<Version>), StoreError> {
        let Some(row) = self.engine.get(ACCOUNTS, &account_key(caller)).await? else {
            return Ok((None, None));
        };
        let account: AccountRow = codec::decode("accounts", &row.value)?;
        let commitment = account.commitment.map(|commitment| Commitment {
            started_at: Timestamp(commitment.started_at_ms),
            ends_at: commitment.ends_at_ms.map(Timestamp),
        });
        Ok((commitment, Some(row.version)))
    }
}

fn account_write(
    caller: &Caller,
    commitment: Option<Commitment>,
    version: Option<Version>,
) -> Result<TableWrite, StoreError> {
    let row = AccountRow {
        commitment: commitment.map(|commitment| CommitmentRow {
            started_at_ms: commitment.started_at.0,
            ends_at_ms: commitment.ends_at.map(|at| at.0),
        }),
    };
    Ok(TableWrite {
        table: ACCOUNTS,
        key: account_key(caller),
        value: Some(codec::encode(&row)?),
        expect: version.map_or(Expect::Absent, Expect::Version),
    })
}
