/* Fails, kills at, or records the system calls of a process on paths below a folder. Loaded by LD_PRELOAD.

   A program arms it by `shim_arm`, or the environment by SHIM_BELOW, SHIM_NTH, SHIM_ERRNO and SHIM_LOG. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static size_t below_length;
static int nth, failure, seen, log_to = -1;

/* number: which call below the folder, from 1; 0 for none. error: an errno, or -1 to be killed there.
   log: where calls that change something are recorded; -1 for nowhere. */
void shim_arm(const char *folder, int number, int error, int log) {
    snprintf(below, sizeof below, "%s", folder);
    below_length = strlen(below);
    nth = number, failure = error, log_to = log;
    __atomic_store_n(&seen, 0, __ATOMIC_SEQ_CST);
}

/* How many calls there were since. */
int shim_seen(void) { return __atomic_load_n(&seen, __ATOMIC_SEQ_CST); }

__attribute__((constructor)) static void from_environment(void) {
    const char *folder = getenv("SHIM_BELOW"), *log = getenv("SHIM_LOG");
    if (folder)
        shim_arm(folder, atoi(getenv("SHIM_NTH")), atoi(getenv("SHIM_ERRNO")),
                 log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1);
}

static int is_below(const char *path) {
    return below_length && !strncmp(path, below, below_length) && (path[below_length] == '/' || !path[below_length]);
}

static const char *absolute(int at, const char *path, char *room) {
    char place[64];
    ssize_t length;
    if (path[0] == '/')
        return path;
    if (at == AT_FDCWD) {
        if (syscall(SYS_getcwd, room, PATH_MAX) < 0)
            return "";
    } else {
        snprintf(place, sizeof place, "/proc/self/fd/%d", at);
        if ((length = syscall(SYS_readlinkat, AT_FDCWD, place, room, PATH_MAX - 1)) < 0)
            return "";
        room[length] = 0;
    }
    if (path[0])
        strncat(strncat(room, "/", PATH_MAX - strlen(room) - 1), path, PATH_MAX - strlen(room) - 1);
    return room;
}

/* Whether this call is to fail, with errno set. */
static int fails(const char *path) {
    if (!is_below(path))
        return 0;
    if (__atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST) != nth)
        return 0;
    if (failure < 0)
        syscall(SYS_kill, getpid(), SIGKILL);
    errno = failure;
    return 1;
}

static int fails_at(int at, const char *path) {
    char room[PATH_MAX];
    return path && below_length && fails(absolute(at, path, room));
}

static int fails_of(int fd) { return fails_at(fd, ""); }

/* A record: kind, length of the bytes, first path, second path, ended by NUL; then the bytes. */
static void record(const char *kind, const char *first, const char *second, const void *bytes, size_t length) {
    char line[2 * PATH_MAX + 64];
    int held = errno, size;
    if (log_to < 0 || !is_below(first))
        return;
    size = snprintf(line, sizeof line, "%s\t%zu\t%s\t%s", kind, length, first, second) + 1;
    syscall(SYS_write, log_to, line, size);
    if (length)
        syscall(SYS_write, log_to, bytes, length);
    errno = held;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define RECORD(kind, at, path) do { char r[PATH_MAX]; record(kind, absolute(at, path, r), "", NULL, 0); } while (0)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REAL(name); \
        if (fails_at(AT_FDCWD, path)) return -1; \
        int got = real(path, flags, mode); \
        if (got >= 0 && flags & O_CREAT) RECORD("create", AT_FDCWD, path); \
        return got; }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
        REAL(name); \
        if (fails_at(at, path)) return -1; \
        int got = real(at, path, flags, mode); \
        if (got >= 0 && flags & O_CREAT) RECORD("create", at, path); \
        return got; }
OPENAT(openat)
OPENAT(openat64)

ssize_t read(int fd, void *to, size_t size) { REAL(read); return fails_of(fd) ? -1 : real(fd, to, size); }
ssize_t pread(int fd, void *to, size_t size, off_t from) {
    REAL(pread); return fails_of(fd) ? -1 : real(fd, to, size, from); }
ssize_t pread64(int fd, void *to, size_t size, off64_t from) {
    REAL(pread64); return fails_of(fd) ? -1 : real(fd, to, size, from); }
ssize_t write(int fd, const void *from, size_t size) {
    REAL(write);
    if (fails_of(fd)) {
        if (size > 1) { int held = errno; real(fd, from, size / 2); errno = held; } /* as a disk that becomes full */
        return -1;
    }
    ssize_t got = real(fd, from, size);
    if (got > 0 && below_length) { char r[PATH_MAX]; record("write", absolute(fd, "", r), "", from, got); }
    return got; }
ssize_t writev(int fd, const struct iovec *from, int number) { /* of C++ streams */
    REAL(writev); return fails_of(fd) ? -1 : real(fd, from, number); }
FILE *fopen(const char *path, const char *how) { REAL(fopen); return fails_at(AT_FDCWD, path) ? NULL : real(path, how); }
FILE *fopen64(const char *path, const char *how) {
    REAL(fopen64); return fails_at(AT_FDCWD, path) ? NULL : real(path, how); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); return fails_of(fd) ? -1 : real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); return fails_of(fd) ? -1 : real(fd, size); }
