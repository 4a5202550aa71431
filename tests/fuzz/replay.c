/* Replays files through a fuzzer built without libFuzzer: `fuzz_x directory-or-file...`. Each input is also given with
 * every shorter length, which costs little and finds most reads beyond the end. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    static uint8_t data[1 << 20];
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    for (size_t len = size > 4096 ? size : 0; len <= size; len++) {
        uint8_t *copy = malloc(len + (len == 0));
        if (copy == NULL) {
            return 1;
        }
        memcpy(copy, data, len);
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
    return 0;
}

static int
replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    int status = 0, count = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char name[4096];
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            status |= replay_file(name);
            count++;
        }
    }
    closedir(directory);
    if (count == 0) {
        fprintf(stderr, "%s: no files\n", path);
        return 1;
    }
    return status;
}

int
main(int argc, char **argv)
{
    int status = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        bool is_directory = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        status |= is_directory ? replay_directory(argv[i]) : replay_file(argv[i]);
    }
    return status;
}
