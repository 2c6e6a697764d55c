/* A program without a library: it prints through system calls, so that it runs on Linux, under
 * qemu-user and in the tests' own machines. */
#ifndef PROGRAM_H
#define PROGRAM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned long size_t;

#define NOINLINE __attribute__((noinline))

/* Hides a value from the optimizer. */
#define HIDE(x) ({ __typeof__(x) hidden = (x); __asm__ volatile("" : "+r"(hidden)); hidden; })

void print(const char *name, u64 value);
u64 next(void);

/* FNV-1a. */
static inline u64 mix(u64 hash, u64 value)
{
	for (int i = 0; i < 8; i++) {
		hash ^= value & 0xff;
		hash *= 0x100000001b3ull;
		value >>= 8;
	}
	return hash;
}

#define SEED 0xcbf29ce484222325ull

void sorting(void);
void checksums(void);
void digests(void);
void strings(void);
void divisions(void);
void bits(void);
void recursion(void);
void wide(void);
void narrow(void);
void bytecode(void);
void atomics(void);

#endif
