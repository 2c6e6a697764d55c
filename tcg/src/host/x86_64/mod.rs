//! temporary
use crate::cache::Block;
use crate::guest::Guest;
use crate::jit::{Exit, cell::CoreRef};
use crate::machine::Machine;
use std::marker::PhantomData;
use std::sync::Arc;
pub(crate) struct Native<G>(PhantomData<fn(G)>);
impl<G: Guest> Native<G> {
    pub(crate) fn new(_: usize) -> Result<Option<Self>, super::NativeError> {
        Ok(None)
    }
    pub(crate) fn miss_code(&self) -> u64 {
        0
    }
    pub(crate) fn kill(&self, _: u64) {}
    pub(crate) fn enter(&self, _: &mut CoreRef<G>, _: u64) -> Exit {
        Exit::Jump
    }
    pub(crate) fn chain(&self, _: u64, _: u64) {}
    pub(crate) fn compile(&self, _: &Machine<G>, _: &Arc<Block<G>>) -> u64 {
        0
    }
}
