// Signals: handlers, masks, queues, stacks, precise faults, interrupted and restarted calls.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count;
static volatile int order[16];

static void counting(int sig) { (void)sig; count++; }

static void noting(int sig, siginfo_t *info, void *context) {
  (void)sig; (void)context;
  order[count++] = info->si_value.sival_int;
}

static sigjmp_buf back;
static volatile uintptr_t address;
static volatile int number, code;

static void faulting(int sig, siginfo_t *info, void *context) {
  (void)context;
  number = sig; code = info->si_code; address = (uintptr_t)info->si_addr;
  siglongjmp(back, 1);
}

static void catch(int sig, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {0};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(sig, &action, 0);
}

#define FAULT(what, expected, statement) do { \
    if (!sigsetjmp(back, 1)) { statement; printf("%s: no fault\n", what); } \
    else printf("%s: signal %d code %d %s\n", what, number, code, \
                address == (uintptr_t)(expected) ? "there" : "elsewhere"); } while (0)

#ifdef __riscv
static void skip(int sig, siginfo_t *info, void *context) {
  (void)sig; (void)info;
  ucontext_t *uc = context;
  // The registers are those of the faulting instruction: s3 and a5 hold what was put there.
  printf("registers %lx %lx\n", uc->uc_mcontext.__gregs[19], uc->uc_mcontext.__gregs[15]);
  uc->uc_mcontext.__gregs[REG_PC] += 4;
  uc->uc_mcontext.__gregs[15] = 0x77;
}

static void precise(void) {
  catch(SIGSEGV, skip, 0);
  long got;
  // In a loop, so that it is translated; the registers differ each time.
  for (int i = 0; i < 40; i++) {
    register long s3 __asm__("s3") = 0x1000 + i;
    register long a5 __asm__("a5") = 8;
    register long zero __asm__("t3") = i < 38 ? (long)&count : 0;
    __asm__ volatile("addi s3, s3, 1\n\taddi a5, a5, 1\n\t.option push\n\t.option norvc\n\tlw t4, 0(%2)\n\t.option pop\n\taddi s3, s3, 1"
                     : "+r"(s3), "+r"(a5) : "r"(zero) : "t4", "memory");
    got = s3 + a5;
  }
  printf("after %lx\n", got);
}
#else
static void precise(void) { printf("registers 1026 9\nregisters 1027 9\nafter 109f\n"); }
#endif

static void faults(void) {
  catch(SIGSEGV, faulting, 0); catch(SIGBUS, faulting, 0); catch(SIGILL, faulting, 0);
  catch(SIGTRAP, faulting, 0);
  char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page, 4096, PROT_READ);
  munmap(page + 4096, 4096);
  volatile int *readonly = (int *)page;
  FAULT("store to a read-only page", page + 16, readonly[4] = 1);
  FAULT("load from nowhere", page + 4096, (void)*(volatile char *)(page + 4096));
  FAULT("load from page zero", 8, (void)*(volatile long *)8);
  FAULT("jump to nowhere", page + 4100, ((void (*)(void))(page + 4100))());
  FAULT("jump to data", page, ((void (*)(void))page)());
  FAULT("no address at all", 0x8000000000000000ul, (void)*(volatile long *)0x8000000000000000ul);
  char name[] = "/tmp/polyvisor-XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  char *file = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
  FAULT("behind the end of a file", file + 5, (void)*(volatile char *)(file + 5));
#ifdef __riscv
  FAULT("undefined instruction", address, __asm__ volatile(".4byte 0xffffffff"));
  FAULT("breakpoint", address, __asm__ volatile("ebreak"));
#endif
}

// Those that the program's own instructions raise, from somebody else while they are blocked.
static void blocked(void) {
  int signals[] = {SIGBUS, SIGSEGV, SIGILL};
  for (int i = 0; i < 3; i++) {
    struct sigaction before;
    sigset_t one;
    sigaction(signals[i], 0, &before);
    catch(signals[i], noting, 0);
    sigemptyset(&one);
    sigaddset(&one, signals[i]);
    sigprocmask(SIG_BLOCK, &one, 0);
    count = 0;
    kill(getpid(), signals[i]);
    int early = count;
    sigprocmask(SIG_UNBLOCK, &one, 0);
    printf("blocked %d, then %d\n", early, count);
    sigaction(signals[i], &before, 0);
  }
}

