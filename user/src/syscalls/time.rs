//! What time it is: asked most often of all, so the host's kernel is left out of it where its
//! C library can answer.

use super::int;
use crate::host::call::plain;
use crate::host::time::now;
use crate::{Errno, Isa, Thread};

pub(crate) fn clock_gettime<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let time = now(int(a[0]))?;
    t.mem().write(a[1], &time)?;
    Ok(0)
}

pub(crate) fn gettimeofday<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    if a[0] == 0 || a[1] != 0 {
        // The time zone, which nobody asks for.
        return plain(libc::SYS_gettimeofday, a);
    }
    let [seconds, nanoseconds] = now(libc::CLOCK_REALTIME)?;
    t.mem().write(a[0], &[seconds, nanoseconds / 1000])?;
    Ok(0)
}

pub(crate) fn time<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let [seconds, _] = now(libc::CLOCK_REALTIME_COARSE)?;
    if a[0] != 0 {
        t.mem().write(a[0], &seconds)?;
    }
    Ok(seconds as u64)
}
