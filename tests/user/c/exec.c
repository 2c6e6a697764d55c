/* Programs that start programs. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <linux/sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *self;

/* The child's output, and its status. */
static int run(char *output, const char *path, char **argv, char **env)
{
	int ends[2], status = -1, len = 0, more;
	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], 1);
		close(ends[0]), close(ends[1]);
		execve(path, argv, env);
		_exit(200 + errno);
	}
	close(ends[1]);
	while (len < 4000 && (more = read(ends[0], output + len, 4000 - len)) > 0)
		len += more;
	output[len] = 0;
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static void make(const char *path, const char *text, int mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0700);
	CHECK(write(fd, text, strlen(text)) == (long)strlen(text));
	close(fd);
	CHECK(chmod(path, mode) == 0);
}

static void children(void)
{
	char output[4096], script[4096], *env[] = { "A=1", "LD_PRELOAD=", "B=two words", NULL };
	char *argv[] = { "other name", "print", "", "-x --strace", NULL };
	int status = run(output, self, argv, env);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	CHECK(!strcmp(output, "[other name][print][][-x --strace]{A=1}{LD_PRELOAD=}{B=two words}"));

	sprintf(script, "#! %s print \t of script  \nnothing\n", self);
	make("script", script, 0755);
	status = run(output, "./script", (char *[]){ "gone", "argument", NULL }, (char *[]){ NULL });
	sprintf(script, "[%s][print \t of script][./script][argument]", self);
	CHECK(WEXITSTATUS(status) == 4 && !strcmp(output, script));

	make("second", "#!./script\n", 0755);
	status = run(output, "./second", (char *[]){ "gone", NULL }, (char *[]){ NULL });
	sprintf(script, "[%s][print \t of script][./script][./second]", self);
	CHECK(WEXITSTATUS(status) == 4 && !strcmp(output, script));

	make("loop", "#!./loop\n", 0755);
	CHECK(WEXITSTATUS(run(output, "./loop", argv, env)) == 200 + ELOOP ||
	      WEXITSTATUS(run(output, "./loop", argv, env)) == (200 + ENOEXEC));
	CHECK(WEXITSTATUS(run(output, "./nothing", argv, env)) == 200 + ENOENT);
	make("plain", "no program", 0755);
	CHECK(WEXITSTATUS(run(output, "./plain", argv, env)) == 200 + ENOEXEC);
	make("locked", script, 0644);
	CHECK(WEXITSTATUS(run(output, "./locked", argv, env)) == 200 + EACCES);
	CHECK(WEXITSTATUS(run(output, "/tmp", argv, env)) == 200 + EACCES);
	make("missing", "#!/no/such/interpreter\n", 0755);
	CHECK(WEXITSTATUS(run(output, "./missing", argv, env)) == 200 + ENOENT);
	status = run(output, "/proc/self/exe", argv, env);
	CHECK(WEXITSTATUS(status) == 3);
	CHECK(WTERMSIG(run(output, self, (char *[]){ "x", "die", NULL }, env)) == SIGTERM);
	CHECK(WEXITSTATUS(run(output, self, (char *[]){ "x", "pipe", NULL }, env)) == 0);
	CHECK(WEXITSTATUS(run(output, self, (char *[]){ "x", "descriptors", NULL }, env)) == 0);
	for (const char **f = (const char *[]){ "script", "second", "loop", "plain", "locked",
						"missing", NULL }; *f; f++)
		CHECK(unlink(*f) == 0);
}

