#include "http/site.h"

#include <string.h>

#include "base/alloc.h"
#include "http/origin.h"

/* `base` without credentials, and these as a value for Authorization: requests takes both or none. */
static int
split_base(struct lc_str base, struct lc_buffer *url, struct lc_buffer *auth)
{
    struct lc_url parts;
    if (lc_url_parse(base, &parts, NULL) < 0 || parts.user.len == 0 || parts.password.len == 0) {
        return lc_buffer_append_str(url, base);
    }
    const char *credentials_end = parts.password.data + parts.password.len + 1;
    int err = lc_buffer_append(url, base.data, (size_t)(parts.user.data - base.data));
    err = err < 0 ? err : lc_buffer_append(url, credentials_end, base.len - (size_t)(credentials_end - base.data));
    return err < 0 ? err : lc__append_basic_auth(parts.user, parts.password, auth);
}

/* Whether URLs are made by just appending to `base`: see is_base_prepared. */
static bool
prepare_base(struct lc_str base, struct lc_buffer *scratch, struct lc_url *out)
{
    struct lc_url prepared;
    if (base.len == 0 || lc_url_parse(base, out, NULL) < 0 || out->fragment.data != NULL || out->user.data != NULL ||
        !out->is_host_ascii || memchr(base.data, '?', base.len) != NULL ||
        lc_url_prepare(base, scratch, &prepared, NULL) < 0) {
        return false;
    }
    struct lc_str text = prepared.text;
    if (out->target.len == 0) {
        text.len--;
    }
    return lc_str_equal(text, base);
}

static char *
put_behind(char *place, struct lc_str text, struct lc_str *copy)
{
    *copy = (struct lc_str){place, text.len};
    if (text.len > 0) {
        memcpy(place, text.data, text.len);
    }
    return place + text.len;
}

static struct lc_site *
site_new(struct lc_http *http, struct lc_str base_url, struct lc_str proxy)
{
    struct lc_buffer base = {0}, auth = {0};
    struct lc_site *site = NULL;
    if (split_base(base_url, &base, &auth) == 0) {
        site = lc__calloc(1, sizeof(*site) + base_url.len + base.len + auth.len + proxy.len + 1);
    }
    if (site != NULL) {
        site->refs = 1;
        char *place = put_behind((char *)(site + 1), base_url, &site->given);
        place = put_behind(place, (struct lc_str){base.data, base.len}, &site->base);
        place = put_behind(place, (struct lc_str){auth.data, auth.len}, &site->auth);
        if (proxy.len > 0) {
            memcpy(place, proxy.data, proxy.len);
            site->proxy = place;
        }
        site->is_base_prepared = prepare_base(site->base, &http->scratch, &site->base_url);
    }
    lc_buffer_fini(&base);
    lc_buffer_fini(&auth);
    return site;
}

struct lc_site *
lc__site_get(struct lc_http *http, struct lc_str base_url, const char *proxy)
{
    struct lc_site *last = http->last_site;
    if (last == NULL || !lc_str_equal(last->given, base_url) ||
        !lc_str_equal(lc_str_from(last->proxy), lc_str_from(proxy))) {
        last = site_new(http, base_url, lc_str_from(proxy));
        if (last == NULL) {
            return NULL;
        }
        lc__site_unref(http->last_site);
        http->last_site = last;
    }
    last->refs++;
    return last;
}

void
lc__site_unref(struct lc_site *site)
{
    if (site != NULL && --site->refs == 0) {
        lc__free(site);
    }
}
