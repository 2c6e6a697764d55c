/* Single precision: a fast Fourier transform and a finite impulse response filter. */
#include "bench.h"
#include <math.h>

#define N 1024
#define TAPS 32

static float re[N], im[N], wave[N], out[N], taps[TAPS], cosines[N / 2], sines[N / 2];

static void transform(void)
{
    for (int i = 1, j = 0; i < N; i++) {
        int bit = N >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) {
            float r = re[i], m = im[i];
            re[i] = re[j], im[i] = im[j];
            re[j] = r, im[j] = m;
        }
    }
    for (int length = 2; length <= N; length *= 2)
        for (int start = 0; start < N; start += length)
            for (int k = 0; k < length / 2; k++) {
                int even = start + k, odd = even + length / 2, turn = k * (N / length);
                float r = re[odd] * cosines[turn] - im[odd] * sines[turn];
                float m = re[odd] * sines[turn] + im[odd] * cosines[turn];
                re[odd] = re[even] - r, im[odd] = im[even] - m;
                re[even] += r, im[even] += m;
            }
}

static void filter(void)
{
    for (int i = 0; i < N - TAPS; i++) {
        float sum = 0;
        for (int k = 0; k < TAPS; k++)
            sum += wave[i + k] * taps[k];
        out[i] = sum;
    }
}

int main(void)
{
    uint64_t seed = 13;
    double sum = 0;
    for (int i = 0; i < N / 2; i++) {
        cosines[i] = cosf(-6.2831853f * i / N);
        sines[i] = sinf(-6.2831853f * i / N);
    }
    for (int i = 0; i < TAPS; i++)
        taps[i] = 1.0f / TAPS;
    for (int i = 0; i < N; i++)
        wave[i] = (float)(next_random(&seed) >> 40) / (1 << 24);
    for (int round = 0; round < 1200; round++) {
        for (int i = 0; i < N; i++)
            re[i] = wave[i] + out[i], im[i] = 0;
        transform();
        filter();
        wave[round % N] += 0.001f;
        sum += sqrtf(re[1] * re[1] + im[1] * im[1]) + out[round % (N - TAPS)];
    }
    printf("checksum %.3g\n", sum);
}
