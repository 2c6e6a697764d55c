// Programs that make code: in pages that may be written and executed at once, over and over,
// into themselves, from other threads; and code that goes and comes with its mapping.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef long (*function)(long);

#define ADDI_A0(imm) (0x00050513u | (uint32_t)(imm) << 20)
#define LI_A0(imm) (0x00000513u | (uint32_t)(imm) << 20)
#define RET 0x00008067u

static void fence(void) { __asm__ volatile("fence.i" ::: "memory"); }

static uint32_t *pages(int count) {
  return mmap(0, 4096 * count, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint32_t *shared;
static _Atomic int stop, version;
static _Atomic long calls;

static void *calling(void *arg) {
  (void)arg;
  long wrong = 0;
  while (!stop) {
    int before = version;
    fence();
    long got = ((function)shared)(0);
    int after = version;
    // One of the versions that were there meanwhile; or the next, which is being stored.
    if (got < before || got > after + 1) wrong++;
    calls++;
    if (calls % 64 == 0) sched_yield();
  }
  return (void *)wrong;
}

// Maps a page, makes code there, runs it, unmaps it: others get the same address next.
static void *mapping(void *arg) {
  long id = (long)arg, wrong = 0;
  for (int i = 0; i < 400; i++) {
    uint32_t *code = pages(1);
    code[0] = LI_A0(400 * id + i);
    code[1] = RET;
    fence();
    wrong += ((function)code)(0) != 400 * id + i;
    munmap(code, 4096);
  }
  return (void *)wrong;
}

static char stack_code(void) {
  // Code on the stack's page beside data that changes all the time.
  return 0;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  uint32_t *code = pages(2);

  long sum = 0;
  for (int i = 0; i < 1000; i++) {
    code[0] = ADDI_A0(i % 2000);
    code[1] = RET;
    fence();
    sum += ((function)code)(i);
  }
  printf("made anew: %ld\n", sum);

  // Called often enough to be translated, then changed.
  sum = 0;
  for (int round = 0; round < 10; round++) {
    code[0] = ADDI_A0(round);
    fence();
    for (int i = 0; i < 100; i++) sum += ((function)code)(0);
  }
  printf("changed when hot: %ld\n", sum);

  // Data on the same page as the code that changes it.
  static const uint32_t counts[] = {
    0x00000597, // auipc a1, 0
    0x04058593, // addi a1, a1, 64
    0x0005b603, // ld a2, 0(a1)
    0x00160613, // addi a2, a2, 1
    0x00c5b023, // sd a2, 0(a1)
    0xfff50513, // addi a0, a0, -1
    0xfe051ae3, // bnez a0, the load
    0x00060513, // mv a0, a2
    RET,
  };
  memcpy(code, counts, sizeof counts);
  memset((char *)code + 64, 0, 8);
  fence();
  printf("data beside code: %ld", ((function)code)(50));
  printf(" %ld\n", ((function)code)(50));

  // An instruction that replaces the next one, and the block it is in.
  static const uint32_t patches[] = {
    0x00000597, // auipc a1, 0
    0x0185a603, // lw a2, 24(a1): what is put there
    0x00c5aa23, // sw a2, 20(a1)
    0x0000100f, // fence.i
    0x00000013, // nop
    LI_A0(1),   // becomes li a0, 2
    LI_A0(2),   // is skipped by a jump below
    RET,
  };
  for (int i = 0; i < 30; i++) {
    memcpy(code, patches, sizeof patches);
    code[6] = LI_A0(2);
    code[7] = RET;
    fence();
    long got = ((function)code)(0);
    if (got != 2) printf("patched: %ld\n", got);
  }
  printf("patched itself\n");

  // A function that goes over the end of a page, and changes on either side.
  uint32_t *edge = code + 1023;
  uint16_t *half = (uint16_t *)code + 2047;
  edge[0] = LI_A0(7); edge[1] = RET;
  fence();
  long first = ((function)edge)(0);
  edge[1] = ADDI_A0(3); edge[2] = RET;
  fence();
  long second = ((function)edge)(0);
  uint32_t insn = LI_A0(0x155);
  for (int i = 0; i < 40; i++) {
    insn = LI_A0(i);
    memcpy(half, &insn, 4);
    insn = RET;
    memcpy(half + 2, &insn, 4);
    fence();
    sum += ((function)half)(0);
  }
  printf("edge: %ld %ld %ld\n", first, second, sum);

  // Mappings that go and come back with other code.
  sum = 0;
  void *at = code;
  for (int i = 0; i < 50; i++) {
    munmap(at, 8192);
    uint32_t *again = mmap(at, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    again[0] = LI_A0(i);
    again[1] = RET;
    mprotect(again, 8192, PROT_READ | PROT_EXEC);
    for (int n = 0; n < 20; n++) sum += ((function)again)(0);
  }
  printf("mapped anew: %ld\n", sum);

  // The kernel writes code too.
  int ends[2];
  if (pipe(ends)) return 1;
  code = pages(1);
  sum = 0;
  for (int i = 0; i < 20; i++) {
    uint32_t two[2] = {LI_A0(i), RET};
    if (write(ends[1], two, 8) != 8 || read(ends[0], code, 8) != 8) printf("no code came\n");
    fence();
    for (int n = 0; n < 20; n++) sum += ((function)code)(0);
  }
  printf("read: %ld\n", sum);

  // Another thread patches while two run it.
  shared = pages(1);
  shared[0] = LI_A0(0);
  shared[1] = RET;
  pthread_t callers[2];
  for (int i = 0; i < 2; i++) pthread_create(&callers[i], 0, calling, 0);
  for (int v = 1; v < 1000; v++) {
    long seen = calls;
    __atomic_store_n(&shared[0], LI_A0(v), __ATOMIC_SEQ_CST);
    version = v;
    if (v % 10 == 0) for (int spins = 0; calls < seen + 2 && spins < 1000; spins++) sched_yield();
  }
  stop = 1;
  long wrong = 0;
  for (int i = 0; i < 2; i++) { void *w; pthread_join(callers[i], &w); wrong += (long)w; }
  printf("patched by another thread, wrong: %ld, last %ld\n", wrong, ((function)shared)(0));

  // Much code: more than fits into the cache at a time would need; it is only called once each.
  sum = 0;
  enum { MANY = 2000 };
  uint32_t *many = pages(MANY);
  for (int i = 0; i < MANY; i++) { many[i * 1024] = LI_A0(i % 2000); many[i * 1024 + 1] = RET; }
  fence();
  for (int n = 0; n < 15; n++) for (int i = 0; i < MANY; i++) sum += ((function)(many + i * 1024))(0);
  printf("much: %ld %d\n", sum, stack_code());

  pthread_t mappers[4];
  long mixed = 0;
  for (long id = 0; id < 4; id++) pthread_create(&mappers[id], 0, mapping, (void *)id);
  for (long id = 0; id < 4; id++) {
    void *wrong;
    pthread_join(mappers[id], &wrong);
    mixed += (long)wrong;
  }
  printf("mapped by threads, wrong: %ld\n", mixed);
  return 0;
}
