/* A disk that is full, breaks or is slow, a clock that steps, and memory that is not there: preloaded before the
 * C library.
 *
 * FAULTY_CONTROL names a file of five integers that is mapped: the fault (0 none, 1 ENOSPC, 2 EIO), the
 * milliseconds that a sync takes more, the seconds that the clock is ahead, of how many large pieces of memory
 * one is refused (0 none), and, written here, how many were. Only files below FAULTY_UNDER are faulty. The tester
 * writes the file while the program runs.
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

struct control { volatile long fault, milliseconds, seconds, memory, refused; };
enum { LARGE = 2048 }; /* octets: below, Python and the C library live on what they have */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
static struct control none, *control = &none;
static const char *under = "";

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTY_CONTROL");
    under = getenv("FAULTY_UNDER") ? getenv("FAULTY_UNDER") : "";
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0 || !*under) return;
    void *map = mmap(0, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
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

static int scarce(size_t size)
{
    static volatile long asked;
    if (!control->memory || size < LARGE || __sync_add_and_fetch(&asked, 1) % control->memory) return 0;
    __sync_add_and_fetch(&control->refused, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return scarce(size) ? 0 : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return scarce(count * size) ? 0 : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return scarce(size) ? 0 : __libc_realloc(old, size); }

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
