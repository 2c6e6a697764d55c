/* Files, folders, descriptors: what system calls about them give back. */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void stats(void)
{
	struct stat a, b, l;
	struct statx x;
	struct statfs fs;
	int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
	CHECK(fd >= 0);
	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(fstat(fd, &a) == 0);
	CHECK(stat("file", &b) == 0);
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(a.st_size == 10 && S_ISREG(a.st_mode) && (a.st_mode & 0777) == 0640);
	CHECK(a.st_nlink == 1 && a.st_uid == getuid() && a.st_gid == getgid());
	CHECK(a.st_blksize >= 512 && a.st_blocks * 512 < 1 << 20);
	CHECK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x) == 0);
	CHECK(x.stx_ino == a.st_ino && x.stx_size == 10 && x.stx_mode == a.st_mode);
	CHECK(x.stx_mtime.tv_sec == a.st_mtim.tv_sec && x.stx_mtime.tv_nsec == a.st_mtim.tv_nsec);
	CHECK(link("file", "other") == 0 && stat("other", &b) == 0 && b.st_nlink == 2);
	CHECK(symlink("file", "link") == 0 && lstat("link", &l) == 0 && S_ISLNK(l.st_mode));
	CHECK(l.st_size == 4);
	char name[16] = "";
	CHECK(readlink("link", name, sizeof name) == 4 && !strcmp(name, "file"));
	CHECK(stat("/dev/null", &b) == 0 && S_ISCHR(b.st_mode) && b.st_rdev == makedev(1, 3));
	struct timespec times[2] = { { 1000, 5 }, { 2000, 123456789 } };
	CHECK(utimensat(AT_FDCWD, "file", times, 0) == 0 && stat("file", &b) == 0);
	CHECK(b.st_atim.tv_sec == 1000 && b.st_mtim.tv_sec == 2000);
	CHECK(b.st_mtim.tv_nsec == 123456789);
	CHECK(statfs(".", &fs) == 0 && fs.f_bsize >= 512 && fs.f_namelen >= 14);
	CHECK(close(fd) == 0 && fstat(fd, &a) == -1 && errno == EBADF);
	CHECK(stat("nothing", &a) == -1 && errno == ENOENT);
	CHECK(stat((char *)8, &a) == -1 && errno == EFAULT);
	CHECK(stat("file", (struct stat *)8) == -1 && errno == EFAULT);
}

static void flags(void)
{
	CHECK(open("file", O_DIRECTORY) == -1 && errno == ENOTDIR);
	CHECK(open("link", O_NOFOLLOW) == -1 && errno == ELOOP);
	CHECK(open("file", O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	int fd = open("file", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) ==
	      (O_RDWR | O_APPEND | O_NONBLOCK));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && !(fcntl(fd, F_GETFL) & O_APPEND));
	CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 100) == 100 && fcntl(100, F_GETFD) == FD_CLOEXEC);
	CHECK(dup3(fd, 101, O_CLOEXEC) == 101 && dup2(fd, 101) == 101 && fcntl(101, F_GETFD) == 0);
	CHECK(close_range(100, 101, 0) == 0 && fcntl(100, F_GETFD) == -1);
	int folder = open(".", O_DIRECTORY | O_PATH);
	CHECK(folder >= 0 && faccessat(folder, "file", R_OK, 0) == 0);
	int made = openat(folder, "made", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(made >= 0 && ftruncate(made, 5000) == 0 && lseek(made, 0, SEEK_END) == 5000);
	CHECK(fallocate(made, 0, 0, 8192) == 0 && lseek(made, 0, SEEK_END) == 8192);
	CHECK(renameat(folder, "made", folder, "moved") == 0 && access("made", F_OK) == -1);
	CHECK(unlinkat(folder, "moved", 0) == 0);
	close(made);
	close(folder);
	close(fd);
}

