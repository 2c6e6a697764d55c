//! Hosts without a translator: everything is interpreted.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use super::NativeError;
use crate::cache::{Block, Cache};
use crate::guest::Guest;
use crate::jit::Exit;
use crate::jit::cell::CoreRef;

/// A translator that there is none of.
pub(crate) struct Native<G> {
    none: Infallible,
    guest: PhantomData<fn(G)>,
}

impl<G: Guest> Native<G> {
    pub(crate) fn new(_code_bytes: usize) -> Result<Option<Self>, NativeError> {
        Ok(None)
    }

    pub(crate) fn miss_code(&self) -> u64 {
        match self.none {}
    }

    pub(crate) fn kill(&self, _code: u64) {
        match self.none {}
    }

    pub(crate) fn chain(&self, _site: u64, _code: u64) {
        match self.none {}
    }

    pub(crate) fn enter(&self, _core: &mut CoreRef<G>, _code: u64) -> Exit {
        match self.none {}
    }

    pub(crate) fn compile(&self, _cache: &Cache<G>, _block: &Arc<Block<G>>) -> u64 {
        match self.none {}
    }

    pub(crate) fn settled(&self) {
        match self.none {}
    }

    pub(crate) fn make_room(&self, _cache: &Cache<G>) -> bool {
        match self.none {}
    }
}
