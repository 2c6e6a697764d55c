//! Accesses to addresses that may not be mapped: a fault is answered, not died of.
//!
//! Every instruction between the two labels below that touches memory does so on behalf of the
//! guest, with nothing on the stack but the return address: when one faults, the handler of the
//! host's signal lets the thread go on at the landing pad, which returns what the handler has put
//! into rax (the address) and rdx (what happened; 0 if all went well).
#![expect(unsafe_code, reason = "reads and writes memory at addresses that a guest chose")]

use std::arch::global_asm;

/// What an access gave.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Answer {
    /// The value, zero-extended; the address of a fault.
    pub(crate) value: u64,
    /// 0, or the signal in the upper half and its code in the lower one.
    pub(crate) fault: u64,
}

/// There are accessors for this host.
pub(crate) const AVAILABLE: bool = true;

global_asm!(
    ".pushsection .text.polyvisor_direct,\"ax\",@progbits",
    ".balign 16",
    ".hidden polyvisor_direct_start",
    ".globl polyvisor_direct_start",
    "polyvisor_direct_start:",
    // Loads: rdi the address.
    ".hidden polyvisor_load8",
    ".globl polyvisor_load8",
    "polyvisor_load8: movzx eax, byte ptr [rdi]",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_load16",
    ".globl polyvisor_load16",
    "polyvisor_load16: movzx eax, word ptr [rdi]",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_load32",
    ".globl polyvisor_load32",
    "polyvisor_load32: mov eax, dword ptr [rdi]",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_load64",
    ".globl polyvisor_load64",
    "polyvisor_load64: mov rax, qword ptr [rdi]",
    "xor edx, edx",
    "ret",
    // Stores: rdi the address, rsi the value.
    ".hidden polyvisor_store8",
    ".globl polyvisor_store8",
    "polyvisor_store8: mov byte ptr [rdi], sil",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_store16",
    ".globl polyvisor_store16",
    "polyvisor_store16: mov word ptr [rdi], si",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_store32",
    ".globl polyvisor_store32",
    "polyvisor_store32: mov dword ptr [rdi], esi",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_store64",
    ".globl polyvisor_store64",
    "polyvisor_store64: mov qword ptr [rdi], rsi",
    "xor edx, edx",
    "ret",
    // Exchange, and exchange and add: rdi the address, rsi the value.
    ".hidden polyvisor_swap8",
    ".globl polyvisor_swap8",
    "polyvisor_swap8: xchg byte ptr [rdi], sil",
    "movzx eax, sil",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_swap16",
    ".globl polyvisor_swap16",
    "polyvisor_swap16: xchg word ptr [rdi], si",
    "movzx eax, si",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_swap32",
    ".globl polyvisor_swap32",
    "polyvisor_swap32: xchg dword ptr [rdi], esi",
    "mov eax, esi",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_swap64",
    ".globl polyvisor_swap64",
    "polyvisor_swap64: xchg qword ptr [rdi], rsi",
    "mov rax, rsi",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_add8",
    ".globl polyvisor_add8",
    "polyvisor_add8: lock xadd byte ptr [rdi], sil",
    "movzx eax, sil",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_add16",
    ".globl polyvisor_add16",
    "polyvisor_add16: lock xadd word ptr [rdi], si",
    "movzx eax, si",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_add32",
    ".globl polyvisor_add32",
    "polyvisor_add32: lock xadd dword ptr [rdi], esi",
    "mov eax, esi",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_add64",
    ".globl polyvisor_add64",
    "polyvisor_add64: lock xadd qword ptr [rdi], rsi",
    "mov rax, rsi",
    "xor edx, edx",
    "ret",
    // Compare and exchange: rdi the address, rsi the value to expect, rdx the new one.
    ".hidden polyvisor_cas8",
    ".globl polyvisor_cas8",
    "polyvisor_cas8: mov eax, esi",
    "lock cmpxchg byte ptr [rdi], dl",
    "movzx eax, al",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_cas16",
    ".globl polyvisor_cas16",
    "polyvisor_cas16: mov eax, esi",
    "lock cmpxchg word ptr [rdi], dx",
    "movzx eax, ax",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_cas32",
    ".globl polyvisor_cas32",
    "polyvisor_cas32: mov eax, esi",
    "lock cmpxchg dword ptr [rdi], edx",
    "mov eax, eax",
    "xor edx, edx",
    "ret",
    ".hidden polyvisor_cas64",
    ".globl polyvisor_cas64",
    "polyvisor_cas64: mov rax, rsi",
    "lock cmpxchg qword ptr [rdi], rdx",
    "xor edx, edx",
    "ret",
    // Copies between memory that does not overlap: rdi to, rsi from, rdx bytes. A few bytes by
    // moves that may cover some of them twice: `rep movsb` takes long to begin.
    ".hidden polyvisor_copy_apart",
    ".globl polyvisor_copy_apart",
    "polyvisor_copy_apart: cmp rdx, 64",
    "ja polyvisor_copy",
    "xor eax, eax",
    "cmp edx, 32",
    "jae 4f",
    "cmp edx, 16",
    "jae 3f",
    "cmp edx, 8",
    "jae 2f",
    "cmp edx, 4",
    "jae 1f",
    "test edx, edx",
    "je 5f",
    "mov r9d, edx",
    "shr r9d, 1",
    "movzx ecx, byte ptr [rsi]",
    "movzx r8d, byte ptr [rsi + r9]",
    "movzx r10d, byte ptr [rsi + rdx - 1]",
    "mov byte ptr [rdi], cl",
    "mov byte ptr [rdi + r9], r8b",
    "mov byte ptr [rdi + rdx - 1], r10b",
    "jmp 5f",
    "1: mov ecx, dword ptr [rsi]",
    "mov r8d, dword ptr [rsi + rdx - 4]",
    "mov dword ptr [rdi], ecx",
    "mov dword ptr [rdi + rdx - 4], r8d",
    "jmp 5f",
    "2: mov rcx, qword ptr [rsi]",
    "mov r8, qword ptr [rsi + rdx - 8]",
    "mov qword ptr [rdi], rcx",
    "mov qword ptr [rdi + rdx - 8], r8",
    "jmp 5f",
    "3: movups xmm0, xmmword ptr [rsi]",
    "movups xmm1, xmmword ptr [rsi + rdx - 16]",
    "movups xmmword ptr [rdi], xmm0",
    "movups xmmword ptr [rdi + rdx - 16], xmm1",
    "jmp 5f",
    "4: movups xmm0, xmmword ptr [rsi]",
    "movups xmm1, xmmword ptr [rsi + 16]",
    "movups xmm2, xmmword ptr [rsi + rdx - 32]",
    "movups xmm3, xmmword ptr [rsi + rdx - 16]",
    "movups xmmword ptr [rdi], xmm0",
    "movups xmmword ptr [rdi + 16], xmm1",
    "movups xmmword ptr [rdi + rdx - 32], xmm2",
    "movups xmmword ptr [rdi + rdx - 16], xmm3",
    "5: xor edx, edx",
    "ret",
    // Copies: rdi to, rsi from, rdx bytes.
    ".hidden polyvisor_copy",
    ".globl polyvisor_copy",
    "polyvisor_copy: mov rcx, rdx",
    "xor eax, eax",
    "rep movsb",
    "xor edx, edx",
    "ret",
    // Fills: rdi the address, rsi eight bytes to repeat, rdx how many bytes.
    ".hidden polyvisor_fill",
    ".globl polyvisor_fill",
    "polyvisor_fill: mov rax, rsi",
    "mov rcx, rdx",
    "shr rcx, 3",
    "rep stosq",
    "and edx, 7",
    "jz 3f",
    "2: stosb",
    "ror rax, 8",
    "dec edx",
    "jnz 2b",
    "3: xor eax, eax",
    "ret",
    ".hidden polyvisor_direct_end",
    ".globl polyvisor_direct_end",
    "polyvisor_direct_end:",
    ".hidden polyvisor_direct_landing",
    ".globl polyvisor_direct_landing",
    "polyvisor_direct_landing: ret",
    ".popsection",
);

