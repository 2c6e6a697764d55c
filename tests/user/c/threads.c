// Threads: creation, joining, locks, memory ordering, atomics, local storage, cancellation.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS 3000

static _Atomic int x, y, ready;
static int seen_x, seen_y;

// Two threads meet before each round.
static void meet(int round) {
  atomic_fetch_add(&ready, 1);
  for (int spins = 0; atomic_load(&ready) < 2 * round; spins++) if (spins > 50) sched_yield();
}

static void *storing(void *arg) {
  int me = (int)(intptr_t)arg;
  static int both_missed;
  for (int round = 1; round <= ROUNDS; round++) {
    meet(2 * round - 1);
    if (me) { atomic_store_explicit(&x, round, memory_order_seq_cst); seen_y = atomic_load_explicit(&y, memory_order_seq_cst); }
    else { atomic_store_explicit(&y, round, memory_order_seq_cst); seen_x = atomic_load_explicit(&x, memory_order_seq_cst); }
    meet(2 * round);
    if (me && seen_x != round && seen_y != round) both_missed++;
  }
  return (void *)(intptr_t)both_missed;
}

static _Atomic long flag;
static long payload[64];

static void *sending(void *arg) {
  (void)arg;
  for (long i = 1; i <= 20000; i++) {
    for (int spins = 0; atomic_load_explicit(&flag, memory_order_acquire) != 0; spins++) if (spins > 50) sched_yield();
    payload[i % 64] = i;
    atomic_store_explicit(&flag, i, memory_order_release);
  }
  return 0;
}

static void *receiving(void *arg) {
  (void)arg;
  long wrong = 0;
  for (long i = 1; i <= 20000; i++) {
    long got;
    for (int spins = 0; (got = atomic_load_explicit(&flag, memory_order_acquire)) == 0; spins++) if (spins > 50) sched_yield();
    wrong += payload[got % 64] != i;
    atomic_store_explicit(&flag, 0, memory_order_release);
  }
  return (void *)wrong;
}

static long counter;
static _Atomic long atomic_counter;
static _Atomic unsigned char bytes[8];
static long locked;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *counting(void *arg) {
  (void)arg;
  for (int i = 0; i < 50000; i++) {
    atomic_fetch_add(&atomic_counter, 3);
    atomic_fetch_xor(&bytes[i & 7], 1);
#ifdef __riscv
    long old, failed;
    __asm__ volatile("1: lr.d %0, (%2)\n\taddi %0, %0, 1\n\tsc.d %1, %0, (%2)\n\tbnez %1, 1b"
                     : "=&r"(old), "=&r"(failed) : "r"(&counter) : "memory");
#else
    __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
#endif
    if (i % 16 == 0) { pthread_mutex_lock(&mutex); locked++; pthread_mutex_unlock(&mutex); }
  }
  return 0;
}

// A stack whose nodes go round: a node may come back between the load-reserved and the
// store-conditional of a pop, with another one behind it, and then the store must fail.
struct node { struct node *next; _Atomic int taken; };
static struct node nodes[4];
static struct node *_Atomic top;
static _Atomic int broken;

static struct node *pop(void) {
#if defined __riscv
  struct node *n, *next; long failed;
  __asm__ volatile("1: lr.d %0, (%3)\n\tli %1, 0\n\tbeqz %0, 2f\n\tld %1, 0(%0)\n\tsc.d %2, %1, (%3)\n\tbnez %2, 1b\n2:"
                   : "=&r"(n), "=&r"(next), "=&r"(failed) : "r"(&top) : "memory");
  return n;
#elif defined __aarch64__
  struct node *n, *next; int failed;
  __asm__ volatile("1: ldaxr %0, [%3]\n\tcbz %0, 2f\n\tldr %1, [%0]\n\tstlxr %w2, %1, [%3]\n\tcbnz %w2, 1b\n2:"
                   : "=&r"(n), "=&r"(next), "=&r"(failed) : "r"(&top) : "memory");
  return n;
#else
  // Compare-and-swap cannot do it.
  pthread_mutex_lock(&mutex);
  struct node *n = atomic_load(&top);
  while (n && !atomic_compare_exchange_weak(&top, &n, n->next));
  pthread_mutex_unlock(&mutex);
  return n;
#endif
}

