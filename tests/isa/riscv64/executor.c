/* Runs instruction sequences under qemu-riscv64: reads a `start` from standard input, runs its
 * code with its registers and memory until a signal (ebreak's SIGTRAP at the end), writes an `end`,
 * and so on until its input ends. The layouts are those of qemu.rs.
 *
 * All is done inside the signal handler: it fills in the interrupted context, and returning from
 * it starts the sequence with every register set. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x40000000ul
#define DATA 0x40100000ul
#define CODE_BYTES 8192
#define DATA_BYTES 8192

struct start {
	uint64_t x[32];
	uint64_t f[32];
	uint64_t fcsr;
	uint8_t code[CODE_BYTES];
	uint8_t data[DATA_BYTES];
};

struct end {
	uint64_t x[32];
	uint64_t f[32];
	uint64_t fcsr;
	uint64_t pc;
	uint64_t signal;
	uint8_t data[DATA_BYTES];
};

static struct start start;
static struct end end;
static int begun;
static uint64_t reserved;

/* gp and tp as this program needs them: the handler is entered with those of the sequence. */
uint64_t own[2];

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

__attribute__((used)) void on_signal(int number, siginfo_t *info, ucontext_t *context)
{
	mcontext_t *m = &context->uc_mcontext;
	(void)info;
	if (begun) {
		memcpy(end.x, m->__gregs, sizeof end.x);
		memcpy(end.f, m->__fpregs.__d.__f, sizeof end.f);
		end.pc = m->__gregs[0];
		end.fcsr = m->__fpregs.__d.__fcsr;
		end.signal = number;
		memcpy(end.data, (void *)DATA, DATA_BYTES);
		all(1, &end, sizeof end);
	}
	begun = 1;
	all(0, &start, sizeof start);
	memcpy((void *)DATA, start.data, DATA_BYTES);
	memcpy((void *)CODE, start.code, CODE_BYTES);
	memcpy(m->__gregs, start.x, sizeof start.x);
	m->__gregs[0] = CODE;
	memcpy(m->__fpregs.__d.__f, start.f, sizeof start.f);
	m->__fpregs.__d.__fcsr = start.fcsr;
	/* No reservation is left over from the sequence before. */
	__asm__ volatile("sc.d t0, zero, (%0)\n fence.i" : : "r"(&reserved) : "t0", "memory");
}

void handler(int, siginfo_t *, void *);
__asm__(".text\n"
	".option push\n"
	".option norelax\n"
	"handler: la t0, own\n"
	" ld gp, 0(t0)\n"
	" ld tp, 8(t0)\n"
	" tail on_signal\n"
	".option pop\n");

int main(void)
{
	const int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS };
	stack_t stack = { .ss_size = 64 << 10 };
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	__asm__ volatile("sd gp, 0(%0)\n sd tp, 8(%0)" : : "r"(own) : "memory");
	if (mmap((void *)CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) == MAP_FAILED)
		return 2;
	if (mmap((void *)DATA, DATA_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return 2;
	/* Where the kernel likes: no sequence's sp is there by chance, which would make it look as if
	 * the handler's stack were in use. */
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, flags & ~MAP_FIXED, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return 2;
	sigaltstack(&stack, NULL);
	sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &action, NULL);
	__asm__ volatile("ebreak");
	return 3;
}
