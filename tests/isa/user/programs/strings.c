#include "program.h"

static char text[512], copy[600], other[64];

static NOINLINE size_t length(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

static NOINLINE int compare(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

static NOINLINE const char *find(const char *in, const char *what)
{
	size_t n = length(what);
	for (; *in; in++) {
		size_t i = 0;
		while (i < n && in[i] == what[i])
			i++;
		if (i == n)
			return in;
	}
	return 0;
}

static NOINLINE void move(char *to, const char *from, size_t n)
{
	if (to < from)
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
	else
		while (n--)
			to[n] = from[n];
}

static NOINLINE int words(const char *s, u16 *count)
{
	int n = 0, inside = 0;
	for (; *s; s++) {
		int letter = (*s | 0x20) >= 'a' && (*s | 0x20) <= 'z';
		if (letter && !inside)
			n++;
		inside = letter;
		count[(u8)*s & 31]++;
	}
	return n;
}

static NOINLINE s64 number(const char *s)
{
	s64 v = 0;
	int negative = *s == '-';
	if (negative)
		s++;
	while (*s >= '0' && *s <= '9')
		v = v * 10 + (*s++ - '0');
	return negative ? -v : v;
}

static NOINLINE char *decimal(char *to, s64 v)
{
	char digits[24];
	int n = 0;
	u64 left = v < 0 ? -(u64)v : (u64)v;
	if (v < 0)
		*to++ = '-';
	do
		digits[n++] = '0' + left % 10;
	while (left /= 10);
	while (n)
		*to++ = digits[--n];
	*to = 0;
	return to;
}

#if defined __x86_64__
static NOINLINE u64 repeated(void)
{
	u64 hash = SEED;
	const void *from = text;
	void *to = copy;
	size_t n = sizeof text;
	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	hash = mix(mix(hash, (char *)to - copy), n);
	to = copy + 7, n = 60;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0x1122334455667788) : "memory");
	to = copy + sizeof copy - 2, from = copy + 300, n = 100;
	__asm__ volatile("std\n rep movsw\n cld" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	to = copy, from = text, n = 300;
	__asm__ volatile("repe cmpsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory", "cc");
	hash = mix(hash, n);
	to = text, n = sizeof text;
	__asm__ volatile("repne scasb" : "+D"(to), "+c"(n) : "a"(0) : "memory", "cc");
	hash = mix(hash, n);
	for (size_t i = 0; i < sizeof copy; i++)
		hash = mix(hash, copy[i]);
	return hash;
}
#endif

void strings(void)
{
	static u16 count[32];
	u64 hash = SEED;
	for (size_t i = 0; i < sizeof text - 1; i++) {
		u64 r = next() >> 7;
		text[i] = r % 5 ? 'a' + r % 7 : ' ';
	}
	move(copy + 3, text, sizeof text);
	move(copy, copy + 3, sizeof text);
	move(copy + 1, copy, 100);
	hash = mix(hash, length(text));
	hash = mix(hash, compare(text, copy));
	hash = mix(hash, compare(text + 1, copy + 1));
	other[0] = text[200], other[1] = text[201], other[2] = text[202];
	hash = mix(hash, find(text, other) - text);
	hash = mix(hash, words(text, count));
	for (int i = 0; i < 32; i++)
		hash = mix(hash, count[i]);
	for (int i = 0; i < 20; i++) {
		s64 v = (s64)next() >> i * 3;
		decimal(other, v);
		hash = mix(hash, number(other) == v);
		hash = mix(hash, length(other));
	}
	print("strings", hash);
#if defined __x86_64__
	print("repeated", repeated());
#endif
}
