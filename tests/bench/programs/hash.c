/* Hashing: SHA-256, CRC-32 by table, and a hash table with open addressing. */
#include "bench.h"

static const uint32_t prime_roots[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha256_block(uint32_t h[8], const uint8_t *data)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)data[4 * i] << 24 | data[4 * i + 1] << 16 | data[4 * i + 2] << 8 |
               data[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], t1, t2, a = s[0];
        t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
             prime_roots[i] + w[i];
        t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
             ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--)
            s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

static uint32_t crc_table[256];

static uint32_t crc(const uint8_t *data, size_t n)
{
    uint32_t c = ~0u;
    while (n--)
        c = crc_table[(c ^ *data++) & 255] ^ c >> 8;
    return ~c;
}

#define SLOTS 65536
static uint64_t keys[SLOTS];
static uint32_t counts[SLOTS];

static void count_key(uint64_t key)
{
    uint64_t at = key * 0x9e3779b97f4a7c15 >> 48;
    while (keys[at] && keys[at] != key)
        at = (at + 1) % SLOTS;
    keys[at] = key;
    counts[at]++;
}

int main(void)
{
    static uint8_t data[65536];
    uint64_t seed = 3, sum = 0;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
        crc_table[i] = c;
    }
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = next_random(&seed);
    for (int round = 0; round < 150; round++) {
        uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
        for (size_t i = 0; i < sizeof data; i += 64)
            sha256_block(h, data + i);
        sum = sum * 31 + h[0] + crc(data, sizeof data);
        for (int i = 0; i < 60000; i++)
            count_key(1 + next_random(&seed) % 40000);
        data[round] ^= sum;
    }
    for (int i = 0; i < SLOTS; i++)
        sum += keys[i] * counts[i];
    result(sum);
}