static void spawns(void)
{
	pid_t child;
	int status;
	char *argv[] = { "spawned", "quiet", NULL }, *env[] = { NULL };
	for (int i = 0; i < 20; i++) {
		CHECK(posix_spawn(&child, self, NULL, NULL, argv, env) == 0);
		CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
	}
	int fd = open(self, O_RDONLY | O_CLOEXEC);
	if ((child = vfork()) == 0) {
		fexecve(fd, argv, env);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
	siginfo_t info;
	if ((child = fork()) == 0)
		abort();
	CHECK(waitid(P_PID, child, &info, WEXITED) == 0);
	CHECK(info.si_code == CLD_DUMPED || info.si_code == CLD_KILLED);
	CHECK(info.si_status == SIGABRT);
}

static volatile int noted;

static void note(int signal)
{
	noted = signal;
}

/* A child that shares memory until it runs a program, and nothing else. */
static void shares(void)
{
	pid_t child;
	int status, fd = dup(1);
	char *argv[] = { "spawned", "quiet", NULL }, *env[] = { NULL };
	struct sigaction action;
	CHECK(posix_spawn(&child, "./nothing", NULL, NULL, argv, env) == ENOENT);
	CHECK(posix_spawn(&child, "/tmp", NULL, NULL, argv, env) == EACCES);
	CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
	signal(SIGUSR1, note);
	if ((child = vfork()) == 0) {
		noted = 1000;
		signal(SIGUSR2, SIG_IGN);
		close(fd);
		execve("./nothing", argv, env);
		_exit(errno);
	}
	CHECK(noted == 1000);
	CHECK(fcntl(fd, F_GETFD) != -1 && close(fd) == 0);
	CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == ENOENT);
	if ((child = vfork()) == 0) {
		kill(getpid(), SIGUSR1);
		_exit(noted);
	}
	CHECK(noted == SIGUSR1);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == SIGUSR1);
	noted = 0;
	CHECK(raise(SIGUSR1) == 0 && noted == SIGUSR1);
	volatile pid_t inner = 0;
	if ((child = vfork()) == 0) {
		if ((inner = vfork()) == 0)
			_exit(noted = 3);
		_exit(waitpid(inner, &status, 0) == inner && WEXITSTATUS(status) == 3 ? noted + 1 : 0);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 4);
	if ((child = vfork()) == 0)
		kill(getpid(), SIGKILL), _exit(1);
	CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
	if ((child = vfork()) == 0) {
		pid_t other = fork();
		if (other == 0)
			_exit(noted = 5);
		_exit(waitpid(other, &status, 0) == other && noted == 3 ? WEXITSTATUS(status) : 0);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
}

static void *spawn_many(void *arg)
{
	pid_t child;
	int status;
	char *argv[] = { "spawned", "quiet", NULL }, *env[] = { NULL };
	for (long i = 0; i < 8; i++) {
		const char *path = i % 2 ? self : "./nothing";
		int error = posix_spawn(&child, path, NULL, NULL, argv, env);
		if (error != (i % 2 ? 0 : ENOENT))
			return (void *)1;
		if (!error && (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5))
			return (void *)1;
	}
	return arg;
}

static void spawns_beside_threads(void)
{
	pthread_t threads[4];
	void *result;
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, spawn_many, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], &result) == 0 && !result);
}

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

