#include "program.h"

enum { N = 400 };
static u32 numbers[N];
static s64 keys[N];

static NOINLINE void quick(u32 *a, long low, long high)
{
	while (low < high) {
		u32 pivot = a[(low + high) / 2];
		long i = low, j = high;
		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				u32 t = a[i];
				a[i++] = a[j];
				a[j--] = t;
			}
		}
		if (j - low < high - i) {
			quick(a, low, j);
			low = i;
		} else {
			quick(a, i, high);
			high = j;
		}
	}
}

static NOINLINE void sift(s64 *a, int from, int n)
{
	s64 v = a[from];
	for (;;) {
		int child = 2 * from + 1;
		if (child >= n)
			break;
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= v)
			break;
		a[from] = a[child];
		from = child;
	}
	a[from] = v;
}

static NOINLINE void heap(s64 *a, int n)
{
	for (int i = n / 2 - 1; i >= 0; i--)
		sift(a, i, n);
	for (int i = n - 1; i > 0; i--) {
		s64 t = a[0];
		a[0] = a[i];
		a[i] = t;
		sift(a, 0, i);
	}
}

void sorting(void)
{
	u64 hash = SEED;
	for (int i = 0; i < N; i++) {
		numbers[i] = next();
		keys[i] = next();
	}
	quick(numbers, 0, N - 1);
	heap(keys, N);
	for (int i = 0; i < N; i++)
		hash = mix(mix(hash, numbers[i]), keys[i]);
	print("sorted", hash);
}
