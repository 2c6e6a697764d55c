/* Runs single instructions under qemu-aarch64: reads a `start` from standard input, runs its code
 * with its registers and memory until a signal (SIGTRAP of brk at the end), writes an `end`, and so
 * on until its input ends. The layouts are those of qemu.rs.
 *
 * All is done inside the signal handler: it fills in the interrupted context, and returning from
 * it starts the code with every register set. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <asm/sigcontext.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x40000000ul
#define DATA 0x40080000ul
#define CODE_BYTES 64
#define DATA_BYTES 1024
#define PAGE 4096
#define NZCV 0xf0000000ul

struct __attribute__((packed)) start {
	uint64_t x[31];
	uint64_t sp;
	uint64_t nzcv;
	uint64_t fpcr;
	uint64_t fpsr;
	__uint128_t v[32];
	uint8_t code[CODE_BYTES];
	uint8_t data[DATA_BYTES];
};

struct __attribute__((packed)) end {
	uint64_t x[31];
	uint64_t sp;
	uint64_t nzcv;
	uint64_t fpcr;
	uint64_t fpsr;
	__uint128_t v[32];
	uint64_t pc;
	uint64_t signal;
	uint8_t data[DATA_BYTES];
};

static struct start start;
static struct end end;
static int begun;

static void all(int writing, void *bytes, size_t len)
{
	while (len) {
		ssize_t n = writing ? write(1, bytes, len) : read(0, bytes, len);
		if (n <= 0)
			_exit(n == 0 && !writing ? 0 : 1);
		bytes = (char *)bytes + n;
		len -= n;
	}
}

/* The vector registers are in the part of the context whose records have names. */
static struct fpsimd_context *vectors(mcontext_t *m)
{
	uint8_t *at = (uint8_t *)m->__reserved;
	for (;;) {
		struct _aarch64_ctx *record = (struct _aarch64_ctx *)at;
		if (record->magic == FPSIMD_MAGIC)
			return (struct fpsimd_context *)at;
		if (!record->magic)
			_exit(4);
		at += record->size;
	}
}

static void on_signal(int number, siginfo_t *info, void *opaque)
{
	mcontext_t *m = &((ucontext_t *)opaque)->uc_mcontext;
	struct fpsimd_context *f = vectors(m);
	(void)info;
	if (begun) {
		memcpy(end.x, m->regs, sizeof end.x);
		end.sp = m->sp;
		end.nzcv = m->pstate & NZCV;
		end.fpcr = f->fpcr;
		end.fpsr = f->fpsr;
		memcpy(end.v, f->vregs, sizeof end.v);
		end.pc = m->pc;
		end.signal = number;
		memcpy(end.data, (void *)DATA, DATA_BYTES);
		all(1, &end, sizeof end);
	}
	begun = 1;
	all(0, &start, sizeof start);
	memcpy((void *)DATA, start.data, DATA_BYTES);
	memcpy((void *)CODE, start.code, CODE_BYTES);
	__builtin___clear_cache((char *)CODE, (char *)CODE + CODE_BYTES);
	memcpy(m->regs, start.x, sizeof start.x);
	f->fpcr = start.fpcr;
	f->fpsr = start.fpsr;
	memcpy(f->vregs, start.v, sizeof start.v);
	m->sp = start.sp;
	m->pc = CODE;
	m->pstate = (m->pstate & ~NZCV) | start.nzcv;
	__asm__ volatile("clrex");
}

int main(void)
{
	const int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	stack_t stack = { .ss_size = 64 << 10 };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	if (mmap((void *)CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED)
		return 2;
	if (mmap((void *)DATA, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return 2;
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, flags & ~MAP_FIXED, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return 2;
	sigaltstack(&stack, NULL);
	sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &action, NULL);
	__asm__ volatile("brk #0");
	return 3;
}
