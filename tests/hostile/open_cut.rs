//! A cut of which one object is put and another is not, before and after a restart.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use wasm::Limits;

use crate::ground::{Ground, accounts_for};

/// A cut of these records is half put through this plugin: the object of delivered ones is there,
/// that of failed ones still finds a file where its folder should be.
pub async fn half_put(component: &[u8], limits: Limits, records: &[&str]) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("attacker.wasm"), component).unwrap();
    let ground = Ground::start_within(directory, limits).await;
    ground.stream("attacker").await;
    let bucket = ground.service.buckets().join("attacker");
    fs::create_dir(&bucket).unwrap();
    fs::write(bucket.join("failed"), "").unwrap();
    ground.client.put_delivery("attacker", records).await;
    ground.service.pass(Duration::from_secs(1_000));
    let is_half = |page: &Value| page["lastObject"].is_string() && page["trouble"].is_string();
    ground.client.delivery_until("attacker", is_half).await;
    ground
}

/// The server anew, whose plugins may use this.
pub async fn restarted(ground: Ground, limits: Limits) -> Ground {
    let service = ground.service.restart_within(limits).await;
    Ground {
        client: service.client(),
        service,
        directory: ground.directory,
    }
}

/// Puts the cut to its end.
pub async fn finished(ground: &Ground, records: &[&str]) {
    fs::remove_file(ground.service.buckets().join("attacker/failed")).unwrap();
    let is_done = |page: &Value| page["waitingRecords"] == 0;
    let page = ground.client.delivery_until("attacker", is_done).await;
    accounts_for(&page, records.len());
}
