//! The process, its limits, and what the kernel tells about itself.

use super::int;
use crate::host::call::plain;
use crate::space::END;
use crate::{Errno, Isa, Thread};

/// struct utsname: six strings of this size; the machine's is the fifth.
const NAME: usize = 65;
const MACHINE: usize = 4 * NAME;

pub(crate) fn uname<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let mut names = [0u8; 6 * NAME];
    plain(libc::SYS_uname, [names.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    let machine = G::ABI.machine.as_bytes();
    names[MACHINE..MACHINE + NAME].fill(0);
    names[MACHINE..MACHINE + machine.len()].copy_from_slice(machine);
    t.mem().write_bytes(a[0], &names)?;
    Ok(0)
}

/// Limits that would bind Polyvisor's own memory and stack too: the guest sees what it sets.
fn is_of_memory(resource: u64) -> bool {
    let resource = resource as u32;
    resource == libc::RLIMIT_AS || resource == libc::RLIMIT_DATA
}

pub(crate) fn prlimit64<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let own = a[0] == 0 || a[0] == u64::from(std::process::id());
    if !own || !is_of_memory(a[1]) {
        return plain(libc::SYS_prlimit64, a);
    }
    let kept = t.process.limits.get(a[1] as u32);
    match kept {
        Some(limit) if a[3] != 0 => t.mem().write(a[3], &limit)?,
        _ => {
            plain(libc::SYS_prlimit64, [0, a[1], 0, a[3], 0, 0])?;
        }
    }
    if a[2] != 0 {
        let limit: [u64; 2] = t.mem().read(a[2])?;
        if limit[0] > limit[1] {
            return Err(Errno::EINVAL);
        }
        t.process.limits.set(a[1] as u32, limit);
    }
    Ok(0)
}

pub(crate) fn setrlimit<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    prlimit64(t, [0, a[0], a[1], 0, 0, 0])
}

pub(crate) fn getrlimit<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    prlimit64(t, [0, a[0], 0, a[1], 0, 0])
}

/// The bit of personality(2) that makes readable memory executable.
const READ_IMPLIES_EXEC: u32 = 0x40_0000;

pub(crate) fn personality<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    let wanted = a[0] as u32;
    if wanted != u32::MAX {
        t.process.space.set_read_executes(wanted & READ_IMPLIES_EXEC != 0);
    }
    plain(libc::SYS_personality, a)
}

/// Operations of prctl(2) that mean the same for the guest as for us. The others speak of the
/// processor, of Polyvisor's own memory, or of filters that would judge Polyvisor's calls.
const ALLOWED: &[i32] = &[
    1,
    2, // PDEATHSIG
    3,
    4, // DUMPABLE
    7,
    8, // KEEPCAPS
    13,
    14, // TIMING
    15,
    16, // NAME
    23,
    24, // CAPBSET
    27,
    28, // SECUREBITS
    29,
    30, // TIMERSLACK
    31,
    32, // TASK_PERF_EVENTS
    33,
    34, // MCE_KILL
    36,
    37, // CHILD_SUBREAPER
    38,
    39, // NO_NEW_PRIVS
    41,
    42, // THP_DISABLE
    47, // CAP_AMBIENT
    57,
    58, // IO_FLUSHER
    62, // SCHED_CORE
    67,
    68,          // MEMORY_MERGE
    0x5961_6d61, // PTRACER
    0x5356_4d41, // VMA
];
const PR_GET_SECCOMP: i32 = 21;

pub(crate) fn prctl<G: Isa>(_: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    match int(a[0]) {
        PR_GET_SECCOMP => Ok(0),
        allowed if ALLOWED.contains(&allowed) => plain(libc::SYS_prctl, a),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn arch_prctl<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    match G::arch_prctl(t.state(), int(a[0]), a[1])? {
        Some(value) => t.mem().write(a[1], &value).map(|()| 0),
        None => Ok(0),
    }
}

pub(crate) fn riscv_flush_icache<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    /// SYS_RISCV_FLUSH_ICACHE_LOCAL of asm/cachectl.h.
    const LOCAL: u64 = 1;
    if a[2] & !LOCAL != 0 {
        return Err(Errno::EINVAL);
    }
    // Stores to pages with code are seen as they happen. What was written through another
    // mapping of the same memory is not: that is what is dropped here.
    let (start, end) = (a[0].min(END), a[1].min(END));
    if start < end {
        t.process.machine.written(start, (end - start) as usize);
    }
    Ok(0)
}

/// A key of riscv_hwprobe that is not known.
const UNKNOWN_KEY: u64 = u64::MAX;
/// Pairs that one call may ask for: there are fewer keys than that.
const MOST_PAIRS: u64 = 1024;

pub(crate) fn riscv_hwprobe<G: Isa>(t: &mut Thread<G>, a: [u64; 6]) -> Result<u64, Errno> {
    /// RISCV_HWPROBE_WHICH_CPUS: which processors have these values. All are alike.
    const WHICH_CPUS: u64 = 1;
    if a[4] & !WHICH_CPUS != 0 || a[1] > MOST_PAIRS {
        return Err(Errno::EINVAL);
    }
    let mut all_agree = true;
    for at in (0..a[1]).map(|i| a[0].wrapping_add(16 * i)) {
        let [key, wanted]: [u64; 2] = t.mem().read(at)?;
        let value = G::hwprobe(t.process.options(), key);
        if a[4] == 0 {
            let answer = value.map_or([UNKNOWN_KEY, 0], |value| [key, value]);
            t.mem().write(at, &answer)?;
        } else {
            all_agree &= value.is_some_and(|value| value & wanted == wanted);
        }
    }
    if a[4] != 0 && !all_agree {
        let len = a[2].min(128) as usize;
        t.mem().write_bytes(a[3], &vec![0; len])?;
    }
    Ok(0)
}
