//! Who runs this process, and other facts that the kernel gave it at its start.
#![expect(unsafe_code, reason = "getauxval and getrandom")]

/// Users, groups, and whether they were changed by the program's file.
pub(crate) struct Identity {
    pub(crate) uid: u64,
    pub(crate) euid: u64,
    pub(crate) gid: u64,
    pub(crate) egid: u64,
    pub(crate) secure: u64,
}

/// A value of this process's own auxiliary vector; 0 if it has none of that kind.
pub(crate) fn auxv(kind: u64) -> u64 {
    // SAFETY: reads a table that the C library keeps; any number may be asked for.
    unsafe { libc::getauxval(kind) }
}

/// Of this process.
pub(crate) fn get() -> Identity {
    Identity {
        uid: auxv(libc::AT_UID),
        euid: auxv(libc::AT_EUID),
        gid: auxv(libc::AT_GID),
        egid: auxv(libc::AT_EGID),
        secure: auxv(libc::AT_SECURE),
    }
}

/// Fills `bytes` at random.
pub(crate) fn random(bytes: &mut [u8]) {
    // SAFETY: the kernel writes inside the slice. Up to 256 bytes come at once and always.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len().min(256), 0) };
}
