/* Atomics: four threads with counters, a spin lock, a stack by compare-and-swap and a mutex. */
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define THREADS 4
#define ROUNDS 8000000

static atomic_ulong counter, bits, lock;
static atomic_uint narrow;
static unsigned long guarded, owned;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *start)
{
    uint64_t seed = (uintptr_t)start;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t r = next_random(&seed);
        atomic_fetch_add(&counter, r & 7);
        atomic_fetch_xor(&bits, r);
        atomic_fetch_add_explicit(&narrow, 1, memory_order_relaxed);
        unsigned long seen = atomic_load(&counter);
        while (!atomic_compare_exchange_weak(&counter, &seen, seen + 1))
            ;
        if (i % 4 == 0) {
            while (atomic_exchange_explicit(&lock, 1, memory_order_acquire))
                sched_yield();
            guarded++;
            atomic_store_explicit(&lock, 0, memory_order_release);
            pthread_mutex_lock(&mutex);
            owned += 3;
            pthread_mutex_unlock(&mutex);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(37 + i));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    result(counter ^ bits ^ narrow ^ guarded << 20 ^ owned << 40);
}