/* Programs named by descriptors, and those that somebody writes to. */
static void refusals(void)
{
	char output[4096], *argv[] = { "spawned", "quiet", NULL }, *env[] = { NULL };
	CHECK(execveat(-1, "", argv, env, AT_EMPTY_PATH) == -1 && errno == EBADF);
	CHECK(execveat(-1, "nothing", argv, env, 0) == -1 && errno == EBADF);
	CHECK(execveat(-1, "", argv, env, 0) == -1 && errno == ENOENT);
	CHECK(symlink("nothing", "link") == 0);
	CHECK(execveat(AT_FDCWD, "link", argv, env, AT_SYMLINK_NOFOLLOW) == -1 && errno == ELOOP);
	CHECK(execveat(AT_FDCWD, "link", argv, env, 0) == -1 && errno == ENOENT);
	CHECK(unlink("link") == 0);
	make("written", "#!/no/such/interpreter\n", 0755);
	CHECK(WEXITSTATUS(run(output, "./written", argv, env)) == 200 + ENOENT);
	int fd = open("written", O_WRONLY);
	int known = execveat(AT_FDCWD, self, argv, env, AT_EXECVE_CHECK) == 0;
	int error = known ? ETXTBSY : ENOENT;
	CHECK(WEXITSTATUS(run(output, "./written", argv, env)) == 200 + error);
	CHECK(!known || (execveat(AT_FDCWD, "written", argv, env, AT_EXECVE_CHECK) == -1 &&
			 errno == ETXTBSY));
	CHECK(close(fd) == 0 && unlink("written") == 0);
	struct clone_args bad = { .flags = CLONE_PIDFD, .pidfd = 8, .exit_signal = SIGCHLD };
	CHECK(syscall(SYS_clone3, &bad, sizeof bad) == -1 && errno == EFAULT);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

/* Standard descriptors that are closed stay closed. */
static void without_descriptors(void)
{
	char *argv[] = { "x", "closed", NULL };
	int status;
	pid_t child = fork();
	if (child == 0) {
		close(0), close(2);
		execv(self, argv);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 6);
}

/* Programs are started in another root too, where there is no /proc, and no ld.so either. */
static void in_another_root(void)
{
	char bytes[4096], *argv[] = { "x", "again", NULL }, *env[] = { NULL };
	int status, from = open(self, O_RDONLY), len, whole = 1;
	if (geteuid() != 0)
		return;
	CHECK(mkdir("root", 0755) == 0);
	int to = open("root/program", O_CREAT | O_WRONLY, 0755);
	while ((len = read(from, bytes, sizeof bytes)) > 0)
		whole &= write(to, bytes, len) == len;
	CHECK(close(from) == 0 && close(to) == 0 && whole);
	pid_t child = fork();
	if (child == 0) {
		if (chroot("root") == 0 && chdir("/") == 0 && access("/proc", F_OK) == -1)
			execve("/program", argv, env);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WEXITSTATUS(status) == 5 || getauxval(AT_BASE) != 0);
	CHECK(unlink("root/program") == 0 && rmdir("root") == 0);
}

static int inner(int argc, char **argv, char **env)
{
	if (!strcmp(argv[1], "quiet"))
		return 5;
	if (!strcmp(argv[1], "again"))
		return execve("/program", (char *[]){ "x", "quiet", NULL }, env);
	if (!strcmp(argv[1], "closed"))
		return fcntl(0, F_GETFD) == -1 && fcntl(1, F_GETFD) != -1 && fcntl(2, F_GETFD) == -1 ?
			       6 : 7;
	if (!strcmp(argv[1], "limit")) {
		struct rlimit limit;
		int fd, last = 0;
		getrlimit(RLIMIT_NOFILE, &limit);
		while ((fd = dup(1)) >= 0)
			last = fd;
		return errno != EMFILE || last != (int)limit.rlim_cur - 1 || close(last + 1) == 0;
	}
	if (!strcmp(argv[1], "die"))
		raise(SIGTERM);
	if (!strcmp(argv[1], "pipe")) {
		struct sigaction action;
		sigaction(SIGPIPE, NULL, &action);
		return action.sa_handler != SIG_DFL;
	}
	if (!strcmp(argv[1], "descriptors")) {
		for (int fd = 3; fd < 5000; fd++)
			if (fcntl(fd, F_GETFD) != -1 && close(fd) == 0)
				return 1;
		return 0;
	}
	for (int i = 0; i < argc; i++)
		printf("[%s]", argv[i]);
	for (; *env; env++)
		printf("{%s}", *env);
	return strcmp(argv[1], "print") ? 4 : 3;
}

int main(int argc, char **argv, char **env)
{
	if (argc > 1)
		return inner(argc, argv, env);
	char folder[] = "/tmp/polyvisor-exec-XXXXXX", path[4096];
	close_range(3, ~0u, 0);
	self = realpath(argv[0], path);
	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	children();
	spawns();
	shares();
	refusals();
	spawns_beside_threads();
	without_descriptors();
	in_another_root();
	CHECK(chdir("/") == 0 && rmdir(folder) == 0);
	return checked();
}
