//! Resource limits.

use super::call::plain;

/// The soft limit of a resource; `None` if there is none.
pub(crate) fn soft(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = [0u64; 2];
    let args = [0, u64::from(resource), 0, limit.as_mut_ptr() as u64, 0, 0];
    plain(libc::SYS_prlimit64, args).ok()?;
    (limit[0] != libc::RLIM_INFINITY).then_some(limit[0])
}
