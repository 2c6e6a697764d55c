/* Start, output, random numbers; calls the parts. */
#include "program.h"

static long system_call(long number, long a, long b, long c)
{
#if defined __x86_64__
	register long result __asm__("rax") = number;
	__asm__ volatile("syscall"
			 : "+r"(result)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
#elif defined __aarch64__
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
#endif
}

#if defined __x86_64__
enum { WRITE = 1, EXIT = 60 };
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n ud2\n");
#elif defined __aarch64__
enum { WRITE = 64, EXIT = 93 };
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n bl begin\n brk #0\n");
#endif

static char line[80];

void print(const char *name, u64 value)
{
	size_t at = 0;
	while (*name)
		line[at++] = *name++;
	line[at++] = ' ';
	for (int shift = 60; shift >= 0; shift -= 4)
		line[at++] = "0123456789abcdef"[value >> shift & 15];
	line[at++] = '\n';
	system_call(WRITE, 1, (long)line, at);
}

static u64 state = 88172645463325252ull;

u64 next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* What the compiler itself calls. */
void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;
	while (n--) {
		*t++ = *f++;
		__asm__ volatile("");
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	char *t = to;
	while (n--) {
		*t++ = c;
		__asm__ volatile("");
	}
	return to;
}

#if defined __aarch64__
/* The compiler's own uses vector registers. */
int __popcountdi2(long v)
{
	int n = 0;
	for (u64 left = v; left; left &= left - 1)
		n++;
	return n;
}
#endif

__attribute__((used)) void begin(void)
{
	sorting();
	checksums();
	digests();
	strings();
	divisions();
	bits();
	recursion();
	wide();
	narrow();
	bytecode();
	atomics();
	system_call(EXIT, 0, 0, 0);
	for (;;)
		;
}
