/* The server's side of HTTP/2, frame by frame, so that a test can send what no server should. */
#ifndef TESTS_UNIT_HTTP_H2_PEER_H
#define TESTS_UNIT_HTTP_H2_PEER_H

#include "scene.h"

enum {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST_STREAM,
    H2_SETTINGS,
    H2_PUSH_PROMISE,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION
};
enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_PADDED = 8 };
enum { H2_MAX_STREAMS = 3, H2_INITIAL_WINDOW = 4 };

struct nghttp2_hd_inflater;

struct h2_peer {
    struct peer *peer;
    struct nghttp2_hd_inflater *inflater;
    /* the last frame read */
    uint8_t type, flags;
    uint32_t stream;
    size_t len;
    uint8_t payload[65536];
    /* of the last HEADERS: "name: value\n" lines, and two of them */
    char fields[65536];
    char method[32], path[1024];
};

/* Reads the preface; false if something else came. Sends SETTINGS with `count` pairs of id and value. */
bool h2_begin(struct h2_peer *h2, struct peer *peer, const uint32_t (*settings)[2], size_t count);
void h2_end(struct h2_peer *h2);
/* The next frame; false at the end of the connection. SETTINGS and PING are acknowledged but shown all the same. */
bool h2_read(struct h2_peer *h2);
/* Reads until a frame of this type. */
bool h2_wait(struct h2_peer *h2, uint8_t type);
void h2_frame(struct h2_peer *h2, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len);
/* HEADERS with :status and header lines "name: value\n..." (NULL: none). */
void h2_headers(struct h2_peer *h2, uint32_t stream, int status, const char *lines, uint8_t flags);
void h2_data(struct h2_peer *h2, uint32_t stream, const char *text, uint8_t flags);
/* 200, content-length, body, all of it in two frames. */
void h2_answer(struct h2_peer *h2, uint32_t stream, const char *body);
void h2_reset(struct h2_peer *h2, uint32_t stream, uint32_t code);
void h2_goaway(struct h2_peer *h2, uint32_t last_stream, uint32_t code, const char *text);
/* A header block of these lines, uncompressed; returns its length. */
size_t h2_block(uint8_t *out, int status, const char *lines);

#endif
