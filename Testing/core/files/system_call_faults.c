/* Makes the k-th change of a folder fail, at the level of system calls, whatever library makes it.

   A seccomp filter turns the calls that change files into SIGSYS, whose handler counts those below the folder, lets the
   chosen one fail (or ends the process), and makes the others itself, marked by their unused sixth argument so that the
   filter lets them pass. Started processes inherit the filter, and get the handler by LD_PRELOAD. The state lies in
   shared memory: the file that MRSI_FAULTS_STATE names. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define MARK 0x5e11ed
#define LOGGED 16384
#define LOGGED_PATH 240

enum kind { COUNT_ONLY, DISK_FULL, BAD_SECTOR, READ_ONLY, KILLED, SHORT_WRITE };

/* What a call does to files, which decides how it can fail. */
enum effect { NOTHING, WRITES, SYNCS, CREATES, OPENS, RENAMES, REMOVES, CLOSES };

struct state {
    atomic_long calls;  /* that the kind of fault can hit */
    long target;        /* the call that fails, from 1; 0 for none */
    int kind;
    int armed;
    atomic_int struck;
    char root[PATH_MAX];
    struct {
        int number;
        char path[LOGGED_PATH];
    } log[LOGGED];
};

static struct state *shared;

static long raw(long number, long a, long b, long c, long d, long e)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = MARK;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = MARK;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    result = x0;
#else
#error "only x86-64 and AArch64"
#endif
    return result;
}

static enum effect effect_of(long number, const long *arguments)
{
    switch (number) {
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_sendfile:
        return WRITES;
    case SYS_fsync: case SYS_fdatasync:
        return SYNCS;
    case SYS_ftruncate: case SYS_fallocate: case SYS_mkdirat: case SYS_linkat: case SYS_symlinkat:
        return CREATES;
    case SYS_openat:
        return arguments[2] & O_CREAT || (arguments[2] & O_TMPFILE) == O_TMPFILE ? CREATES : OPENS;
    case SYS_renameat: case SYS_renameat2:
        return RENAMES;
    case SYS_unlinkat:
        return REMOVES;
    case SYS_close:
        return CLOSES;
#ifdef SYS_open
    case SYS_mkdir: case SYS_link: case SYS_symlink: case SYS_creat:
        return CREATES;
    case SYS_open:
        return arguments[1] & O_CREAT ? CREATES : OPENS;
    case SYS_rename:
        return RENAMES;
    case SYS_unlink: case SYS_rmdir:
        return REMOVES;
#endif
    }
    return NOTHING;
}

/* Whether this kind of fault can hit such a call, as the one that is chosen. */
static int can_hit(int kind, enum effect effect)
{
    switch (kind) {
    case DISK_FULL:
        return effect == WRITES || effect == SYNCS || effect == CREATES || effect == RENAMES;
    case READ_ONLY:
        return effect != CLOSES;
    case SHORT_WRITE:
        return effect == WRITES;
    }
    return 1;
}

/* Whether it hits such a call, too, once it has begun. */
static int goes_on(int kind, enum effect effect)
{
    if (kind == DISK_FULL)
        return effect == WRITES || effect == CREATES;
    return kind == READ_ONLY && effect != CLOSES;
}

static void link_target(const char *name, long number, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/%s", name);
    if (number >= 0)
        snprintf(link, sizeof link, "/proc/self/fd/%ld", number);
    long length = raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, PATH_MAX - 1, 0);
    path[length < 0 ? 0 : length] = 0;
}

static void named(long folder, const char *name, char *path)
{
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    link_target("cwd", (int)folder == AT_FDCWD ? -1 : folder, path);
    size_t length = strlen(path);
    snprintf(path + length, PATH_MAX - length, "/%s", name);
}

/* The file that a call changes; "" for none. */
static void subject(long number, const long *a, char *path)
{
    path[0] = 0;
    switch (number) {
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_sendfile: case SYS_fsync:
    case SYS_fdatasync: case SYS_ftruncate: case SYS_fallocate:
        link_target("", a[0], path);
        return;
    case SYS_close: {
        int flags = (int)raw(SYS_fcntl, a[0], F_GETFL, 0, 0, 0);
        if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
            link_target("", a[0], path);
        return;
    }
    case SYS_openat: case SYS_mkdirat: case SYS_unlinkat: case SYS_renameat: case SYS_renameat2:
        named(a[0], (const char *)a[1], path);
        return;
    case SYS_linkat:
        named(a[2], (const char *)a[3], path);
        return;
    case SYS_symlinkat:
        named(a[1], (const char *)a[2], path);
        return;
#ifdef SYS_open
    case SYS_open: case SYS_mkdir: case SYS_unlink: case SYS_rmdir: case SYS_rename: case SYS_creat:
        named(AT_FDCWD, (const char *)a[0], path);
        return;
    case SYS_link: case SYS_symlink:
        named(AT_FDCWD, (const char *)a[1], path);
        return;
#endif
    }
}

/* Writes the first half of what a call would write. */
static long half(long number, const long *a)
{
    if (number == SYS_write && a[2] > 1)
        return raw(number, a[0], a[1], a[2] / 2, 0, 0);
    if (number == SYS_pwrite64 && a[2] > 1)
        return raw(number, a[0], a[1], a[2] / 2, a[3], 0);
    if (number == SYS_writev && a[2] > 0) {
        const struct iovec *first = (const struct iovec *)a[1];
        if (first->iov_len > 1)
            return raw(SYS_write, a[0], (long)first->iov_base, (long)(first->iov_len / 2), 0, 0);
    }
    return 0;
}

