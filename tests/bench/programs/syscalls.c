/* System calls: cheap ones, a pipe, a file's status, signals and page faults. */
#include "bench.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    signals += number;
}

int main(void)
{
    int ends[2];
    uint64_t sum = 0;
    struct stat status;
    if (pipe(ends) || signal(SIGUSR1, on_signal) == SIG_ERR)
        return 1;
    for (int i = 0; i < 60000; i++) {
        char letters[64] = {i};
        sum += syscall(SYS_getpid) == getpid();
        sum += write(ends[1], letters, sizeof letters) + read(ends[0], letters, sizeof letters);
        sum += letters[0] & 1;
        if (i % 4 == 0) {
            sum += !stat("/proc/self", &status) + (lseek(ends[0], 0, SEEK_SET) < 0);
            raise(SIGUSR1);
        }
        if (i % 16 == 0) {
            char *pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                               -1, 0);
            for (int p = 0; p < 4; p++)
                pages[p * 4096] = p;
            sum += pages[3 * 4096];
            munmap(pages, 4 * 4096);
        }
    }
    result(sum + (signals == 15000 * SIGUSR1));
}
