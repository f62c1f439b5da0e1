//! Every history replays: the recorded commands are those that the machines make of the recorded inputs.

use super::Judge;
use crate::verdict::{About, Findings, Where};

impl Judge<'_> {
    pub(super) fn replays(&self, findings: &mut Findings) {
        for history in &self.ledger.histories {
            findings.checked();
            if let Some(fault) = &history.replay_fault {
                let place = Where { workflow_id: &history.workflow_id, run_id: &history.run_id, at: history.last };
                findings.violated(place, &About::default(), format!("the history does not replay: {fault}"));
            }
        }
    }
}
