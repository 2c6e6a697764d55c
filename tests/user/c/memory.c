/* The address space: mappings, their protection, the heap, shared memory. */
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf back;
static siginfo_t last;

static void caught(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	last = *info;
	siglongjmp(back, 1);
}

/* The si_code of the fault that a store to `p` gives, or 0. */
static int store_faults(volatile char *p)
{
	if (sigsetjmp(back, 1) == 0) {
		*p = 1;
		return 0;
	}
	return last.si_addr == (void *)p ? last.si_code : -1;
}

static int load_faults(volatile char *p)
{
	if (sigsetjmp(back, 1) == 0) {
		(void)*p;
		return 0;
	}
	return last.si_addr == (void *)p ? last.si_code : -1;
}

static void mappings(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED && p[0] == 0);
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
	CHECK(errno == EEXIST);
	p[PAGE] = 7;
	CHECK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE && p[PAGE] == 0);
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0 && store_faults(p + 2 * PAGE) == SEGV_MAPERR);
	CHECK(mmap(p + 2 * PAGE, PAGE, RW, ANON, -1, 0) == p + 2 * PAGE);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0 && store_faults(p) == SEGV_ACCERR);
	CHECK(load_faults(p) == 0 && mprotect(p, PAGE, PROT_NONE) == 0);
	CHECK(load_faults(p) == SEGV_ACCERR && mprotect(p, 4 * PAGE, RW) == 0 && !store_faults(p));
	CHECK(mprotect(p + 1, PAGE, RW) == -1 && errno == EINVAL);
	CHECK(munmap(p, 4 * PAGE) == 0 && mprotect(p, PAGE, RW) == -1 && errno == ENOMEM);
	CHECK(munmap(p, 0) == -1 && errno == EINVAL && munmap(p + 1, PAGE) == -1);
	CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 0, RW, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap(NULL, 1UL << 60, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, 999, 0) == MAP_FAILED && errno == EBADF);
	CHECK(store_faults((char *)0) == SEGV_MAPERR);
	CHECK(mmap((void *)0x12345000, PAGE, RW, ANON, -1, 0) == (void *)0x12345000);
}

