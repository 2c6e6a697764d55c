//! Saved state of the PLIC.

use serde::{Deserialize, Serialize};

use super::model::{Context, Model};
use super::spec::{PRIORITY_MASK, SOURCES};
use crate::device::{SavedState, StateError};

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlicV1 {
    priority: Vec<u32>,
    level: [u32; 3],
    pending: [u32; 3],
    in_service: [u32; 3],
    contexts: Vec<ContextV1>,
}

/// One context of [`PlicV1`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextV1 {
    enable: [u32; 3],
    threshold: u32,
}

impl SavedState for PlicV1 {
    const KIND: &'static str = "plic";
    const VERSION: u64 = 1;
}

impl From<&Model> for PlicV1 {
    fn from(model: &Model) -> Self {
        let context = |c: &Context| ContextV1 { enable: c.enable, threshold: c.threshold };
        Self {
            priority: model.priority.to_vec(),
            level: model.level,
            pending: model.pending,
            in_service: model.in_service,
            contexts: model.contexts.iter().map(context).collect(),
        }
    }
}

impl PlicV1 {
    /// The controller of this state, which must have `contexts` contexts.
    pub(super) fn into_model(self, contexts: usize) -> Result<Model, StateError> {
        let mut model = Model::new(contexts);
        model.priority = self.priority.try_into().map_err(|priority: Vec<u32>| {
            Self::malformed(format!("{} priorities instead of {SOURCES}", priority.len()))
        })?;
        if self.contexts.len() != contexts {
            return Err(Self::malformed(format!(
                "{} contexts, where this machine has {contexts}",
                self.contexts.len()
            )));
        }
        for (to, from) in model.contexts.iter_mut().zip(self.contexts) {
            *to = Context { enable: from.enable, threshold: from.threshold };
        }
        (model.level, model.pending, model.in_service) =
            (self.level, self.pending, self.in_service);

        let words = [&model.level, &model.pending, &model.in_service]
            .into_iter()
            .chain(model.contexts.iter().map(|c| &c.enable));
        if model.priority[0] != 0 || words.into_iter().any(|bits| bits[0] & 1 != 0) {
            return Err(Self::malformed("it has interrupt source 0, which does not exist".into()));
        }
        let levels = model.priority.iter().chain(model.contexts.iter().map(|c| &c.threshold));
        if let Some(wide) = levels.into_iter().find(|p| **p > PRIORITY_MASK) {
            return Err(Self::malformed(format!("priority {wide} is above {PRIORITY_MASK}")));
        }
        Ok(model)
    }
}