static void transfers(void)
{
	char buffer[64] = "";
	int fd = open("file", O_RDWR);
	struct iovec out[2] = { { "abc", 3 }, { "de", 2 } };
	struct iovec in[2] = { { buffer, 2 }, { buffer + 10, 20 } };
	CHECK(pwritev(fd, out, 2, 4) == 5 && preadv(fd, in, 2, 3) == 7);
	CHECK(!memcmp(buffer, "3a", 2) && !memcmp(buffer + 10, "bcde9", 5));
	CHECK(pread(fd, buffer, 4, 8) == 2 && pwrite(fd, "!", 1, 0) == 1);
	CHECK(lseek(fd, -3, SEEK_END) == 7 && read(fd, buffer, 64) == 3);
	int ends[2];
	CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(read(ends[0], buffer, 1) == -1 && errno == EAGAIN);
	off_t from = 0;
	CHECK(splice(fd, &from, ends[1], NULL, 4, 0) == 4 && from == 4);
	CHECK(read(ends[0], buffer, 64) == 4 && !memcmp(buffer, "!123", 4));
	int copy = open("copy", O_RDWR | O_CREAT, 0600);
	from = 2;
	CHECK(copy_file_range(fd, &from, copy, NULL, 5, 0) == 5);
	CHECK(pread(copy, buffer, 64, 0) == 5 && !memcmp(buffer, "23abc", 5));
	CHECK(write(ends[0], "x", 1) == -1 && errno == EBADF);
	char *volatile nowhere = (char *)16;
	CHECK(write(fd, nowhere, 8) == -1 && errno == EFAULT);
	volatile int negative = -1;
	CHECK(readv(fd, in, negative) == -1 && errno == EINVAL);
	if (setxattr("copy", "user.polyvisor", "value", 5, 0) == 0)
		CHECK(getxattr("copy", "user.polyvisor", buffer, 64) == 5);
	close(copy), close(ends[0]), close(ends[1]);
	close(fd);
}

static void locks(void)
{
	int fd = open("file", O_RDWR);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
	CHECK(fcntl(fd, F_SETLK, &lock) == 0 && flock(fd, LOCK_EX) == 0);
	pid_t child = fork();
	if (child == 0) {
		struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		int ok = fcntl(fd, F_GETLK, &other) == 0 && other.l_type == F_WRLCK &&
			 other.l_start == 2 && other.l_len == 3 && other.l_pid == getppid();
		_exit(ok ? 42 : 1);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 42);
	close(fd);
}

static void folders(void)
{
	char path[4096];
	CHECK(mkdir("folder", 0755) == 0 && mkdir("folder", 0755) == -1 && errno == EEXIST);
	for (int i = 0; i < 500; i++) {
		char name[32];
		sprintf(name, "folder/%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	DIR *dir = opendir("folder");
	int count = 0, sum = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			count++;
			sum += atoi(entry->d_name);
			CHECK(entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
		}
	closedir(dir);
	CHECK(count == 500 && sum == 500 * 499 / 2);
	CHECK(chdir("folder") == 0 && getcwd(path, sizeof path) && strstr(path, "/folder"));
	for (int i = 0; i < 500; i++) {
		sprintf(path, "%d", i);
		unlink(path);
	}
	CHECK(chdir("..") == 0 && rmdir("folder") == 0);
}

static void descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int others = 0;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) > 2)
			others += atoi(entry->d_name) != dirfd(dir);
	closedir(dir);
	CHECK(others == 0);
	for (int fd = 3; fd < 2048; fd++)
		CHECK(fcntl(fd, F_GETFD) == -1 || close(fd) == -1);
}

static volatile sig_atomic_t ticks;

static void tick(int signal)
{
	ticks += signal == SIGALRM;
}

/* A named pipe without another end: a signal ends the wait. */
static void fifo(void)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	CHECK(mkfifo("fifo", 0600) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	CHECK(open("fifo", O_RDONLY) == -1 && errno == EINTR && ticks > 0);
	CHECK(open("fifo", O_WRONLY) == -1 && errno == EINTR);
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0 && signal(SIGALRM, SIG_DFL) == tick);
	CHECK(open("fifo", O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
	CHECK(unlink("fifo") == 0);
}

int main(void)
{
	char folder[] = "/tmp/polyvisor-files-XXXXXX";
	close_range(3, ~0u, 0);
	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	stats();
	flags();
	transfers();
	locks();
	folders();
	descriptors();
	fifo();
	CHECK(unlink("file") == 0 && unlink("other") == 0 && unlink("link") == 0);
	CHECK(unlink("copy") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
	return checked();
}
