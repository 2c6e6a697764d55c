/* What the kernel tells a program: itself, the processor, time, limits. */
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int slurp(const char *path, char *buffer, int size)
{
	int fd = open(path, O_RDONLY), len = 0, more;
	while (fd >= 0 && len < size && (more = read(fd, buffer + len, size - len)) > 0)
		len += more;
	close(fd);
	return len;
}

static void vector(char **argv)
{
	char text[65536];
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100);
	CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
	CHECK(getauxval(AT_PHNUM) > 2 && getauxval(AT_ENTRY) != 0 && getauxval(AT_SECURE) == 0);
	CHECK(!memcmp((char *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG));
	char *random = (char *)getauxval(AT_RANDOM), zero[16] = "";
	CHECK(memcmp(random, zero, 16) != 0);
	CHECK(!strcmp((char *)getauxval(AT_EXECFN), argv[0]));
	int len = slurp("/proc/self/auxv", text, sizeof text);
	CHECK(len > 64 && len % 16 == 0);
	CHECK(slurp("/proc/self/cmdline", text, sizeof text) > 0 && !strcmp(text, argv[0]));
	len = slurp("/proc/self/environ", text, sizeof text);
	CHECK(!environ[0] || (len > 0 && !strcmp(text, environ[0])));
	char path[4096], full[4096];
	path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
	CHECK(realpath(argv[0], full) && !strcmp(path, full));
	CHECK(slurp("/proc/self/stat", text, sizeof text) > 0 && strchr(text, ')'));
	CHECK(atoi(text) == getpid());
	sprintf(path, "/proc/%d/exe", getpid());
	full[readlink(path, full, sizeof full - 1)] = 0;
	CHECK(strstr(full, "polyvisor-") == NULL || strstr(full, "system"));
	CHECK(slurp("/proc/cpuinfo", text, sizeof text) > 0 && !strncmp(text, "processor", 9));
}

static void names(const char *machine)
{
	struct utsname name;
	char text[32] = "";
	CHECK(uname(&name) == 0 && !strcmp(name.sysname, "Linux"));
	CHECK(!strcmp(name.machine, machine));
	CHECK(prctl(PR_SET_NAME, "renamed") == 0 && prctl(PR_GET_NAME, text) == 0);
	CHECK(!strcmp(text, "renamed"));
	CHECK(prctl(PR_SET_SECCOMP, 2, 0) == -1 && errno == EINVAL);
	CHECK(prctl(PR_GET_SECCOMP) == 0 && prctl(0x7fff) == -1 && errno == EINVAL);
	CHECK(personality(0xffffffff) != -1);
	CHECK(syscall(100000) == -1 && errno == ENOSYS);
	CHECK(syscall(SYS_init_module, 0, 0, "") == -1 && errno == EPERM);
	CHECK(getrandom(text, 32, 0) == 32);
}

static void clocks(void)
{
	struct timespec a, b, nap = { 0, 2000000 };
	struct timeval now;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0 && nanosleep(&nap, NULL) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
	CHECK((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 2000000);
	CHECK(gettimeofday(&now, NULL) == 0 && labs(now.tv_sec - time(NULL)) <= 1);
	CHECK(clock_gettime(CLOCK_REALTIME, &a) == 0 && labs(a.tv_sec - time(NULL)) <= 1);
	CHECK(clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec > 0);
	CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a) == 0);
	CHECK(clock_gettime(99, &a) == -1 && errno == EINVAL);
	nap.tv_nsec = -1;
	CHECK(nanosleep(&nap, NULL) == -1 && errno == EINVAL);
	struct tms t;
	CHECK(times(&t) != -1 && t.tms_utime >= 0);
	struct rusage usage;
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
}

static void limits(void)
{
	struct rlimit limit, other;
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 16);
	limit.rlim_cur = limit.rlim_cur / 2;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &other) == 0);
	CHECK(other.rlim_cur == limit.rlim_cur);
	other.rlim_cur = other.rlim_max = 1 << 20;
	CHECK(prlimit(0, RLIMIT_AS, &other, &limit) == 0 && prlimit(0, RLIMIT_AS, NULL, &limit) == 0);
	CHECK(limit.rlim_cur == 1 << 20);
	cpu_set_t set;
	CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
	CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
	unsigned cpu, node;
	CHECK(getcpu(&cpu, &node) == 0 && CPU_ISSET(cpu, &set));
	struct sysinfo info;
	CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.uptime > 0);
	CHECK(getpriority(PRIO_PROCESS, 0) <= 19 && sched_yield() == 0);
}

#ifdef __riscv
static void probe(void)
{
	struct { long key; unsigned long value; } pairs[3] = { { 3, 0 }, { 4, 0 }, { 9999, 1 } };
	CHECK(syscall(258, pairs, 3, 0, NULL, 0) == 0);
	CHECK(pairs[0].value == 1 && (pairs[1].value & 3) == 3);
	CHECK(pairs[2].key == -1 && pairs[2].value == 0);
	CHECK(syscall(259, (char *)probe, (char *)probe + 64, 0) == 0);
	CHECK(getauxval(AT_HWCAP) & 1 << ('d' - 'a'));
}
#else
static void probe(void)
{
}
#endif

int main(int argc, char **argv)
{
	(void)argc;
	vector(argv);
#ifdef __riscv
	names("riscv64");
#elif defined(__aarch64__)
	names("aarch64");
#else
	names("x86_64");
#endif
	clocks();
	limits();
	probe();
	return checked();
}
