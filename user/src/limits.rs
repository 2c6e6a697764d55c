//! Resource limits that are kept for the guest, because they would bind Polyvisor itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Soft and hard limits by resource, of those that the guest has set.
#[derive(Debug, Default)]
pub struct Limits(Mutex<BTreeMap<u32, [u64; 2]>>);

impl Clone for Limits {
    fn clone(&self) -> Self {
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(Mutex::new(limits))
    }
}

impl Limits {
    /// What the guest has set.
    pub fn get(&self, resource: u32) -> Option<[u64; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&resource).copied()
    }

    /// Sets soft and hard limit.
    pub fn set(&self, resource: u32, limit: [u64; 2]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(resource, limit);
    }
}
