//! Hosts without a translator: everything is interpreted.
#![expect(unsafe_code, reason = "asks for the promises that hosts with a translator rest on")]

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use super::NativeError;
use crate::cache::{Block, Cache};
use crate::guest::Guest;
use crate::jit::cell::CoreRef;
use crate::jit::{Exit, Translated};
use crate::testing::HostCode;
use crate::user::{HostCalls, Labels};
use crate::vcpu::Core;

/// What translates.
pub(crate) const HOST: &str = "none";

/// A translator that there is none of.
pub(crate) struct Native<G> {
    none: Infallible,
    guest: PhantomData<fn(G)>,
}

/// Contexts of signal handlers: user mode, which uses them, is refused.
pub mod context {
    use crate::user::CodeRange;

    /// As on hosts with user mode.
    pub struct Interrupted(());

    impl Interrupted {
        /// As on hosts with user mode.
        ///
        /// # Safety
        /// As there; here nothing rests on it.
        pub unsafe fn new(_: *mut std::ffi::c_void) -> Self {
            Self(())
        }

        /// As on hosts with user mode.
        pub fn catch(&mut self, _: &CodeRange, _: i32, _: i32, _: u64) -> bool {
            false
        }

        /// As on hosts with user mode.
        pub fn restart_syscall(&mut self, _: Option<&CodeRange>) {}

        /// As on hosts with user mode.
        pub fn set_blocked(&mut self, _: u64) {}
    }
}

/// System calls of guests: user mode, which makes them, is refused.
pub mod syscall {
    /// As on hosts with user mode.
    pub const RESTART: i32 = 512;

    /// As on hosts with user mode.
    ///
    /// # Safety
    /// As there; here nothing rests on it.
    pub unsafe fn plain(_: i64, _: &[u64; 6]) -> i64 {
        i64::from(-libc::ENOSYS)
    }

    /// As on hosts with user mode.
    ///
    /// # Safety
    /// As there; here nothing rests on it.
    pub unsafe fn syscall(_: &std::sync::atomic::AtomicU32, _: i64, _: &[u64; 6]) -> i64 {
        i64::from(-libc::ENOSYS)
    }
}

/// Accessors that there are none of: user mode is refused before one is called.
pub(crate) mod direct {
    pub(crate) const AVAILABLE: bool = false;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Answer {
        pub(crate) value: u64,
        pub(crate) fault: u64,
    }

    /// Nothing is mapped anywhere.
    const NONE: Answer = Answer { value: 0, fault: (libc::SIGSEGV as u64) << 32 | 1 };

    pub(crate) fn load(_: u64, _: u8) -> Answer {
        NONE
    }

    pub(crate) fn store(_: u64, _: u64, _: u8) -> Answer {
        NONE
    }

    pub(crate) fn swap(_: u64, _: u64, _: u8) -> Answer {
        NONE
    }

    pub(crate) fn add(_: u64, _: u64, _: u8) -> Answer {
        NONE
    }

    pub(crate) fn cas(_: u64, _: u64, _: u64, _: u8) -> Answer {
        NONE
    }

    pub(crate) fn copy_in(_: &mut [u8], _: u64) -> Answer {
        NONE
    }

    pub(crate) fn copy_out(_: u64, _: &[u8]) -> Answer {
        NONE
    }

    pub(crate) fn copy(_: u64, _: u64, _: u64) -> Answer {
        NONE
    }

    pub(crate) fn fill(_: u64, _: u64, _: u64) -> Answer {
        NONE
    }

    pub(crate) fn landing(_: u64) -> Option<u64> {
        None
    }
}

/// The translator that there is none of, while a process splits in two.
pub(crate) struct ForkedCode<'a, G> {
    native: &'a Native<G>,
}

impl<G: Guest> ForkedCode<'_, G> {
    pub(crate) fn copy(&mut self) -> Result<(), NativeError> {
        match self.native.none {}
    }

    pub(crate) fn in_child(self) {
        match self.native.none {}
    }
}

impl<G: Guest> Native<G> {
    pub(crate) fn new(
        _code_bytes: usize,
        _user: Option<&HostCalls>,
    ) -> Result<Option<Self>, NativeError> {
        Ok(None)
    }

    pub(crate) fn miss_code(&self) -> u64 {
        match self.none {}
    }

    pub(crate) fn code_range(&self) -> (u64, u64, u64) {
        match self.none {}
    }

    pub(crate) fn translated(&self) -> Translated {
        match self.none {}
    }

    pub(crate) fn call_labels(&self) -> Labels {
        match self.none {}
    }

    pub(crate) fn bulk_labels(&self) -> Labels {
        match self.none {}
    }

    pub(crate) fn kill(&self, _block: &Block<G>, _code: u64) {
        match self.none {}
    }

    pub(crate) fn chain(&self, _site: u64, _code: u64) {
        match self.none {}
    }

    pub(crate) fn enter(&self, _core: &mut CoreRef<G>, _code: u64) -> Exit {
        match self.none {}
    }

    pub(crate) fn compile(
        &self,
        _cache: &Cache<G>,
        _block: &Arc<Block<G>>,
        _page: &mut dyn FnMut() -> Option<Vec<u8>>,
    ) -> u64 {
        match self.none {}
    }

    pub(crate) fn listing(&self, _code: u64) -> HostCode {
        match self.none {}
    }

    pub(crate) fn before_fork(&self) -> ForkedCode<'_, G> {
        match self.none {}
    }

    pub(crate) fn finish_call(&self, _core: &mut Core<G>) -> Result<(), G::Exception> {
        match self.none {}
    }

    pub(crate) fn lock(&self) {
        match self.none {}
    }

    pub(crate) fn settled(&self) {
        match self.none {}
    }

    pub(crate) fn make_room(&self, _cache: &Cache<G>) -> bool {
        match self.none {}
    }
}
