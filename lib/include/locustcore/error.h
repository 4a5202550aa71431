/* Error codes, the caller-owned error text, and the marks every public header uses. */
#ifndef LOCUSTCORE_ERROR_H
#define LOCUSTCORE_ERROR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LCORE_API __attribute__((visibility("default")))
/* The function may switch coroutines: what was borrowed before the call may be gone after it. */
#define LCORE_YIELDS
#define LCORE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* What the core itself could not do. A failing target (refused, timed out, 500) is never one of these: that is
 * data, see enum lc_fail in http.h. Functions return 0 or one of these, always negative. */
#define LCORE_ERROR_LIST(X)                                                                                            \
    X(NOMEM, 1, "out of memory")                                                                                       \
    X(INVALID, 2, "invalid argument")                                                                                  \
    X(URL, 3, "invalid URL")                                                                                           \
    X(URL_SCHEME, 4, "URL without a scheme (http:// or https://)")                                                     \
    X(URL_HOST, 5, "URL without a host")                                                                               \
    X(SYSTEM, 6, "system call failed")                                                                                 \
    X(LIMIT, 7, "limit reached")                                                                                       \
    X(CANCELED, 8, "canceled")                                                                                         \
    X(TLS, 9, "TLS could not be set up")                                                                               \
    X(FORMAT, 10, "malformed input")                                                                                   \
    X(NOTFOUND, 11, "not found")                                                                                       \
    X(UNSUPPORTED, 12, "not supported")

enum {
#define LCORE_ERROR_ENUM(name, code, text) LCE_##name = -(code),
    LCORE_ERROR_LIST(LCORE_ERROR_ENUM)
#undef LCORE_ERROR_ENUM
};

/* Where a person reads why. Owned by the caller; functions that take one fill it only when they return < 0. */
struct lc_error {
    int code;
    int errnum; /* errno where a system call failed, else 0 */
    char text[256];
};

/* The constant text of a code; never NULL. */
LCORE_API const char *lc_error_text(int code);
/* Fills `error` (which may be NULL) and returns `code`, so that `return lc_error_set(...)` works. */
LCORE_API int lc_error_set(struct lc_error *error, int code, const char *format, ...) LCORE_PRINTF(3, 4);
/* The same, with errno's text appended and kept in errnum. */
LCORE_API int lc_error_set_errno(struct lc_error *error, int code, int errnum, const char *format, ...)
    LCORE_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif
#endif