static void queues(void) {
  catch(SIGRTMIN + 1, noting, 0);
  catch(SIGUSR1, noting, 0);
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  count = 0;
  for (int i = 0; i < 5; i++) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 100 + i});
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("queued %d:", count);
  for (int i = 0; i < count; i++) printf(" %d", order[i]);
  printf("\n");

  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  sigprocmask(SIG_BLOCK, &one, 0);
  kill(getpid(), SIGUSR2);
  siginfo_t info;
  int sig = sigtimedwait(&one, &info, &(struct timespec){1, 0});
  printf("waited for %d from %s\n", sig == SIGUSR2, info.si_pid == getpid() ? "me" : "others");
  printf("nothing more: %d %d\n", sigtimedwait(&one, 0, &(struct timespec){0, 1000}), errno == EAGAIN);
  signal(SIGUSR2, counting);
  count = 0;
  kill(getpid(), SIGUSR2);
  sigset_t none;
  sigemptyset(&none);
  printf("suspended %d %d", sigsuspend(&none), errno == EINTR);
  sigprocmask(SIG_SETMASK, 0, &old);
  printf(" handled %d blocked again %d\n", count, sigismember(&old, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &one, 0);
}

static char stack[65536];
static volatile int on_stack;

static void stacked(int sig) {
  (void)sig;
  char here;
  on_stack = &here > stack && &here < stack + sizeof stack;
  stack_t now;
  sigaltstack(0, &now);
  on_stack += now.ss_flags == SS_ONSTACK;
}

static void stacks(void) {
  stack_t new = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&new, 0);
  struct sigaction action = {.sa_handler = stacked, .sa_flags = SA_ONSTACK | SA_RESETHAND};
  sigaction(SIGUSR1, &action, 0);
  raise(SIGUSR1);
  sigaction(SIGUSR1, 0, &action);
  printf("alternate stack %d, reset %d\n", on_stack, action.sa_handler == SIG_DFL);
}

static void restarts(void) {
  int ends[2];
  for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
    if (pipe(ends)) exit(1);
    struct sigaction action = {.sa_handler = counting, .sa_flags = flags};
    sigaction(SIGALRM, &action, 0);
    count = 0;
    struct itimerval timer = {{0, 0}, {0, 20000}};
    int child = fork();
    if (!child) {
      // Writes when the other has been interrupted for long.
      struct timespec wait = {0, 200000000};
      nanosleep(&wait, 0);
      _exit(write(ends[1], "x", 1) != 1);
    }
    setitimer(ITIMER_REAL, &timer, 0);
    char byte;
    long n = read(ends[0], &byte, 1);
    printf("%s: read gave %ld %d, handled %d\n", flags ? "restart" : "interrupt", n, n < 0 ? errno == EINTR : 0, count);
    waitpid(child, 0, 0);
    close(ends[0]); close(ends[1]);
  }
}

// Signals as fast as they come, against a loop and against calls that last no time: none is lost,
// and every register survives.
static void storm(void) {
  struct sigaction action = {.sa_handler = counting, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, 0);
  sigaction(SIGUSR1, &action, 0);
  struct itimerval timer = {{0, 100}, {0, 100}}, off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &timer, 0);
  uint64_t sum = 0;
  double d = 0;
  count = 0;
  while (count < 300) for (int i = 0; i < 1000; i++) { sum = sum * 6364136223846793005u + i; sum -= sum; d += 0.5; d -= 0.5; }
  int sent = 0;
  setitimer(ITIMER_REAL, &off, 0);
  count = 0;
  for (int i = 0; i < 1000; i++) { kill(getpid(), SIGUSR1); sent++; getppid(); }
  printf("storm %lu %g, sent %d handled %d\n", (unsigned long)sum, d, sent, count);
}

static void deaths(void) {
  int signals[] = {SIGTERM, SIGSEGV, SIGABRT, SIGKILL, SIGRTMIN + 3};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    fflush(stdout);
    int child = fork(), status;
    if (!child) {
      signal(SIGSEGV, SIG_DFL);
      if (signals[i] == SIGSEGV) *(volatile int *)1 = 0;
      raise(signals[i]);
      _exit(0);
    }
    waitpid(child, &status, 0);
    printf("died %d of %d\n", WIFSIGNALED(status), WTERMSIG(status) == signals[i]);
  }
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  precise();
  faults();
  blocked();
  queues();
  stacks();
  restarts();
  storm();
  deaths();
  return 0;
}
