// Processes: fork and vfork with and without threads, their ends, and what they share.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long work(int rounds) {
  unsigned long sum = 1;
  for (int i = 0; i < rounds; i++) sum = sum * 31 + i;
  return sum & 0xff;
}

static volatile int stop, counted;

static void count(int signal) { counted += signal == SIGUSR2; }

// Keeps the engine busy: new code all the time, memory that comes and goes.
static void *busy(void *arg) {
  long sum = (long)arg;
  while (!stop) {
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    char text[64];
    snprintf(text, sizeof text, "%ld %g", sum, sum * 0.25);
    sum += strlen(text) + page[0];
    free(malloc(sum % 4096));
    munmap(page, 4096);
  }
  return 0;
}

// One with the result asked for, one without, one by compare and exchange.
static __attribute__((noinline)) void counting(long *counters) {
  long seen = 0;
  for (int i = 0; i < 100000; i++) {
    seen |= __atomic_fetch_add(&counters[0], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&counters[1], 1, __ATOMIC_SEQ_CST);
    long old = __atomic_load_n(&counters[2], __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&counters[2], &old, old + 1, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  }
  if (seen < 0) abort();
}

static _Thread_local int local = 4;

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOLBF, 0);
  int status, *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (argc > 1) { printf("ran with %s\n", argv[1]); return 9; }

  // Processes of one thread each count in memory that they share: made writable before the fork, and
  // by the child; code that counts has run before.
  for (int late = 0; late < 2; late++) {
    long *counters = mmap(0, 4096, late ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long own[3] = {0};
    counting(own);
    pid_t child = fork();
    mprotect(counters, 4096, PROT_READ | PROT_WRITE);
    counting(counters);
    if (!child) _exit(0);
    wait(&status);
    printf("counted %ld %ld %ld, alone %ld\n", counters[0], counters[1], counters[2], own[0] + own[1] + own[2]);
  }

  for (int i = 0; i < 20; i++) {
    if (!fork()) { local += i; *shared += local; _exit(work(1000 + i) == work(1000 + i) ? i : 99); }
    wait(&status);
    if (WEXITSTATUS(status) != i) printf("child %d: %x\n", i, status);
  }
  printf("forked %d %d\n", *shared, local);

  if (!fork()) {
    if (!fork()) { if (!fork()) _exit(*shared = 77); wait(&status); _exit(WEXITSTATUS(status)); }
    wait(&status);
    _exit(WEXITSTATUS(status));
  }
  wait(&status);
  printf("nested %d %d\n", WEXITSTATUS(status), *shared);

  pid_t pid = vfork();
  if (!pid) { *shared = 5; _exit(6); }
  printf("vfork %d", *shared);
  waitpid(pid, &status, 0);
  printf(" %d\n", WEXITSTATUS(status));

  int lost = 0;
  for (int i = 0; i < 200; i++) {
    if (!(pid = fork())) for (;;) pause();
    kill(pid, SIGBUS);
    waitpid(pid, &status, 0);
    lost += WTERMSIG(status) != SIGBUS;
  }
  printf("signals to new children, lost: %d\n", lost);
  signal(SIGUSR2, count);
  pid = syscall(SYS_clone, SIGUSR2, 0, 0, 0, 0);
  if (!pid) _exit(8);
  while (!counted) sched_yield();
  int found = waitpid(pid, &status, __WCLONE) == pid;
  printf("clone %d %d, told %d\n", found, WEXITSTATUS(status), counted);
  // Its child is its brother.
  if (!fork()) _exit(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) < 0);
  int ended = 0;
  while (wait(&status) > 0) ended += WEXITSTATUS(status) == 0;
  printf("brothers %d\n", ended);

  // With a table of descriptors that parent and child share, and with a full one.
  uint64_t arguments[11] = {CLONE_FILES};
  arguments[4] = SIGCHLD;
  int shared_table = 0;
  for (int i = 0; i < 20; i++) {
    pid = syscall(435 /* clone3 */, arguments, sizeof arguments);
    if (!pid) _exit(work(100) == work(100) ? 7 : 1);
    waitpid(pid, &status, 0);
    shared_table += WEXITSTATUS(status) == 7;
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 64;
  setrlimit(RLIMIT_NOFILE, &limit);
  int last = -1;
  for (int fd; (fd = dup(1)) >= 0;) last = fd;
  pid = fork();
  if (!pid) _exit(7);
  if (pid > 0) waitpid(pid, &status, 0);
  for (int fd = 3; fd <= last; fd++) close(fd);
  printf("shared descriptors %d, no descriptor free %d\n", shared_table, pid > 0 && WEXITSTATUS(status) == 7);

  pthread_t threads[3];
  for (long i = 0; i < 3; i++) pthread_create(&threads[i], 0, busy, (void *)(i * 1000));
  int wrong = 0;
  for (int i = 0; i < 60; i++) {
    pid = fork();
    if (!pid) {
      // The child makes code, memory and threads of its own.
      char text[64];
      snprintf(text, sizeof text, "%d %g", i, i * 1.5);
      pthread_t one;
      stop = 1;
      pthread_create(&one, 0, busy, 0);
      pthread_join(one, 0);
      free(malloc(100000));
      _exit(strlen(text) > 2 && work(5000) == work(5000) ? 42 : 1);
    }
    waitpid(pid, &status, 0);
    wrong += WEXITSTATUS(status) != 42;
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
  printf("forks beside threads, wrong: %d\n", wrong);

  fflush(stdout);
  if (!fork()) { stop = 0; pthread_create(&threads[0], 0, busy, 0); _exit(11); }
  wait(&status);
  printf("exit beside a thread %d\n", WEXITSTATUS(status));
  if (!fork()) { stop = 0; pthread_create(&threads[0], 0, busy, 0); abort(); }
  wait(&status);
  printf("abort beside a thread %d\n", WTERMSIG(status) == SIGABRT);
  return 0;
}
