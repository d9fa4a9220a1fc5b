/* Keeps a journal of what a process does to the files below DISK_ROOT, in DISK_JOURNAL: everything that makes, writes,
 * cuts, names or syncs them, in the order in which it took effect. What a power cut would have left is worked out of it
 * (disk.rs). Preloaded; one operation at a time, none of which a kill cuts short that holds the journal. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES_MAX = 4096 };
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char root[4096];
static size_t root_length;
static uint64_t files[FILES_MAX];
static int known;

__attribute__((constructor)) static void begin(void) {
    const char *named = getenv("DISK_ROOT"), *path = getenv("DISK_JOURNAL");
    if (!named || !path) return;
    snprintf(root, sizeof root, "%s", named);
    root_length = strlen(root);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int below(const char *path) {
    return journal >= 0 && path && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* One operation is done and told, or neither: whoever kills the process holds the journal meanwhile. */
static void enter(void) {
    pthread_mutex_lock(&turn);
    while (flock(journal, LOCK_EX) && errno == EINTR) {}
}

static void leave(void) {
    flock(journal, LOCK_UN);
    pthread_mutex_unlock(&turn);
}

/* One record: operation, inode, place, and two texts with their lengths. */
static void tell(char operation, uint64_t inode, uint64_t place, const void *one, uint32_t ones, const void *two, uint32_t twos) {
    struct __attribute__((packed)) { uint32_t whole; char operation; uint64_t inode, place; uint32_t ones, twos; } head =
        { (uint32_t)(29 + ones + twos), operation, inode, place, ones, twos };
    struct iovec parts[3] = { { &head, sizeof head }, { (void *)one, ones }, { (void *)two, twos } };
    syscall(SYS_writev, journal, parts, 3);
}

static void tell_path(char operation, uint64_t inode, const char *path) {
    tell(operation, inode, 0, path, (uint32_t)strlen(path), "", 0);
}

static uint64_t inode_of(int fd) {
    struct stat it;
    if (journal < 0 || fstat(fd, &it) || !S_ISREG(it.st_mode)) return 0;
    int count = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
    for (int at = 0; at < count; at++)
        if (files[at] == it.st_ino) return it.st_ino;
    return 0;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    if (!below(path)) return (int)syscall(SYS_openat, at, path, flags, mode);
    enter();
    struct stat before, it;
    int there = !stat(path, &before);
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (fd >= 0 && !fstat(fd, &it) && S_ISREG(it.st_mode)) {
        int count = known, at_file = 0;
        while (at_file < count && files[at_file] != it.st_ino) at_file++;
        if (at_file == count) {
            if (count == FILES_MAX) abort();
            files[count] = it.st_ino;
            __atomic_store_n(&known, count + 1, __ATOMIC_RELEASE);
        }
        tell_path(there ? 'O' : 'C', it.st_ino, path);
        if (there && (flags & O_TRUNC)) tell('T', it.st_ino, 0, "", 0, "", 0);
    }
    leave();
    errno = error;
    return fd;
}

#define MODE(flags) ({ mode_t mode_ = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode_ = va_arg(rest, mode_t); va_end(rest); } mode_; })
int open(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return opened(AT_FDCWD, path, flags, MODE(flags)); }
int openat(int at, const char *path, int flags, ...) { return opened(at, path, flags, MODE(flags)); }
int openat64(int at, const char *path, int flags, ...) { return opened(at, path, flags, MODE(flags)); }

static ssize_t written(int fd, const void *bytes, size_t count, off_t place, int positioned) {
    uint64_t inode = inode_of(fd);
    if (!inode) return positioned ? syscall(SYS_pwrite64, fd, bytes, count, place) : syscall(SYS_write, fd, bytes, count);
    enter();
    if (!positioned) {
        struct stat it;
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        place = appends && !fstat(fd, &it) ? it.st_size : lseek(fd, 0, SEEK_CUR);
    }
    tell('W', inode, (uint64_t)place, bytes, (uint32_t)count, "", 0);
    ssize_t done = positioned ? syscall(SYS_pwrite64, fd, bytes, count, place) : syscall(SYS_write, fd, bytes, count);
    int error = errno;
    leave();
    /* What is told must be what was done. */
    if (done != (ssize_t)count) abort();
    errno = error;
    return done;
}
ssize_t write(int fd, const void *bytes, size_t count) { return written(fd, bytes, count, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t place) { return written(fd, bytes, count, place, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t place) { return written(fd, bytes, count, place, 1); }

static int cut(int fd, off_t length) {
    uint64_t inode = inode_of(fd);
    if (!inode) return (int)syscall(SYS_ftruncate, fd, length);
    enter();
    tell('T', inode, (uint64_t)length, "", 0, "", 0);
    int result = (int)syscall(SYS_ftruncate, fd, length);
    leave();
    if (result) abort();
    return result;
}
int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off_t length) { return cut(fd, length); }

/* What a flush takes: most of the time something is written and not durable yet. */
enum { FLUSH_MICROSECONDS = 3000 };

/* The disk itself may keep what it likes: only the journal counts, so nothing is flushed. */
static int synced(int fd) {
    struct stat it;
    if (journal < 0 || fstat(fd, &it)) return (int)syscall(SYS_fsync, fd);
    enter();
    usleep(FLUSH_MICROSECONDS);
    if (S_ISDIR(it.st_mode)) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) { path[length] = 0; if (below(path)) tell_path('D', 0, path); }
    } else if (inode_of(fd)) tell('S', it.st_ino, 0, "", 0, "", 0);
    leave();
    return 0;
}
int fsync(int fd) { return synced(fd); }
int fdatasync(int fd) { return synced(fd); }

int rename(const char *from, const char *to) {
    if (!below(from)) return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    enter();
    int result = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to), error = errno;
    if (!result) tell('R', 0, 0, from, (uint32_t)strlen(from), to, (uint32_t)strlen(to));
    leave();
    errno = error;
    return result;
}

int unlink(const char *path) {
    if (!below(path)) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    enter();
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0), error = errno;
    if (!result) tell_path('U', 0, path);
    leave();
    errno = error;
    return result;
}

int mkdir(const char *path, mode_t mode) {
    if (!below(path)) return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    enter();
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode), error = errno;
    if (!result) tell_path('M', 0, path);
    leave();
    errno = error;
    return result;
}
