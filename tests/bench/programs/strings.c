/* Strings: the C library's copying, comparing and searching, and splitting a text into words. */
#include "bench.h"
#include <ctype.h>

#define SIZE 60000

static char text[SIZE + 1], copy[SIZE + 1];

static uint64_t count_words(const char *s)
{
    uint64_t sum = 0, word = 0;
    for (; *s; s++) {
        if (isalpha((unsigned char)*s)) {
            word = word * 33 + tolower((unsigned char)*s);
        } else if (word) {
            sum ^= word;
            word = 0;
        }
    }
    return sum;
}

static uint64_t search(const char *s)
{
    static const char *const needles[] = {"abc", "zq", "hello", "e f", "xyzzy"};
    uint64_t found = 0;
    for (size_t i = 0; i < sizeof needles / sizeof *needles; i++)
        for (const char *at = s; (at = strstr(at, needles[i])); at++)
            found = found * 7 + (at - s);
    return found;
}

int main(void)
{
    uint64_t seed = 11, sum = 0;
    for (long i = 0; i < SIZE; i++) {
        uint64_t r = next_random(&seed) % 32;
        text[i] = r < 26 ? 'a' + r : r < 30 ? ' ' : 'A' + r;
    }
    for (int round = 0; round < 450; round++) {
        strcpy(copy, text);
        sum = sum * 31 + strlen(copy) + count_words(copy) + search(copy);
        copy[SIZE - 1 - round] = '!';
        sum += strcmp(copy, text) < 0;
        memmove(copy + 1, copy, SIZE - 1);
        for (const char *at = copy; (at = memchr(at, 'q', SIZE - (at - copy))); at++)
            sum += at - copy;
        char line[64];
        for (int i = 0; i < 600; i++) {
            snprintf(line, sizeof line, "%d:%s=%x", i, "value", (unsigned)(i * round));
            sum += strtol(strchr(line, '=') + 1, NULL, 16) + atoi(line);
        }
        text[round * 7] = 'a' + round % 26;
    }
    result(sum);
}
