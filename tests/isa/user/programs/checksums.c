#include "program.h"

static u8 data[2048];
static u32 table[256];

static NOINLINE u32 bitwise(const u8 *p, size_t n)
{
	u32 crc = ~0u;
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static NOINLINE u32 by_table(const u8 *p, size_t n)
{
	u32 crc = ~0u;
	while (n--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

static NOINLINE u32 adler(const u8 *p, size_t n)
{
	u32 a = 1, b = 0;
	while (n--) {
		a = (a + *p++) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static NOINLINE u16 internet(const u8 *p, size_t n)
{
	u32 sum = 0;
	for (; n > 1; n -= 2, p += 2)
		sum += (u16)(p[0] << 8 | p[1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

void checksums(void)
{
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = next() >> 11;
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;
		for (int j = 0; j < 8; j++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
		table[i] = crc;
	}
	print("crc32", bitwise(data, sizeof data));
	print("crc32 by table", by_table(data, sizeof data));
	print("adler", adler(data, sizeof data));
	print("internet", internet(data, sizeof data));
}