type Load = unsafe extern "sysv64" fn(u64) -> Answer;
type Store = unsafe extern "sysv64" fn(u64, u64) -> Answer;
type Cas = unsafe extern "sysv64" fn(u64, u64, u64) -> Answer;

// SAFETY: the functions of these names are above, with these signatures.
unsafe extern "sysv64" {
    fn polyvisor_direct_start();
    fn polyvisor_direct_end();
    fn polyvisor_direct_landing();
    fn polyvisor_load8(va: u64) -> Answer;
    fn polyvisor_load16(va: u64) -> Answer;
    fn polyvisor_load32(va: u64) -> Answer;
    fn polyvisor_load64(va: u64) -> Answer;
    fn polyvisor_store8(va: u64, v: u64) -> Answer;
    fn polyvisor_store16(va: u64, v: u64) -> Answer;
    fn polyvisor_store32(va: u64, v: u64) -> Answer;
    fn polyvisor_store64(va: u64, v: u64) -> Answer;
    fn polyvisor_swap8(va: u64, v: u64) -> Answer;
    fn polyvisor_swap16(va: u64, v: u64) -> Answer;
    fn polyvisor_swap32(va: u64, v: u64) -> Answer;
    fn polyvisor_swap64(va: u64, v: u64) -> Answer;
    fn polyvisor_add8(va: u64, v: u64) -> Answer;
    fn polyvisor_add16(va: u64, v: u64) -> Answer;
    fn polyvisor_add32(va: u64, v: u64) -> Answer;
    fn polyvisor_add64(va: u64, v: u64) -> Answer;
    fn polyvisor_cas8(va: u64, old: u64, new: u64) -> Answer;
    fn polyvisor_cas16(va: u64, old: u64, new: u64) -> Answer;
    fn polyvisor_cas32(va: u64, old: u64, new: u64) -> Answer;
    fn polyvisor_cas64(va: u64, old: u64, new: u64) -> Answer;
    fn polyvisor_copy(to: u64, from: u64, bytes: u64) -> Answer;
    fn polyvisor_copy_apart(to: u64, from: u64, bytes: u64) -> Answer;
    fn polyvisor_fill(to: u64, pattern: u64, bytes: u64) -> Answer;
}

