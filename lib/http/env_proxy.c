#include "http/env_proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static const char *
look_up(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (value == NULL || *value == '\0') {
        value = getenv(upper);
    }
    return value == NULL || *value == '\0' ? NULL : value;
}

static bool
to_ipv4(struct lc_str text, uint32_t *out)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;
    if (text.len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &address) != 1) {
        return false;
    }
    *out = ntohl(address.s_addr);
    return true;
}

static bool
is_in_network(uint32_t address, struct lc_str entry)
{
    const char *slash = memchr(entry.data, '/', entry.len);
    uint32_t network;
    if (slash == NULL) {
        return to_ipv4(entry, &network) && network == address;
    }
    size_t base_len = (size_t)(slash - entry.data);
    uint64_t bits;
    if (!to_ipv4((struct lc_str){entry.data, base_len}, &network) ||
        !lc_str_to_u64((struct lc_str){slash + 1, entry.len - base_len - 1}, &bits) || bits == 0 || bits > 32) {
        return false;
    }
    uint32_t mask = UINT32_MAX << (32 - bits);
    return (network & mask) == (address & mask);
}

static bool
ends_nocase(struct lc_str text, struct lc_str end)
{
    return text.len >= end.len && lc_str_equal_nocase((struct lc_str){text.data + text.len - end.len, end.len}, end);
}

static bool
is_exempt(const struct lc_url *url, const char *list)
{
    char with_port[300];
    int len = snprintf(with_port, sizeof(with_port), "%.*s:%u", url->host.len > 255 ? 255 : (int)url->host.len,
                       url->host.data, url->port);
    uint32_t address = 0;
    bool is_ipv4 = to_ipv4(url->host, &address);
    while (*list != '\0') {
        size_t entry_len = strcspn(list, ",");
        struct lc_str entry = lc_str_trim((struct lc_str){list, entry_len});
        list += entry_len + (list[entry_len] == ',' ? 1 : 0);
        if (entry.len == 0) {
            continue;
        }
        if (lc_str_equal(entry, LCORE_STR("*")) || (is_ipv4 && is_in_network(address, entry))) {
            return true;
        }
        if (!is_ipv4 && (ends_nocase(url->host, entry) ||
                         (url->is_port_given && ends_nocase((struct lc_str){with_port, (size_t)len}, entry)))) {
            return true;
        }
        if (entry.data[0] == '.' && lc_str_equal_nocase(url->host, (struct lc_str){entry.data + 1, entry.len - 1})) {
            return true;
        }
    }
    return false;
}

const char *
lc__env_proxy(const struct lc_url *url)
{
    const char *exempt = look_up("no_proxy", "NO_PROXY");
    if (exempt != NULL && is_exempt(url, exempt)) {
        return NULL;
    }
    const char *proxy = url->is_https ? look_up("https_proxy", "HTTPS_PROXY") : look_up("http_proxy", "HTTP_PROXY");
    return proxy != NULL ? proxy : look_up("all_proxy", "ALL_PROXY");
}
