//! Frames that have a key.

use super::*;
use crate::keys::{DATA_KEY_BYTES, DataKey, KeyId, KeyRefusal};

const KEY: KeyId = KeyId(41);

fn give_key(engine: &Arc<dyn Engine>) {
    let key = DataKey::new(KEY, &[3; DATA_KEY_BYTES]).unwrap();
    engine.keys().put(key);
}

fn sealed(text: &str) -> Transaction {
    let mut transaction = append(LOG, text);
    transaction.appends[0].frame.key = Some(KEY);
    transaction
}

pub async fn a_frame_with_a_key_is_committed_and_read_with_that_key_alone(opener: &dyn Opener) {
    let engine = open(opener).await;
    let refused = engine.commit(sealed("too early")).await.unwrap_err();
    let why = KeyRefusal::Absent;
    assert!(
        matches!(refused, CommitError::Key { key: KEY, why: told } if told == why),
        "{refused:?}"
    );
    give_key(&engine);
    for text in ["one", "two"] {
        engine.commit(sealed(text)).await.unwrap();
    }
    engine.commit(append(LOG, "plain")).await.unwrap();
    let before = frames_from(&engine, LOG, Position::FIRST).await;
    let keys: Vec<_> = before.iter().map(|frame| frame.key).collect();
    assert_eq!(keys, [Some(KEY), Some(KEY), None]);
    let engine = reopen(opener, engine).await;
    let refused = engine.read(LOG, Position::FIRST, 1 << 20).await;
    assert!(
        matches!(refused, Err(StoreError::Key { key: KEY, .. })),
        "{refused:?}"
    );
    assert_eq!(engine.tip(LOG).unwrap(), Position(3));
    let behind = engine.readable_from(LOG, Position::FIRST).await;
    assert_eq!(
        behind.unwrap(),
        Position(2),
        "what was not sealed can be read"
    );
    give_key(&engine);
    let read = frames_from(&engine, LOG, Position::FIRST).await;
    assert_eq!(format!("{read:?}"), format!("{before:?}"));
    engine.keys().refuse(KEY, KeyRefusal::Disabled);
    let refused = engine.read(LOG, Position::FIRST, 1 << 20).await;
    assert!(refused.is_err());
    let plain = frames_from(&engine, LOG, Position(2)).await;
    assert_eq!(plain.len(), 1);
    for from in [0, 1, 2] {
        let behind = engine.readable_from(LOG, Position(from)).await;
        assert_eq!(behind.unwrap(), Position(2), "from {from}");
    }
    assert_eq!(
        engine.readable_from(LOG, Position(3)).await.unwrap(),
        Position(3)
    );
}
