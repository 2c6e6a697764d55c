//! Resource limits.

use super::call::plain;

/// The soft and the hard limit of a resource.
pub(crate) fn get(resource: libc::__rlimit_resource_t) -> Option<[u64; 2]> {
    let mut limit = [0u64; 2];
    let args = [0, u64::from(resource), 0, limit.as_mut_ptr() as u64, 0, 0];
    plain(libc::SYS_prlimit64, args).ok().map(|_| limit)
}

/// Sets both limits; says whether that was possible.
pub(crate) fn set(resource: libc::__rlimit_resource_t, limit: [u64; 2]) -> bool {
    let args = [0, u64::from(resource), limit.as_ptr() as u64, 0, 0, 0];
    plain(libc::SYS_prlimit64, args).is_ok()
}

/// The soft limit of a resource; `None` if there is none.
pub(crate) fn soft(resource: libc::__rlimit_resource_t) -> Option<u64> {
    get(resource).map(|[soft, _]| soft).filter(|soft| *soft != libc::RLIM_INFINITY)
}