static void *taking(void *arg) {
  (void)arg;
  for (int i = 0; i < 20000; i++) {
    struct node *n = pop();
    if (!n) continue;
    if (atomic_fetch_add(&n->taken, 1) != 0) atomic_fetch_add(&broken, 1);
    atomic_fetch_sub(&n->taken, 1);
    struct node *old = atomic_load(&top);
    do n->next = old; while (!atomic_compare_exchange_weak(&top, &old, n));
  }
  return 0;
}

static __thread int local = 5;
static sem_t semaphore;

static void *short_lived(void *arg) {
  local += (int)(intptr_t)arg;
  sem_post(&semaphore);
  return (void *)(intptr_t)local;
}

static void *waiting(void *arg) {
  (void)arg;
  for (;;) pause();
  return 0;
}

static void *dying(void *arg) {
  pthread_mutex_lock(arg);
  return 0;
}

static _Atomic int handled;
static void handler(int sig) { (void)sig; handled++; }

static void *looping(void *arg) {
  (void)arg;
  volatile long spins = 0;
  while (!handled) spins++;
  return 0;
}

int main(void) {
  pthread_t a, b, many[64];
  void *result;
  setvbuf(stdout, 0, _IOLBF, 0);

  pthread_create(&a, 0, storing, (void *)0);
  pthread_create(&b, 0, storing, (void *)1);
  pthread_join(a, 0);
  pthread_join(b, &result);
  printf("store buffering: %ld\n", (long)result);

  pthread_create(&a, 0, sending, 0);
  pthread_create(&b, 0, receiving, 0);
  pthread_join(a, 0);
  pthread_join(b, &result);
  printf("message passing: %ld\n", (long)result);

  for (int i = 0; i < 4; i++) pthread_create(&many[i], 0, counting, 0);
  for (int i = 0; i < 4; i++) pthread_join(many[i], 0);
  int sum = 0;
  for (int i = 0; i < 8; i++) sum += bytes[i];
  printf("counters: %ld %ld %ld %d\n", counter, (long)atomic_counter, locked, sum);

  for (int i = 0; i < 4; i++) { nodes[i].next = top; top = &nodes[i]; }
  for (int i = 0; i < 3; i++) pthread_create(&many[i], 0, taking, 0);
  for (int i = 0; i < 3; i++) pthread_join(many[i], 0);
  int left = 0;
  for (struct node *n = top; n; n = n->next) left++;
  printf("stack: broken %d, left %d\n", broken, left);

  long locals = 0;
  sem_init(&semaphore, 0, 0);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 64; i++) if (pthread_create(&many[i], 0, short_lived, (void *)(intptr_t)i)) abort();
    for (int i = 0; i < 64; i++) { pthread_join(many[i], &result); locals += (long)result; }
  }
  int posted;
  sem_getvalue(&semaphore, &posted);
  printf("short lives: %ld %d %d\n", locals, posted, local);

  pthread_create(&a, 0, waiting, 0);
  pthread_cancel(a);
  pthread_join(a, &result);
  printf("cancelled: %d\n", result == PTHREAD_CANCELED);

  pthread_mutex_t robust;
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_create(&a, 0, dying, &robust);
  pthread_join(a, 0);
  printf("robust: %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);

  pthread_mutex_t inheriting;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&inheriting, &attributes);
  pthread_mutex_lock(&inheriting);
  printf("inheriting: %d %d\n", pthread_mutex_trylock(&inheriting) == EBUSY, pthread_mutex_unlock(&inheriting));

  signal(SIGUSR1, handler);
  pthread_create(&a, 0, looping, 0);
  pthread_kill(a, SIGUSR1);
  pthread_join(a, 0);
  printf("signalled: %d\n", handled);
  return 3;
}
