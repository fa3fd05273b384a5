//! What the server's pages about tables say.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct Tables {
    pub(super) tables: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) key: Vec<String>,
    pub(super) indexes: Vec<String>,
    pub(super) created_at_ms: u64,
}

#[derive(Deserialize)]
pub(super) struct ItemPage {
    pub(super) key: Vec<String>,
    pub(super) items: Vec<Item>,
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    /// Attributes as DynamoDB writes them: `{"key": {"S": "text"}}`.
    pub(super) item: Value,
    pub(super) version: u64,
}
