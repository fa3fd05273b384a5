//! An attack with a victim beside it. Whatever the attacker does, the victim's records are all
//! delivered, and the attacker's end somewhere: delivered, dropped or failed.

use std::fs;

use millrace_tests::base64;
use serde_json::Value;

use crate::ground::{Ground, accounts_for};
use crate::guest::Guest;

/// Turns of the victim while an attack lasts.
const VICTIM_TURNS: usize = 3;
/// The attacker's manifest: it may take a fifth as long as the victim.
pub const MANIFEST: &str = "name = 'attacker'\nversion = '1'\n[limits]\nbatch_ms = 200\n";

/// An attack on batches: a component that harms when a marked record comes.
pub struct Attack {
    pub component: Vec<u8>,
    /// AWS's word for what happened to the marked record.
    pub code: &'static str,
    /// Part of the host's words for it.
    pub reason: &'static str,
}

impl Attack {
    /// A guest that traps.
    pub fn that_traps(guest: &Guest, reason: &'static str) -> Self {
        Self {
            component: guest.component(),
            code: "Lambda.FunctionError",
            reason,
        }
    }

    /// A guest that takes too long.
    pub fn that_takes_too_long(guest: &Guest) -> Self {
        Self {
            component: guest.component(),
            code: "Lambda.FunctionTimedOut",
            reason: "it took longer than 200 ms (batch_ms = 200)",
        }
    }

    /// A guest whose answer breaks the rules.
    pub fn that_lies(guest: &Guest, reason: &'static str) -> Self {
        Self {
            component: guest.component(),
            code: "Lambda.MissingRecordId",
            reason,
        }
    }

    /// The marked record fails alone and with a reason, those beside it are delivered, the stream
    /// goes on, and the victim notices nothing.
    pub async fn endured(self) {
        let ground = arena(&self.component).await;
        attack(&ground, &["before", "!", "after"]).await;
        assert_eq!(ground.delivered("attacker"), ["before", "after"]);
        let failed = ground.failed("attacker");
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0]["rawData"], base64("!"));
        assert_eq!(failed[0]["errorCode"], self.code, "{}", failed[0]);
        let message = failed[0]["errorMessage"].as_str().unwrap();
        assert!(message.contains(self.reason), "{message}");
        goes_on(&ground).await;
    }
}

/// A server with the attacker behind a delivery stream, and a victim.
pub async fn arena(attacker: &[u8]) -> Ground {
    arena_with(MANIFEST, attacker).await
}

/// The same with an attacker that asks for this.
pub async fn arena_with(manifest: &str, attacker: &[u8]) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("attacker");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    fs::write(folder.join("attacker.wasm"), attacker).unwrap();
    let ground = Ground::start(directory).await;
    ground.stream("attacker").await;
    ground
}

/// Hands the attacker its first records while the victim works, and accounts for each of them.
pub async fn attack(ground: &Ground, records: &[&str]) {
    let victim = async {
        for _ in 0..VICTIM_TURNS {
            ground.victim_works().await;
        }
    };
    tokio::join!(ground.deliver("attacker", records), victim);
    accounts_for(&ground.client.delivery("attacker").await, records.len());
}

/// A harmless record that comes afterwards is delivered.
pub async fn goes_on(ground: &Ground) {
    let mut delivered = ground.delivered("attacker");
    delivered.push("harmless".to_owned());
    ground.deliver("attacker", &["harmless"]).await;
    assert_eq!(ground.delivered("attacker"), delivered);
}

/// A component that takes the attacker's place is refused in these words and left alone; the
/// version before it goes on, and the victim notices nothing.
pub async fn is_refused_for_good(component: &[u8], why: &str) {
    let told = is_refused(component, &[why]).await;
    assert!(!told.contains("it will be tried again"), "{told}");
}

/// The same, whether or not it is tried again. What was told of it.
pub async fn is_refused(component: &[u8], whys: &[&str]) -> String {
    let ground = arena(&Guest::default().component()).await;
    let before = ground.plugin("attacker").await;
    assert_eq!(before["state"], "running", "{before}");
    replace(&ground, component);
    let page = ground.plugin_when_refused("attacker").await;
    let told = page["refused"].as_str().unwrap();
    for why in whys {
        assert!(told.contains(why), "{told}");
    }
    goes_on_with(&ground, &before, &page).await;
    told.to_owned()
}

/// The version in force is the one of before, and works.
pub async fn goes_on_with(ground: &Ground, before: &Value, now: &Value) {
    assert_eq!(
        (&now["state"], &now["hash"]),
        (&before["state"], &before["hash"])
    );
    goes_on(ground).await;
    let status = ground.client.delivery("attacker").await;
    assert_eq!(status["versions"][0]["hash"], before["hash"], "{status}");
}

/// Puts a component into the place of the attacker's, whole at once.
pub fn replace(ground: &Ground, component: &[u8]) {
    let folder = ground.directory.path().join("attacker");
    fs::write(folder.join("staged"), component).unwrap();
    fs::rename(folder.join("staged"), folder.join("attacker.wasm")).unwrap();
}