const LOAD: [Load; 4] = [polyvisor_load8, polyvisor_load16, polyvisor_load32, polyvisor_load64];
const STORE: [Store; 4] =
    [polyvisor_store8, polyvisor_store16, polyvisor_store32, polyvisor_store64];
const SWAP: [Store; 4] = [polyvisor_swap8, polyvisor_swap16, polyvisor_swap32, polyvisor_swap64];
const ADD: [Store; 4] = [polyvisor_add8, polyvisor_add16, polyvisor_add32, polyvisor_add64];
const CAS: [Cas; 4] = [polyvisor_cas8, polyvisor_cas16, polyvisor_cas32, polyvisor_cas64];

/// Loads `1 << size` bytes.
#[inline]
pub(crate) fn load(va: u64, size: u8) -> Answer {
    // SAFETY: user mode: `va` is the guest's, whose memory is the guest's to read; where nothing is
    // mapped the fault is answered.
    unsafe { LOAD[usize::from(size)](va) }
}

/// Stores the low `1 << size` bytes of `v`.
#[inline]
pub(crate) fn store(va: u64, v: u64, size: u8) -> Answer {
    // SAFETY: as in `load`; guest memory is never borrowed.
    unsafe { STORE[usize::from(size)](va, v) }
}

/// Exchanges atomically; gives the old value.
pub(crate) fn swap(va: u64, v: u64, size: u8) -> Answer {
    // SAFETY: as in `store`.
    unsafe { SWAP[usize::from(size)](va, v) }
}

/// Adds atomically; gives the old value.
pub(crate) fn add(va: u64, v: u64, size: u8) -> Answer {
    // SAFETY: as in `store`.
    unsafe { ADD[usize::from(size)](va, v) }
}

/// Compares and exchanges atomically; gives the value found.
pub(crate) fn cas(va: u64, old: u64, new: u64, size: u8) -> Answer {
    // SAFETY: as in `store`.
    unsafe { CAS[usize::from(size)](va, old, new) }
}

/// Copies from guest memory.
pub(crate) fn copy_in(out: &mut [u8], va: u64) -> Answer {
    // SAFETY: `out` is valid for its length; `va` as in `load`.
    unsafe { polyvisor_copy_apart(out.as_mut_ptr() as u64, va, out.len() as u64) }
}

/// Copies to guest memory.
pub(crate) fn copy_out(va: u64, data: &[u8]) -> Answer {
    // SAFETY: `data` is valid for its length; `va` as in `store`.
    unsafe { polyvisor_copy_apart(va, data.as_ptr() as u64, data.len() as u64) }
}

/// Copies inside guest memory, upwards; the ranges may overlap.
pub(crate) fn copy(to: u64, from: u64, bytes: u64) -> Answer {
    // SAFETY: `from` as in `load`, `to` as in `store`.
    unsafe { polyvisor_copy(to, from, bytes) }
}

/// Fills guest memory with eight bytes again and again.
pub(crate) fn fill(to: u64, pattern: u64, bytes: u64) -> Answer {
    // SAFETY: `to` as in `store`.
    unsafe { polyvisor_fill(to, pattern, bytes) }
}

/// Where to go on after a fault at host address `pc`, if it is one of the accessors'.
pub(crate) fn landing(pc: u64) -> Option<u64> {
    let (start, end) =
        (polyvisor_direct_start as *const () as u64, polyvisor_direct_end as *const () as u64);
    (start..end).contains(&pc).then_some(polyvisor_direct_landing as *const () as u64)
}
