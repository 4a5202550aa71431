/* The interpreter of the executable: where its packages are, start, end. */
#ifndef CLOAD_HOST_H
#define CLOAD_HOST_H

/* Runs `cload.cli.main()` with the given arguments; returns the exit status of the process. */
int cload_host_run(int argc, char **argv);

#endif
