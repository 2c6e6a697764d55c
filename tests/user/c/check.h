/* Checks that say what failed; the last line says how many held. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int held, failed;

#define CHECK(what) \
	((what) ? (void)held++ \
		: (void)(failed++, printf("line %d: not %s (errno %d)\n", __LINE__, #what, errno)))

static int checked(void)
{
	printf("%d checks held, %d failed\n", held, failed);
	return failed != 0;
}
