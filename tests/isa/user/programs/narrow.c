/* Arithmetic of 8 and 16 bits, signed and unsigned, in memory and in registers. */
#include "program.h"

struct pixel {
	u8 r, g, b, a;
};

static struct pixel image[64];
static s16 samples[128];
static u8 bytes[256];

static NOINLINE struct pixel blend(struct pixel x, struct pixel y, u8 by)
{
	struct pixel z;
	z.r = (x.r * by + y.r * (255 - by)) / 255;
	z.g = (x.g * by + y.g * (255 - by)) >> 8;
	z.b = x.b > y.b ? x.b - y.b : y.b - x.b;
	z.a = x.a + y.a < x.a ? 255 : x.a + y.a;
	return z;
}

static NOINLINE s16 saturated(s32 v)
{
	return v > 32767 ? 32767 : v < -32768 ? -32768 : v;
}

static NOINLINE void filter(s16 *s, int n)
{
	s32 old = 0;
	for (int i = 0; i < n; i++) {
		old = (old * 7 + s[i] * 9) >> 4;
		s[i] = saturated(s[i] * 2 - old);
	}
}

static NOINLINE u8 swap(u8 v)
{
	v = (u8)(v << 4) | v >> 4;
	v = (v & 0x33) << 2 | (v & 0xcc) >> 2;
	return (v & 0x55) << 1 | (v & 0xaa) >> 1;
}

/* The cipher RC4: bytes as indices. */
static NOINLINE u64 stream(void)
{
	u8 i = 0, j = 0;
	u64 hash = SEED;
	for (int n = 0; n < 256; n++)
		bytes[n] = n;
	for (int n = 0; n < 256; n++) {
		j += bytes[n] + (u8)(n * 37);
		u8 t = bytes[n];
		bytes[n] = bytes[j], bytes[j] = t;
	}
	for (int n = 0; n < 300; n++) {
		i++, j += bytes[i];
		u8 t = bytes[i];
		bytes[i] = bytes[j], bytes[j] = t;
		hash = mix(hash, bytes[(u8)(bytes[i] + bytes[j])]);
	}
	return hash;
}

static NOINLINE int classify(s8 a, u8 b, s16 c, u16 d)
{
	int n = 0;
	n = n * 2 + (a < (s8)b);
	n = n * 2 + (b < (u8)a);
	n = n * 2 + (c > (s16)d);
	n = n * 2 + (d >= (u16)c);
	n = n * 2 + (a == (s8)c);
	n = n * 2 + ((s8)(a + b) < 0);
	n = n * 2 + ((u16)(c - d) > 1000);
	return n;
}

void narrow(void)
{
	u64 hash = SEED;
	for (int i = 0; i < 64; i++) {
		u64 v = next();
		image[i] = (struct pixel){ v, v >> 8, v >> 16, v >> 24 };
		samples[2 * i] = v >> 32, samples[2 * i + 1] = v >> 48;
	}
	for (int i = 1; i < 64; i++)
		image[i] = blend(image[i], image[i - 1], i * 5);
	filter(samples, 128);
	for (int i = 0; i < 64; i++) {
		struct pixel p = image[i];
		hash = mix(hash, p.r | p.g << 8 | p.b << 16 | (u32)p.a << 24);
		hash = mix(hash, samples[2 * i] * samples[2 * i + 1]);
		hash = mix(hash, swap(p.r));
		hash = mix(hash, classify(p.r, p.g, samples[i], samples[i + 1]));
	}
	print("narrow", hash);
	print("stream", stream());
}
