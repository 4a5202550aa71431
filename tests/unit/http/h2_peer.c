#include "h2_peer.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool
read_exactly(struct peer *peer, void *data, size_t len)
{
    uint8_t *place = data;
    while (len > 0) {
        ssize_t got = peer->ssl != NULL ? SSL_read(peer->ssl, place, (int)len) : recv(peer->fd, place, len, 0);
        if (got <= 0) {
            return false;
        }
        place += got;
        len -= (size_t)got;
    }
    return true;
}

static void
put_u32(uint8_t *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> (24 - 8 * i));
    }
}

void
h2_frame(struct h2_peer *h2, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    static _Thread_local uint8_t frame[9 + 65536 * 2];
    frame[0] = (uint8_t)(len >> 16);
    frame[1] = (uint8_t)(len >> 8);
    frame[2] = (uint8_t)len;
    frame[3] = type;
    frame[4] = flags;
    put_u32(frame + 5, stream);
    if (len > 0) {
        memcpy(frame + 9, payload, len);
    }
    peer_send_bytes(h2->peer, (const char *)frame, 9 + len);
}

bool
h2_begin(struct h2_peer *h2, struct peer *peer, const uint32_t (*settings)[2], size_t count)
{
    char preface[NGHTTP2_CLIENT_MAGIC_LEN];
    uint8_t payload[60];
    *h2 = (struct h2_peer){.peer = peer};
    if (!read_exactly(peer, preface, sizeof(preface)) || memcmp(preface, NGHTTP2_CLIENT_MAGIC, sizeof(preface)) != 0) {
        return false;
    }
    assert_int_equal(nghttp2_hd_inflate_new(&h2->inflater), 0);
    for (size_t i = 0; i < count; i++) {
        payload[i * 6] = (uint8_t)(settings[i][0] >> 8);
        payload[i * 6 + 1] = (uint8_t)settings[i][0];
        put_u32(payload + i * 6 + 2, settings[i][1]);
    }
    h2_frame(h2, H2_SETTINGS, 0, 0, payload, count * 6);
    return true;
}

void
h2_end(struct h2_peer *h2)
{
    if (h2->inflater != NULL) { /* the client left before it spoke */
        nghttp2_hd_inflate_del(h2->inflater);
        h2->inflater = NULL;
    }
}

static void
decode(struct h2_peer *h2)
{
    uint8_t *in = h2->payload;
    size_t left = h2->len;
    size_t len = 0;
    if ((h2->flags & 0x20) != 0) {
        in += 5;
        left -= 5;
    }
    h2->fields[0] = h2->method[0] = h2->path[0] = '\0';
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(h2->inflater, &field, &flags, in, left, 1);
        assert_true(used >= 0);
        in += used;
        left -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            len += (size_t)snprintf(h2->fields + len, sizeof(h2->fields) - len, "%.*s: %.*s\n", (int)field.namelen,
                                    (char *)field.name, (int)field.valuelen, (char *)field.value);
            if (field.namelen == 7 && memcmp(field.name, ":method", 7) == 0) {
                snprintf(h2->method, sizeof(h2->method), "%.*s", (int)field.valuelen, (char *)field.value);
            } else if (field.namelen == 5 && memcmp(field.name, ":path", 5) == 0) {
                snprintf(h2->path, sizeof(h2->path), "%.*s", (int)field.valuelen, (char *)field.value);
            }
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            nghttp2_hd_inflate_end_headers(h2->inflater);
            return;
        }
    }
}

bool
h2_read(struct h2_peer *h2)
{
    uint8_t head[9];
    if (!read_exactly(h2->peer, head, sizeof(head))) {
        return false;
    }
    h2->len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    h2->type = head[3];
    h2->flags = head[4];
    h2->stream = ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) & 0x7fffffff;
    assert_true(h2->len <= sizeof(h2->payload));
    if (!read_exactly(h2->peer, h2->payload, h2->len)) {
        return false;
    }
    if (h2->type == H2_SETTINGS && (h2->flags & H2_ACK) == 0) {
        h2_frame(h2, H2_SETTINGS, H2_ACK, 0, NULL, 0);
    } else if (h2->type == H2_PING && (h2->flags & H2_ACK) == 0) {
        h2_frame(h2, H2_PING, H2_ACK, 0, h2->payload, h2->len);
    } else if (h2->type == H2_HEADERS) {
        decode(h2);
        h2->peer->server->requests++;
    }
    return true;
}

bool
h2_wait(struct h2_peer *h2, uint8_t type)
{
    while (h2_read(h2)) {
        if (h2->type == type) {
            return true;
        }
    }
    return false;
}

static size_t
put_text(uint8_t *out, const char *text, size_t len)
{
    size_t at = 0;
    if (len < 127) {
        out[at++] = (uint8_t)len;
    } else {
        size_t rest = len - 127;
        out[at++] = 127;
        for (; rest >= 128; rest >>= 7) {
            out[at++] = (uint8_t)(rest & 127) | 128;
        }
        out[at++] = (uint8_t)rest;
    }
    memcpy(out + at, text, len);
    return at + len;
}

size_t
h2_block(uint8_t *out, int status, const char *lines)
{
    size_t at = 0;
    if (status > 0) {
        char digits[16];
        snprintf(digits, sizeof(digits), "%03d", status);
        out[at++] = 0x08; /* literal, the name is that of :status */
        at += put_text(out + at, digits, 3);
    }
    while (lines != NULL && *lines != '\0') {
        const char *colon = strstr(lines, ": ");
        const char *end = strchr(colon, '\n');
        out[at++] = 0;
        at += put_text(out + at, lines, (size_t)(colon - lines));
        at += put_text(out + at, colon + 2, (size_t)(end - colon) - 2);
        lines = end + 1;
    }
    return at;
}

void
h2_headers(struct h2_peer *h2, uint32_t stream, int status, const char *lines, uint8_t flags)
{
    uint8_t block[16384];
    h2_frame(h2, H2_HEADERS, H2_END_HEADERS | flags, stream, block, h2_block(block, status, lines));
}

void
h2_data(struct h2_peer *h2, uint32_t stream, const char *text, uint8_t flags)
{
    h2_frame(h2, H2_DATA, flags, stream, text, strlen(text));
}

void
h2_answer(struct h2_peer *h2, uint32_t stream, const char *body)
{
    char line[64];
    snprintf(line, sizeof(line), "content-length: %zu\n", strlen(body));
    h2_headers(h2, stream, 200, line, 0);
    h2_data(h2, stream, body, H2_END_STREAM);
}

void
h2_reset(struct h2_peer *h2, uint32_t stream, uint32_t code)
{
    uint8_t payload[4];
    put_u32(payload, code);
    h2_frame(h2, H2_RST_STREAM, 0, stream, payload, 4);
}

void
h2_goaway(struct h2_peer *h2, uint32_t last_stream, uint32_t code, const char *text)
{
    uint8_t payload[256];
    put_u32(payload, last_stream);
    put_u32(payload + 4, code);
    memcpy(payload + 8, text, strlen(text));
    h2_frame(h2, H2_GOAWAY, 0, 0, payload, 8 + strlen(text));
}
