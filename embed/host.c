#include "host.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host_memory.h"
#include "state.h"

static const wchar_t start_command[] = L"import sys\nfrom cload.cli import main\nsys.exit(main())\n";

/* A virtual environment is known by its pyvenv.cfg one folder above its interpreter. */
static int
is_environment(const char *folder)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/../pyvenv.cfg", folder);
    return access(path, R_OK) == 0;
}

/* The Python whose packages are used: the one installed beside this program, else the one it was built for. */
static void
find_python(char *out, size_t size)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len > 0) {
        program[len] = '\0';
        char *slash = strrchr(program, '/');
        if (slash != NULL) {
            *slash = '\0';
            if (is_environment(program)) {
                snprintf(out, size, "%s/python3", program);
                return;
            }
        }
    }
    snprintf(out, size, "%s", CLOAD_PYTHON);
}

int
cload_host_run(int argc, char **argv)
{
    char python[PATH_MAX + 16];
    find_python(python, sizeof(python));
    if (PyImport_AppendInittab("_cload", PyInit__cload) < 0) {
        fputs("cload: out of memory\n", stderr);
        return 1;
    }
    cload_host_memory_init();
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.safe_path = 1; /* the program's own folder is no place to import from */
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, python);
    if (!PyStatus_Exception(status)) {
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    }
    if (!PyStatus_Exception(status)) {
        status = PyConfig_SetString(&config, &config.run_command, start_command);
    }
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        fprintf(stderr, "cload: Python (%s) could not be started: %s\n", python,
                status.err_msg == NULL ? "no reason given" : status.err_msg);
        return 1;
    }
    return Py_RunMain();
}
