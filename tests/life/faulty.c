/* A disk that is full, breaks or is slow, and a clock that steps: preloaded before the C library.
 *
 * FAULTY_CONTROL names a file of three integers that is mapped: the fault (0 none, 1 ENOSPC, 2 EIO), the
 * milliseconds that a sync takes more, and the seconds that the clock is ahead. Only files below FAULTY_UNDER
 * are faulty. The tester writes the file while the program runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct control { volatile long fault, milliseconds, seconds; };
static struct control none, *control = &none;
static const char *under = "";

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTY_CONTROL");
    under = getenv("FAULTY_UNDER") ? getenv("FAULTY_UNDER") : "";
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0 || !*under) return;
    void *map = mmap(0, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED) control = map;
    close(file);
}

static int ours(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, under, strlen(under)) == 0;
}

static int fails(int fd)
{
    if (!control->fault || !ours(fd)) return 0;
    errno = control->fault == 1 ? ENOSPC : EIO;
    return 1;
}

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

#define WRITES(type, name, given, passed) \
    type name given { static type (*next) given; if (!next) next = real(#name); \
        return fails(fd) ? -1 : next passed; }

WRITES(ssize_t, write, (int fd, const void *from, size_t count), (fd, from, count))
WRITES(ssize_t, pwrite, (int fd, const void *from, size_t count, off_t at), (fd, from, count, at))
WRITES(ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), (fd, from, count, at))
WRITES(int, ftruncate64, (int fd, off64_t length), (fd, length))

static void wait_longer(int fd)
{
    if (control->milliseconds && ours(fd)) usleep((useconds_t)control->milliseconds * 1000);
}

int fsync(int fd)
{
    static int (*next)(int); if (!next) next = real("fsync");
    wait_longer(fd);
    return fails(fd) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    static int (*next)(int); if (!next) next = real("fdatasync");
    wait_longer(fd);
    return fails(fd) ? -1 : next(fd);
}

int clock_gettime(clockid_t which, struct timespec *at)
{
    static int (*next)(clockid_t, struct timespec *); if (!next) next = real("clock_gettime");
    int done = next(which, at);
    if (!done && which == CLOCK_REALTIME) at->tv_sec += control->seconds;
    return done;
}