static long made(long number, const long *a)
{
    char path[PATH_MAX];
    enum effect effect = effect_of(number, a);
    if (number == SYS_copy_file_range)
        return -ENOSYS; /* has a sixth argument of its own; whoever copies does it another way */
    if (shared && shared->armed && can_hit(shared->kind, effect)) {
        subject(number, a, path);
        size_t length = strlen(shared->root);
        if (path[0] && strncmp(path, shared->root, length) == 0 && (path[length] == '/' || !path[length])) {
            int kind = shared->kind;
            long turn = atomic_fetch_add(&shared->calls, 1) + 1;
            if (turn <= LOGGED) {
                shared->log[turn - 1].number = (int)number;
                snprintf(shared->log[turn - 1].path, LOGGED_PATH, "%s", path + length);
            }
            int hit = shared->target && turn == shared->target;
            if (hit || (shared->target && turn > shared->target && goes_on(kind, effect))) {
                atomic_store(&shared->struck, 1);
                if (kind == KILLED) {
                    if (effect == WRITES)
                        half(number, a);
                    raw(SYS_kill, raw(SYS_getpid, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0);
                }
                long part = hit && effect == WRITES && kind != BAD_SECTOR && kind != READ_ONLY ? half(number, a) : 0;
                if (part > 0)
                    return part;
                if (effect == CLOSES)
                    raw(number, a[0], 0, 0, 0, 0);
                if (kind != SHORT_WRITE)
                    return kind == DISK_FULL ? -ENOSPC : kind == READ_ONLY ? -EROFS : -EIO;
            }
        }
    }
    return raw(number, a[0], a[1], a[2], a[3], a[4]);
}

static void trapped(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    ucontext_t *own = context;
#if defined(__x86_64__)
    greg_t *r = own->uc_mcontext.gregs;
    long a[5] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8]};
    r[REG_RAX] = made(info->si_syscall, a);
#else
    unsigned long long *r = own->uc_mcontext.regs;
    long a[5] = {(long)r[0], (long)r[1], (long)r[2], (long)r[3], (long)r[4]};
    r[0] = (unsigned long long)made(info->si_syscall, a);
#endif
}

static void handle(void)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigaction(SIGSYS, &action, NULL);
}

__attribute__((constructor)) static void attach(void)
{
    const char *name = getenv("MRSI_FAULTS_STATE");
    if (!name)
        return;
    /* First of all: the filter may be there already. */
    handle();
    int file = open(name, O_RDWR);
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return;
    shared = memory;
}

/* Not by the filter: the loader of a started process closes files before there is a handler. */
int close(int file)
{
    const long a[5] = {file};
    long result = made(SYS_close, a);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return 0;
}

long faults_state_size(void)
{
    return sizeof(struct state);
}

/* Begins to count, and to fail call `target`, below `root`. The filter stays for good: for a process that ends soon. */
int faults_arm(const char *root, int kind, long target)
{
    static const int numbers[] = {
        SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_sendfile, SYS_fsync, SYS_fdatasync, SYS_ftruncate,
        SYS_fallocate, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_renameat, SYS_renameat2, SYS_unlinkat,
        SYS_copy_file_range, SYS_openat,
#ifdef SYS_open
        SYS_mkdir, SYS_link, SYS_symlink, SYS_creat, SYS_rename, SYS_unlink, SYS_rmdir, SYS_open,
#endif
    };
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    struct sock_filter filter[2 * COUNT + 16];
    unsigned short n = 0;
#define LOAD(field) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, field)
#define RETURN(what) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, what)
    const unsigned changes = O_CREAT | O_WRONLY | O_RDWR | O_TRUNC;
    filter[n++] = LOAD(offsetof(struct seccomp_data, args[5]));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MARK, 0, 1);
    filter[n++] = RETURN(SECCOMP_RET_ALLOW);
    filter[n++] = LOAD(offsetof(struct seccomp_data, nr));
    /* Files that are only read pass. */
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4);
    filter[n++] = LOAD(offsetof(struct seccomp_data, args[2]));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, changes, 0, 1);
    filter[n++] = RETURN(SECCOMP_RET_TRAP);
    filter[n++] = RETURN(SECCOMP_RET_ALLOW);
    for (int i = 0; i < COUNT; i++) {
        if (numbers[i] == SYS_openat)
            continue;
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], 0, 1);
        filter[n++] = RETURN(SECCOMP_RET_TRAP);
    }
    filter[n++] = RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = n, .filter = filter};
    if (!shared)
        return -1;
    handle();
    snprintf(shared->root, sizeof shared->root, "%s", root);
    atomic_store(&shared->calls, 0);
    atomic_store(&shared->struck, 0);
    shared->kind = kind;
    shared->target = target;
    shared->armed = 1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -2;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ? -3 : 0;
}

/* No more faults, in this process or those that it started. */
void faults_disarm(void)
{
    if (shared)
        shared->armed = 0;
}

long faults_calls(void)
{
    return shared ? atomic_load(&shared->calls) : -1;
}

int faults_struck(void)
{
    return shared ? atomic_load(&shared->struck) : -1;
}

/* What call `turn` was, as a number, with its path below the root in `path`. */
int faults_logged(long turn, char *path, int size)
{
    if (!shared || turn < 1 || turn > LOGGED)
        return -1;
    snprintf(path, (size_t)size, "%s", shared->log[turn - 1].path);
    return shared->log[turn - 1].number;
}