static void moves(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
	strcpy(p, "here");
	munmap(p + 2 * PAGE, PAGE);
	CHECK(mremap(p, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
	char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && !strcmp(q, "here") && !store_faults(q + 63 * PAGE));
	CHECK(q == p || load_faults(p) == SEGV_MAPERR);
	CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q && load_faults(q + PAGE) == SEGV_MAPERR);
	char *target = mmap(NULL, PAGE, RW, ANON, -1, 0);
	CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	CHECK(!strcmp(target, "here") && munmap(target, PAGE) == 0);
	CHECK(mremap(target, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
}

static void files(void)
{
	int fd = memfd_create("memory", 0);
	CHECK(ftruncate(fd, PAGE) == 0 && pwrite(fd, "file", 4, 0) == 4);
	char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(!memcmp(shared, "file", 4) && !memcmp(private, "file", 4));
	private[0] = 'x';
	shared[1] = 'y';
	char buffer[4];
	CHECK(pread(fd, buffer, 4, 0) == 4 && !memcmp(buffer, "fyle", 4));
	CHECK(msync(shared, PAGE, MS_SYNC) == 0);
	/* Behind the end of the file. */
	CHECK(load_faults(shared + PAGE) == BUS_ADRERR && last.si_signo == SIGBUS);
	CHECK(madvise(private, PAGE, MADV_DONTNEED) == 0 && private[0] == 'f');
	unsigned char there[2];
	CHECK(mincore(shared, PAGE, there) == 0 && (there[0] & 1));
	CHECK(mlock(private, PAGE) == 0 && munlock(private, PAGE) == 0);
	int *counter = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fork() == 0) {
		__atomic_fetch_add(counter, 5, __ATOMIC_SEQ_CST);
		_exit(0);
	}
	CHECK(wait(NULL) > 0 && *counter == 5);
	close(fd);
}

static void heap(void)
{
	char *start = sbrk(0);
	CHECK(sbrk(10 * PAGE) == start && !store_faults(start + 10 * PAGE - 1));
	CHECK(sbrk(-10 * (long)PAGE) == start + 10 * PAGE);
	CHECK(store_faults(start + 8 * PAGE) == SEGV_MAPERR);
	void *blocks[64];
	for (int i = 0; i < 64; i++)
		memset(blocks[i] = malloc(100000), i, 100000);
	for (int i = 0; i < 64; i++)
		free(blocks[i]);
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 3 * PAGE - 5, IPC_CREAT | 0600);
	struct shmid_ds ds;
	CHECK(id >= 0 && shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_segsz == 3 * PAGE - 5);
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
	CHECK(a != (void *)-1 && b != (void *)-1 && a != b);
	strcpy(a + PAGE, "both");
	CHECK(!strcmp(b + PAGE, "both") && store_faults(b) == SEGV_ACCERR);
	CHECK(shmdt(a) == 0 && shmdt(a) == -1 && load_faults(a) == SEGV_MAPERR);
	CHECK(shmat(id, (void *)1, SHM_RND | SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmat(id, (void *)1, SHM_RND) == (void *)-1);
	CHECK(shmat(id, NULL, SHM_REMAP) == (void *)-1 && errno == EINVAL);
	CHECK(shmdt(b) == 0 && shmctl(id, IPC_RMID, NULL) == 0);
	int sem = semget(IPC_PRIVATE, 3, IPC_CREAT | 0640);
	struct semid_ds sds;
	union { int value; struct semid_ds *ds; } arg = { .ds = &sds };
	CHECK(semctl(sem, 0, IPC_STAT, arg) == 0 && sds.sem_nsems == 3);
	CHECK((sds.sem_perm.mode & 0777) == 0640 && sds.sem_ctime > 0 && sds.sem_otime == 0);
	struct sembuf up = { 1, 2, 0 };
	CHECK(semop(sem, &up, 1) == 0 && semctl(sem, 1, GETVAL) == 2);
	CHECK(semctl(sem, 0, IPC_STAT, arg) == 0 && sds.sem_otime > 0);
	sds.sem_perm.mode = 0600;
	CHECK(semctl(sem, 0, IPC_SET, arg) == 0 && semctl(sem, 0, IPC_STAT, arg) == 0);
	CHECK((sds.sem_perm.mode & 0777) == 0600 && semctl(sem, 0, IPC_RMID) == 0);
}

/* Many small mappings of alternating protection, that do not merge. */
static void many(void)
{
	char *p = mmap(NULL, 8000 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	int good = 0;
	for (int i = 0; i < 8000; i += 2)
		good += mprotect(p + i * PAGE, PAGE, RW) == 0 && (p[i * PAGE] = 1);
	CHECK(good == 4000);
	CHECK(load_faults(p + PAGE) == SEGV_ACCERR && munmap(p, 8000 * PAGE) == 0);
}

/* Mappings that grow downwards keep clear of what lies below. */
static void growing(void)
{
	char *p = mmap(NULL, 600 * PAGE, PROT_NONE, ANON, -1, 0), *top = p + 599 * PAGE;
	CHECK(munmap(p, 600 * PAGE) == 0);
	CHECK(mmap(top, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == top);
	CHECK(store_faults(top - 8) == 0);
	CHECK(mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
	CHECK(store_faults(p + 300 * PAGE) == 0);
	CHECK(store_faults(p + 200 * PAGE) == SEGV_MAPERR);
	CHECK(munmap(p, 600 * PAGE) == 0);
}

/* Huge pages, of which there may be none: their place is aligned all the same. */
static void huge(void)
{
	unsigned long size = 2 << 20;
	char *p = mmap(NULL, size, RW, ANON | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	CHECK(p == MAP_FAILED ? errno == ENOMEM : (unsigned long)p % size == 0);
	CHECK(p == MAP_FAILED || munmap(p, size) == 0);
}

static void listed(void)
{
	char line[512], exe[512];
	int stack = 0, heap = 0, program = 0, here;
	exe[readlink("/proc/self/exe", exe, sizeof exe - 1)] = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps)) {
		unsigned long start, end;
		char prot[8];
		CHECK(sscanf(line, "%lx-%lx %4s", &start, &end, prot) == 3 && start < end);
		heap += strstr(line, "[heap]") != NULL;
		if ((unsigned long)&here >= start && (unsigned long)&here < end)
			stack += strstr(line, "[stack]") && !strncmp(prot, "rw", 2);
		if ((unsigned long)listed >= start && (unsigned long)listed < end)
			program += !strcmp(prot, "r-xp") && strstr(line, exe);
		CHECK(!strstr(line, "polyvisor user"));
	}
	fclose(maps);
	CHECK(stack == 1 && heap == 1 && program == 1);
	held = 0; /* As many as there are lines. */
}

#ifdef __x86_64__
#define R(context, name) ((ucontext_t *)context)->uc_mcontext.gregs[REG_##name]

static char *two;
static unsigned long long seen[4];

static void open_second(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	seen[0] = R(context, RCX), seen[1] = R(context, RSI), seen[2] = R(context, RDI);
	seen[3] = R(context, RBX);
	mprotect(two + PAGE, PAGE, RW);
}

/* Instructions that move and fill are broken off by a fault, and go on behind it. */
static void repeated(void)
{
	struct sigaction action = { .sa_sigaction = open_second, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction before;
	static char from[64];
	int moved = 0, filled = 0, registers = 0;
	sigaction(SIGSEGV, &action, &before);
	two = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
	for (int i = 0; i < 64; i++)
		from[i] = i + 1;
	/* Often enough to be translated. */
	for (int i = 0; i < 50; i++) {
		char *to = two + PAGE - 5;
		const char *source = from;
		unsigned long n = 16, kept = 0x1234 + i;
		mprotect(two + PAGE, PAGE, PROT_NONE);
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(n), "+b"(kept) : : "memory");
		moved += n == 0 && kept == 0x1234UL + i && !memcmp(two + PAGE - 5, from, 16);
		registers += seen[0] == 11 && seen[1] == (unsigned long long)(from + 5) &&
			     seen[2] == (unsigned long long)(two + PAGE) && seen[3] == kept;
		to = two + PAGE - 24, n = 4;
		mprotect(two + PAGE, PAGE, PROT_NONE);
		__asm__ volatile("rep stosq"
				 : "+D"(to), "+c"(n), "+b"(kept) : "a"(0x0101010101010101UL * i) : "memory");
		filled += n == 0 && kept == 0x1234UL + i && two[PAGE + 7] == (char)i && two[PAGE - 24] == (char)i;
		registers += seen[0] == 1 && seen[2] == (unsigned long long)(two + PAGE) && seen[3] == kept;
	}
	CHECK(moved == 50);
	CHECK(filled == 50);
	CHECK(registers == 100);
	sigaction(SIGSEGV, &before, NULL);
}
#endif

int main(void)
{
	char alternate[65536];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	listed();
	mappings();
	moves();
	files();
	heap();
	segments();
	many();
	growing();
	huge();
#ifdef __x86_64__
	repeated();
#endif
	return checked();
}
