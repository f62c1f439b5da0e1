//! Pages of running entities, from where the sweep before ended.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use interlock_client::{ServerError, visibility};

use super::Sweeper;

/// The time limit of the visibility store's answer.
const LIST_TIME: Duration = Duration::from_secs(10);

/// A page of entities.
pub(super) struct EntityPage {
    /// The workflow ids of the entities.
    pub(super) workflow_ids: Vec<String>,
    /// Where the next page begins. `None` if this is the last page.
    pub(super) cursor: Option<String>,
    /// Whether the store rejected the cursor, so that this is the first page.
    pub(super) restarted: bool,
}

impl Sweeper {
    /// A page of the entities in the namespace that match a query, from a cursor on.
    pub(super) async fn page(&self, query: &str, size: i32, cursor: Option<&str>) -> Result<EntityPage, ServerError> {
        let token = cursor.and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok()).unwrap_or_default();
        let client = &self.installation.client;
        let resumed = visibility::resume(client, &self.namespace, query, size, token, LIST_TIME).await?;
        let next = Some(resumed.page.next).filter(|token| !token.is_empty());
        Ok(EntityPage {
            workflow_ids: resumed.page.runs.into_iter().map(|run| run.workflow_id).collect(),
            cursor: next.map(|token| URL_SAFE_NO_PAD.encode(token)),
            restarted: resumed.restarted,
        })
    }
}
