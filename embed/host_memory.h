/* Memory of the executable's interpreter beyond the 512 bytes that Python looks after itself. */
#ifndef CLOAD_HOST_MEMORY_H
#define CLOAD_HOST_MEMORY_H

/* Before Python is started, by the thread that will run it. */
void cload_host_memory_init(void);

#endif
