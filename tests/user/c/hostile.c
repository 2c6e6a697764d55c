/* What a program may do to harm whoever runs it: it dies of it, as it would on Linux, and nothing
   else happens. */
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The status of Polyvisor itself after an error of its own. */
#define PANICKED 101

static uint64_t seed = 88172645463325252u;

static uint64_t random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* How a child ends that does that, within a second. */
static int end_of(void (*harm)(uint64_t), uint64_t how)
{
	int status = -1;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(1);
		harm(how);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

static int faults(void (*harm)(uint64_t), uint64_t how)
{
	int status = end_of(harm, how);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static int is_no_error_of_ours(int status)
{
	return !(WIFEXITED(status) && WEXITSTATUS(status) == PANICKED) &&
	       !(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void return_from_nowhere(uint64_t sp)
{
#if defined __riscv
	__asm__ volatile("mv sp, %0\n li a7, 139\n ecall" ::"r"(sp) : "a7", "memory");
#elif defined __aarch64__
	__asm__ volatile("mov sp, %0\n mov x8, 139\n svc 0" ::"r"(sp) : "x8", "memory");
#else
	__asm__ volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall" ::"r"(sp) : "rax", "memory");
#endif
}

static void ignore(int number)
{
	(void)number;
}

static void fault_on_no_stack(uint64_t sp)
{
	signal(SIGSEGV, ignore);
#if defined __riscv
	__asm__ volatile("mv sp, %0\n ld a0, 8(zero)" ::"r"(sp) : "a0", "memory");
#elif defined __aarch64__
	__asm__ volatile("mov sp, %0\n mov x0, 8\n ldr x0, [x0]" ::"r"(sp) : "x0", "memory");
#else
	__asm__ volatile("mov %0, %%rsp\n mov 8, %%rax" ::"r"(sp) : "rax", "memory");
#endif
}

static void handle_on_no_stack(uint64_t start)
{
	stack_t stack = { .ss_sp = (void *)start, .ss_size = UINT64_MAX / 2 + 4096 };
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_ONSTACK };
	if (sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0)
		raise(SIGUSR1);
}

static uint64_t bounds[] = { 0,	      1,	 8,		4095,	   4096,       4097,
			     1 << 20, 1ull << 38, 1ull << 47, 1ull << 63, -1ull << 47, -4096ull,
			     -4095ull, -8ull,	  -1ull,	0x10000 };
#define BOUNDS (sizeof bounds / sizeof *bounds)

/* What random bytes are taken for the registers of. */
static void return_at_random(uint64_t how)
{
	static uint64_t frame[1024] __attribute__((aligned(64)));
	seed += how * 0x9e3779b97f4a7c15u;
	for (unsigned i = 0; i < 1024; i++)
		frame[i] = random_number() % 3 ? random_number() : bounds[random_number() % BOUNDS];
	return_from_nowhere((uint64_t)(frame + 64));
}

static void call_at_random(uint64_t how)
{
	static const int calls[] = { SYS_mmap,	 SYS_munmap,	 SYS_mprotect,	SYS_mremap,
				     SYS_madvise, SYS_brk,	 SYS_mincore,	SYS_msync,
				     SYS_shmat,	 SYS_rt_sigaction, SYS_rt_sigprocmask,
				     SYS_sigaltstack, SYS_futex, SYS_readv,	SYS_writev,
				     SYS_getdents64, SYS_execve, SYS_clone3,	SYS_set_robust_list,
				     SYS_ioctl,	 SYS_fcntl,	 SYS_readlinkat, SYS_rseq };
	seed += how * 0x9e3779b97f4a7c15u;
	close(0), close(1), close(2);
	for (int i = 0; i < 300; i++) {
		uint64_t a[6];
		for (int at = 0; at < 6; at++) {
			uint64_t place = (uint64_t)bounds + random_number() % 64;
			uint64_t bound = bounds[random_number() % BOUNDS];
			a[at] = random_number() % 4 ? bound : place;
		}
		syscall(calls[random_number() % (sizeof calls / sizeof *calls)], a[0], a[1], a[2],
			a[3], a[4], a[5]);
	}
}

int main(void)
{
	for (unsigned i = 0; i < BOUNDS; i++) {
		uint64_t at = bounds[i] & ~15ull;
		CHECK(faults(return_from_nowhere, at));
		CHECK(faults(fault_on_no_stack, at));
		CHECK(is_no_error_of_ours(end_of(handle_on_no_stack, bounds[i])));
	}
	for (int i = 1; i <= 40; i++) {
		CHECK(is_no_error_of_ours(end_of(return_at_random, i)));
		CHECK(is_no_error_of_ours(end_of(call_at_random, i)));
	}
	return checked();
}
