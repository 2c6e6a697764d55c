//! What Linux shows to programs, by architecture: plain facts.

/// Facts that the loader and the system calls need.
#[derive(Debug)]
pub struct Abi {
    /// The name that users type: `riscv64`.
    pub name: &'static str,
    /// `e_machine` of its ELF files.
    pub elf_machine: u16,
    /// `machine` of uname(2).
    pub machine: &'static str,
    /// AT_PLATFORM.
    pub platform: Option<&'static str>,
    /// Where position-independent executables go, before randomization.
    pub exec_base: u64,
    /// Where other mappings end, before randomization.
    pub mmap_base: u64,
    /// Where the stack ends, before randomization.
    pub stack_top: u64,
    /// A program that says nothing about its stack gets an executable one.
    pub stack_executes: bool,
    /// AT_MINSIGSTKSZ, bytes: what a signal frame takes, and some more.
    pub min_signal_stack: u64,
    /// Rows of the system calls by number.
    pub syscalls: &'static [u16],
    /// The host's numbers of those that its kernel gets as they are, by number; -1 for others.
    pub host_calls: &'static [i16],
    /// struct stat and struct semid64_ds are those of asm-generic, struct epoll_event is aligned.
    pub generic_structs: bool,
    /// O_DIRECTORY, O_NOFOLLOW, O_DIRECT and O_LARGEFILE are numbered as on Arm.
    pub arm_open_flags: bool,
    /// mmap(2) has MAP_32BIT.
    pub map_32bit: bool,
    /// The functions of the vDSO.
    pub vdso: VdsoAbi,
}

/// What the vDSO of an architecture has.
#[derive(Debug)]
pub struct VdsoAbi {
    /// The version of its symbols.
    pub version: &'static str,
    /// Names of the functions, and the numbers of the system calls that they make.
    pub functions: &'static [(&'static str, u32)],
    /// Code of a function that makes a system call and returns, by its number.
    pub code: fn(u32) -> Vec<u8>,
    /// Where signal handlers return to, with the symbol's name; no symbol if it is empty.
    pub sigreturn: (&'static str, u32),
}

/// Programs lie in the lower two thirds of the address space, the stack highest.
pub(super) const EXEC_BASE: u64 = 0x2aaa_0000_0000;
/// The end of mappings.
pub(super) const MMAP_BASE: u64 = 0x3fff_0000_0000;
/// The end of the stack.
pub(super) const STACK_TOP: u64 = 0x4000_0000_0000;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `li a7, number; ecall; ret`
fn riscv_call(number: u32) -> Vec<u8> {
    words(&[0x893 | number << 20, 0x73, 0x8067])
}

/// `mov x8, #number; svc #0; ret`
fn arm_call(number: u32) -> Vec<u8> {
    words(&[0xd280_0008 | number << 5, 0xd400_0001, 0xd65f_03c0])
}

/// `mov eax, number; syscall; ret`
fn x86_call(number: u32) -> Vec<u8> {
    let mut code = vec![0xb8];
    code.extend(number.to_le_bytes());
    code.extend([0x0f, 0x05, 0xc3]);
    code
}

/// riscv64, lp64d.
pub static RISCV64: Abi = Abi {
    name: "riscv64",
    elf_machine: 243,
    machine: "riscv64",
    platform: None,
    exec_base: EXEC_BASE,
    mmap_base: MMAP_BASE,
    stack_top: STACK_TOP,
    stack_executes: false,
    min_signal_stack: 2048,
    syscalls: &crate::syscalls::RISCV64,
    host_calls: &crate::syscalls::RISCV64_HOST,
    generic_structs: true,
    arm_open_flags: false,
    map_32bit: false,
    vdso: VdsoAbi {
        version: "LINUX_4.15",
        functions: &[
            ("__vdso_clock_gettime", 113),
            ("__vdso_clock_getres", 114),
            ("__vdso_gettimeofday", 169),
            ("__vdso_getcpu", 168),
            ("__vdso_riscv_hwprobe", 258),
            ("__vdso_flush_icache", 259),
        ],
        code: riscv_call,
        sigreturn: ("__vdso_rt_sigreturn", 139),
    },
};

/// aarch64, lp64.
pub static AARCH64: Abi = Abi {
    name: "aarch64",
    elf_machine: 183,
    machine: "aarch64",
    platform: Some("aarch64"),
    exec_base: EXEC_BASE,
    mmap_base: MMAP_BASE,
    stack_top: STACK_TOP,
    stack_executes: false,
    min_signal_stack: 5120,
    syscalls: &crate::syscalls::AARCH64,
    host_calls: &crate::syscalls::AARCH64_HOST,
    generic_structs: true,
    arm_open_flags: true,
    map_32bit: false,
    vdso: VdsoAbi {
        version: "LINUX_2.6.39",
        functions: &[
            ("__kernel_clock_gettime", 113),
            ("__kernel_clock_getres", 114),
            ("__kernel_gettimeofday", 169),
        ],
        code: arm_call,
        sigreturn: ("__kernel_rt_sigreturn", 139),
    },
};

/// x86-64, the System V ABI.
pub static X86_64: Abi = Abi {
    name: "x86_64",
    elf_machine: 62,
    machine: "x86_64",
    platform: Some("x86_64"),
    exec_base: EXEC_BASE,
    mmap_base: MMAP_BASE,
    stack_top: STACK_TOP,
    stack_executes: true,
    min_signal_stack: 2048,
    syscalls: &crate::syscalls::X86_64,
    host_calls: &crate::syscalls::X86_64_HOST,
    generic_structs: false,
    arm_open_flags: false,
    map_32bit: true,
    vdso: VdsoAbi {
        version: "LINUX_2.6",
        functions: &[
            ("__vdso_clock_gettime", 228),
            ("__vdso_clock_getres", 229),
            ("__vdso_gettimeofday", 96),
            ("__vdso_time", 201),
            ("__vdso_getcpu", 309),
        ],
        code: x86_call,
        sigreturn: ("", 15),
    },
};

/// `e_machine` of the programs that the host runs itself.
pub const HOST_MACHINE: u16 = 62;

/// The architectures that can be run, by `e_machine`.
pub fn by_machine(machine: u16) -> Option<&'static Abi> {
    [&RISCV64, &AARCH64, &X86_64].into_iter().find(|abi| abi.elf_machine == machine)
}
