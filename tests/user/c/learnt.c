/* Functions enough to be worth remembering, and what must be the same whether they are or not. With
   an argument a child runs them first. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUNCTION(n) \
	static __attribute__((noinline)) unsigned f##n(unsigned x) \
	{ \
		for (int i = 0; i < 40; i++) { \
			if (x & 1) \
				x = x * (2 * n + 1) + 1##n; \
			else \
				x = (x >> 1) ^ 7##n; \
		} \
		return x; \
	}
#define TEN(m, t) \
	m(t##0) m(t##1) m(t##2) m(t##3) m(t##4) m(t##5) m(t##6) m(t##7) m(t##8) m(t##9)
#define ALL(m) \
	TEN(m, 1) TEN(m, 2) TEN(m, 3) TEN(m, 4) TEN(m, 5) TEN(m, 6) TEN(m, 7) TEN(m, 8) TEN(m, 9)

ALL(FUNCTION)

static unsigned sum(unsigned x)
{
#define CALL(n) x = f##n(x);
	for (int i = 0; i < 20; i++) {
		ALL(CALL)
	}
	return x;
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		int status;
		pid_t child = fork();
		if (child == 0)
			exit(sum(2) & 0x7f);
		if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
			return 1;
		printf("child %d\n", WEXITSTATUS(status));
	}
	printf("sum %u\n", sum(1));
	int open = 0;
	for (int fd = 0; fd < 1024; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	printf("%d descriptors\n", open);
	return 0;
}
