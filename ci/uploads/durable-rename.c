/* A rename that is durable when it returns, for nginx, which flushes nothing: the file's bytes reach
 * the disk before its name does, and the name before the caller answers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int flush(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC);
    if (file < 0)
        return -1;
    int failed = fsync(file);
    close(file);
    return failed;
}

int rename(const char *from, const char *to)
{
    static int (*plain)(const char *, const char *);
    char folder[PATH_MAX];

    if (!plain)
        plain = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (flush(from, O_RDONLY) || plain(from, to))
        return -1;
    snprintf(folder, sizeof folder, "%s", to);
    return flush(dirname(folder), O_RDONLY | O_DIRECTORY);
}
