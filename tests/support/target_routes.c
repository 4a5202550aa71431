#include <string.h>

#include "target_pages.h"

/* `rest` is what is below the route's path, if that takes something below it. */
static bool
route_matches(const struct route *route, struct text path, struct text *rest)
{
    size_t len = strlen(route->path);
    bool is_folder = len > 1 && route->path[len - 1] == '/';
    *rest = (struct text){path.data + path.len, 0};
    if (path.len >= len && memcmp(path.data, route->path, len) == 0) {
        if (is_folder) {
            *rest = (struct text){path.data + len, path.len - len};
        }
        return is_folder || path.len == len;
    }
    return is_folder && path.len == len - 1 && memcmp(path.data, route->path, len - 1) == 0;
}

static const struct route *
route_find(struct text path, struct text *rest)
{
    static const struct route *const tables[] = {content_routes, account_routes, fault_routes};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct route *route = tables[i]; route->path != NULL; route++) {
            if (route_matches(route, path, rest)) {
                return route;
            }
        }
    }
    return NULL;
}

void
routes_answer(struct answer *answer, const struct request *request)
{
    struct call call = {.answer = answer, .request = request};
    const struct route *route = route_find(request->path, &call.rest);
    if (route != NULL) {
        route->page(&call);
    } else {
        call.rest = (struct text){request->path.data + 1, request->path.len > 0 ? request->path.len - 1 : 0};
        int collection = store_collection(next_part(&call));
        if (collection >= 0) {
            page_collection(&call, collection);
        } else {
            reply(&call, 404, "text/plain", TEXT("not found\n"));
        }
    }
    buf_free(&call.headers);
}
