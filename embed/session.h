/* The base of the HTTP clients: `requests`-shaped calls that go straight to the core, everything rare to Python. */
#ifndef CLOAD_SESSION_H
#define CLOAD_SESSION_H

#include "state.h"

/* Attributes of requests.Session that are made when first looked at; NULL means requests' default. */
#define CLOAD_SESSION_SLOT_LIST(X)                                                                                     \
    X(headers)                                                                                                         \
    X(cookies)                                                                                                         \
    X(auth)                                                                                                            \
    X(proxies)                                                                                                         \
    X(hooks)                                                                                                           \
    X(params)                                                                                                          \
    X(verify)                                                                                                          \
    X(cert)                                                                                                            \
    X(adapters)                                                                                                        \
    X(stream)                                                                                                          \
    X(trust_env)                                                                                                       \
    X(max_redirects)

enum cload_session_slot {
#define CLOAD_SLOT_ENUM(name) CLOAD_SESSION_##name,
    CLOAD_SESSION_SLOT_LIST(CLOAD_SLOT_ENUM)
#undef CLOAD_SLOT_ENUM
        CLOAD_SESSION_SLOT_COUNT
};

#endif