int flock(int fd, int how) { REAL(flock); return fails_of(fd) ? -1 : real(fd, how); }
int chmod(const char *path, mode_t mode) { REAL(chmod); return fails_at(AT_FDCWD, path) ? -1 : real(path, mode); }
int fchmodat(int at, const char *path, mode_t mode, int flags) {
    REAL(fchmodat); return fails_at(at, path) ? -1 : real(at, path, mode, flags); }
int symlink(const char *to, const char *path) { REAL(symlink); return fails_at(AT_FDCWD, path) ? -1 : real(to, path); }
int symlinkat(const char *to, int at, const char *path) {
    REAL(symlinkat); return fails_at(at, path) ? -1 : real(to, at, path); }
int fsync(int fd) {
    REAL(fsync); if (fails_of(fd)) return -1;
    int got = real(fd); if (!got) RECORD("fsync", fd, ""); return got; }
int fdatasync(int fd) {
    REAL(fdatasync); if (fails_of(fd)) return -1;
    int got = real(fd); if (!got) RECORD("fsync", fd, ""); return got; }
int close(int fd) {
    REAL(close); int failed = fails_of(fd), held = errno, got = real(fd);
    if (failed) { errno = held; return -1; } return got; }
int rename(const char *from, const char *to) {
    REAL(rename); if (fails_at(AT_FDCWD, to)) return -1;
    int got = real(from, to); char a[PATH_MAX], b[PATH_MAX];
    if (!got) record("rename", absolute(AT_FDCWD, from, a), absolute(AT_FDCWD, to, b), NULL, 0);
    return got; }
int renameat(int at, const char *from, int at2, const char *to) {
    REAL(renameat); if (fails_at(at2, to)) return -1;
    int got = real(at, from, at2, to); char a[PATH_MAX], b[PATH_MAX];
    if (!got) record("rename", absolute(at, from, a), absolute(at2, to, b), NULL, 0);
    return got; }
int unlink(const char *path) {
    REAL(unlink); if (fails_at(AT_FDCWD, path)) return -1;
    int got = real(path); if (!got) RECORD("unlink", AT_FDCWD, path); return got; }
int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat); if (fails_at(at, path)) return -1;
    int got = real(at, path, flags); if (!got) RECORD("unlink", at, path); return got; }
int rmdir(const char *path) {
    REAL(rmdir); if (fails_at(AT_FDCWD, path)) return -1;
    int got = real(path); if (!got) RECORD("unlink", AT_FDCWD, path); return got; }
int mkdir(const char *path, mode_t mode) {
    REAL(mkdir); if (fails_at(AT_FDCWD, path)) return -1;
    int got = real(path, mode); if (!got) RECORD("mkdir", AT_FDCWD, path); return got; }
int mkdirat(int at, const char *path, mode_t mode) {
    REAL(mkdirat); if (fails_at(at, path)) return -1;
    int got = real(at, path, mode); if (!got) RECORD("mkdir", at, path); return got; }
DIR *opendir(const char *path) { REAL(opendir); return fails_at(AT_FDCWD, path) ? NULL : real(path); }
DIR *fdopendir(int fd) { REAL(fdopendir); return fails_of(fd) ? NULL : real(fd); }
/* The first entry of a folder, as one system call reads many. */
struct dirent *readdir(DIR *folder) {
    REAL(readdir); return !telldir(folder) && fails_of(dirfd(folder)) ? NULL : real(folder); }
struct dirent64 *readdir64(DIR *folder) {
    REAL(readdir64); return !telldir(folder) && fails_of(dirfd(folder)) ? NULL : real(folder); }
int stat(const char *path, struct stat *to) {
    REAL(stat); if (fails_at(AT_FDCWD, path)) return -1;
    int got = real(path, to); RECORD("stat", AT_FDCWD, path); return got; }
int stat64(const char *path, struct stat64 *to) {
    REAL(stat64); if (fails_at(AT_FDCWD, path)) return -1;
    int got = real(path, to); RECORD("stat", AT_FDCWD, path); return got; }
int lstat(const char *path, struct stat *to) { REAL(lstat); return fails_at(AT_FDCWD, path) ? -1 : real(path, to); }
int lstat64(const char *path, struct stat64 *to) {
    REAL(lstat64); return fails_at(AT_FDCWD, path) ? -1 : real(path, to); }
int fstat(int fd, struct stat *to) { REAL(fstat); return fails_of(fd) ? -1 : real(fd, to); }
int fstat64(int fd, struct stat64 *to) { REAL(fstat64); return fails_of(fd) ? -1 : real(fd, to); }
int fstatat(int at, const char *path, struct stat *to, int flags) {
    REAL(fstatat); return fails_at(at, path) ? -1 : real(at, path, to, flags); }
int fstatat64(int at, const char *path, struct stat64 *to, int flags) {
    REAL(fstatat64); return fails_at(at, path) ? -1 : real(at, path, to, flags); }
int statx(int at, const char *restrict path, int flags, unsigned mask, struct statx *restrict to) {
    REAL(statx); return fails_at(at, path) ? -1 : real(at, path, flags, mask, to); }
void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t from) {
    REAL(mmap); return fd >= 0 && fails_of(fd) ? MAP_FAILED : real(where, size, protection, flags, fd, from); }
void *mmap64(void *where, size_t size, int protection, int flags, int fd, off64_t from) {
    REAL(mmap64); return fd >= 0 && fails_of(fd) ? MAP_FAILED : real(where, size, protection, flags, fd, from); }
