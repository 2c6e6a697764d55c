#include "program.h"

#define ALL(type, cell, v) \
	hash = mix(hash, __atomic_fetch_add(&cell, (type)v, __ATOMIC_SEQ_CST)); \
	hash = mix(hash, __atomic_fetch_sub(&cell, (type)(v >> 3), __ATOMIC_ACQ_REL)); \
	hash = mix(hash, __atomic_fetch_and(&cell, (type)(v >> 5 | 0xf0), __ATOMIC_RELAXED)); \
	hash = mix(hash, __atomic_fetch_or(&cell, (type)(v >> 7), __ATOMIC_ACQUIRE)); \
	hash = mix(hash, __atomic_fetch_xor(&cell, (type)(v >> 9), __ATOMIC_RELEASE)); \
	hash = mix(hash, __atomic_exchange_n(&cell, (type)(v >> 2), __ATOMIC_SEQ_CST)); \
	{ \
		type expected = i & 1 ? (type)(v >> 2) : (type)v; \
		hash = mix(hash, __atomic_compare_exchange_n(&cell, &expected, (type)~v, i & 2, \
							     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)); \
		hash = mix(hash, expected); \
	} \
	__atomic_store_n(&cell, cell + 1, __ATOMIC_RELEASE); \
	hash = mix(hash, __atomic_load_n(&cell, __ATOMIC_ACQUIRE)); \
	__atomic_add_fetch(&cell, 1, __ATOMIC_SEQ_CST)

static u64 cell64;
static u32 cell32;
static u16 cell16;
static u8 cell8;

void atomics(void)
{
	u64 hash = SEED;
	for (int i = 0; i < 40; i++) {
		u64 v = next();
		ALL(u64, cell64, v);
		ALL(u32, cell32, v);
		ALL(u16, cell16, v);
		ALL(u8, cell8, v);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	print("atomics", hash);
}
