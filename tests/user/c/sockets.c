/* Sockets, and waiting: poll, select, epoll, and descriptors of events, timers and signals. */
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static void streams(void)
{
	char buffer[64];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, value = 0;
	socklen_t len = sizeof value;
	CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
	CHECK(getsockopt(listener, SOL_SOCKET, SO_TYPE, &value, &len) == 0 && value == SOCK_STREAM);
	struct sockaddr_in address = { .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = sizeof address;
	CHECK(bind(listener, (void *)&address, len) == 0 && listen(listener, 4) == 0);
	CHECK(getsockname(listener, (void *)&address, &len) == 0 && address.sin_port != 0);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (void *)&address, sizeof address) == 0);
	int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	CHECK(server >= 0 && recv(server, buffer, 64, 0) == -1 && errno == EAGAIN);
	CHECK(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
	CHECK(send(client, "hello", 5, MSG_NOSIGNAL) == 5);
	struct pollfd poll_in = { .fd = server, .events = POLLIN };
	CHECK(poll(&poll_in, 1, 10000) == 1 && poll_in.revents == POLLIN);
	int waiting = 0;
	CHECK(ioctl(server, FIONREAD, &waiting) == 0 && waiting == 5);
	CHECK(recv(server, buffer, 64, MSG_PEEK) == 5 && read(server, buffer, 64) == 5);
	CHECK(shutdown(client, SHUT_WR) == 0 && poll(&poll_in, 1, 10000) == 1);
	CHECK(read(server, buffer, 64) == 0);
	close(client), close(server), close(listener);
}

static void messages(void)
{
	int ends[2], passed[2] = { -1, -1 }, got;
	char data[16] = "", control[CMSG_SPACE(sizeof(int))];
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && pipe(passed) == 0);
	struct iovec part = { "data", 4 };
	struct msghdr out = { .msg_iov = &part, .msg_iovlen = 1 };
	out.msg_control = control, out.msg_controllen = sizeof control;
	struct cmsghdr *c = CMSG_FIRSTHDR(&out);
	c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &passed[1], sizeof(int));
	CHECK(sendmsg(ends[0], &out, 0) == 4);
	part = (struct iovec){ data, sizeof data };
	memset(control, 0, sizeof control);
	struct msghdr in = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	in.msg_controllen = sizeof control;
	CHECK(recvmsg(ends[1], &in, MSG_CMSG_CLOEXEC) == 4 && !strcmp(data, "data"));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&in)), sizeof got);
	CHECK(got > passed[1] && write(got, "p", 1) == 1 && read(passed[0], data, 1) == 1);
	struct mmsghdr many[2] = { 0 };
	struct iovec texts[2] = { { "first", 5 }, { "2nd", 3 } };
	for (int i = 0; i < 2; i++)
		many[i].msg_hdr.msg_iov = &texts[i], many[i].msg_hdr.msg_iovlen = 1;
	CHECK(sendmmsg(ends[0], many, 2, 0) == 2 && many[0].msg_len == 5);
	char texts_in[2][16];
	for (int i = 0; i < 2; i++)
		texts[i] = (struct iovec){ texts_in[i], 16 };
	CHECK(recvmmsg(ends[1], many, 2, 0, NULL) == 2 && many[1].msg_len == 3);
	CHECK(!memcmp(texts_in[0], "first", 5));
	close(got), close(passed[0]), close(passed[1]), close(ends[0]), close(ends[1]);
}

static void events(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef0 }, got[4];
	int epoll = epoll_create1(EPOLL_CLOEXEC), a = eventfd(0, EFD_NONBLOCK), ends[2];
	CHECK(pipe(ends) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, a, &e) == 0);
	e.data.u64 = ~0ul, e.events = EPOLLOUT | EPOLLET;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &e) == 0);
	CHECK(epoll_wait(epoll, got, 4, 0) == 1 && got[0].data.u64 == ~0ul);
	CHECK(got[0].events == EPOLLOUT);
	CHECK(write(a, &(uint64_t){ 3 }, 8) == 8);
	CHECK(epoll_pwait(epoll, got, 4, 1000, NULL) == 1 && got[0].data.u64 == 0x123456789abcdef0);
	CHECK(epoll_wait(epoll, got, 0, 0) == -1 && errno == EINVAL);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, a, NULL) == 0 && epoll_wait(epoll, got, 4, 0) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, a, &e) == -1 && errno == ENOENT);
	uint64_t count = 0;
	CHECK(read(a, &count, 8) == 8 && count == 3);

	fd_set readable;
	FD_ZERO(&readable);
	FD_SET(ends[0], &readable);
	struct timeval none = { 0, 1000 };
	CHECK(select(ends[0] + 1, &readable, NULL, NULL, &none) == 0);
	FD_SET(ends[0], &readable);
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK(pselect(ends[0] + 1, &readable, NULL, NULL, NULL, NULL) == 1);
	CHECK(FD_ISSET(ends[0], &readable));
	close(epoll), close(a), close(ends[0]), close(ends[1]);
}

static void descriptors(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec in = { .it_value = { 0, 1000000 } }, left;
	uint64_t count = 0;
	CHECK(timerfd_settime(timer, 0, &in, NULL) == 0 && read(timer, &count, 8) == 8 && count == 1);
	CHECK(timerfd_gettime(timer, &left) == 0 && left.it_value.tv_sec == 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int signals = signalfd(-1, &set, SFD_CLOEXEC);
	struct signalfd_siginfo info;
	union sigval value = { .sival_int = 77 };
	CHECK(sigqueue(getpid(), SIGUSR2, value) == 0);
	CHECK(read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2);
	CHECK(info.ssi_int == 77 && info.ssi_pid == (unsigned)getpid());
	char folder[] = "/tmp/polyvisor-watch-XXXXXX", name[64], buffer[512];
	CHECK(mkdtemp(folder) != NULL);
	int watch = inotify_init1(IN_NONBLOCK);
	CHECK(inotify_add_watch(watch, folder, IN_CREATE) == 1);
	sprintf(name, "%s/new", folder);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	CHECK(read(watch, buffer, sizeof buffer) >= 16);
	CHECK(!strcmp(((struct inotify_event *)buffer)->name, "new"));
	CHECK(unlink(name) == 0 && rmdir(folder) == 0);
	close(timer), close(signals), close(watch);
}

static void terminals(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	struct termios t;
	CHECK(tcgetattr(slave, &t) == 0 && (t.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO));
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && tcgetattr(slave, &t) == 0);
	CHECK(!(t.c_lflag & ECHO) && cfgetospeed(&t) == B115200);
	struct winsize size = { .ws_row = 33, .ws_col = 99 }, got;
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &got) == 0);
	CHECK(got.ws_row == 33 && got.ws_col == 99 && isatty(slave));
	char c;
	CHECK(write(master, "q", 1) == 1 && read(slave, &c, 1) == 1 && c == 'q');
	CHECK(ioctl(slave, 0x1234, 0) == -1 && errno == ENOTTY);
	close(slave), close(master);
}

int main(void)
{
	streams();
	messages();
	events();
	descriptors();
	terminals();
	return checked();
}
