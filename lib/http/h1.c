/* The head is read in one sweep: a bit mask of the line ends of each 16 bytes drives the loop, and a line is looked
 * into only if its first letter and the place of its colon fit one of the six headers that matter here. Everything else
 * stays as it is until somebody asks for it by name. */
#include "http/h1.h"

#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BLOCK 16

/* Hands out the places of line ends in ascending order. */
struct sweep {
    const char *data;
    size_t len;
    size_t block; /* start of the bytes that `mask` tells about */
    size_t next;  /* first byte no mask was made of */
    uint32_t mask;
};

static uint32_t
newline_mask(const char *data)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)data);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
#else
    uint32_t mask = 0;
    for (int i = 0; i < BLOCK; i++) {
        mask |= (uint32_t)(data[i] == '\n') << i;
    }
    return mask;
#endif
}

static uint32_t
newline_mask_tail(const char *data, size_t len)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < len; i++) {
        mask |= (uint32_t)(data[i] == '\n') << i;
    }
    return mask;
}

/* Place of the next line end; len if there is none. */
static inline size_t
sweep_next(struct sweep *sweep)
{
    while (sweep->mask == 0) {
        size_t left = sweep->len - sweep->next;
        if (left == 0) {
            return sweep->len;
        }
        sweep->block = sweep->next;
        if (left >= BLOCK) {
            sweep->mask = newline_mask(sweep->data + sweep->next);
            sweep->next += BLOCK;
        } else {
            if (sweep->len >= BLOCK) {
                sweep->mask = newline_mask(sweep->data + sweep->len - BLOCK) >> (BLOCK - left);
            } else {
                sweep->mask = newline_mask_tail(sweep->data + sweep->next, left);
            }
            sweep->next = sweep->len;
        }
    }
    size_t place = sweep->block + (size_t)__builtin_ctz(sweep->mask);
    sweep->mask &= sweep->mask - 1;
    return place;
}

/* "HTTP/1.x NNN reason", with http.client's leniency about the number of blanks. */
static bool
parse_status_line(const char *line, size_t len, struct lc_h1_head *head)
{
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !lc_ascii_is_digit(line[7]) || !lc_ascii_is_blank(line[8])) {
        return false;
    }
    head->minor = line[7] == '0' ? 0 : 1;
    size_t place = 9;
    while (place < len && lc_ascii_is_blank(line[place])) {
        place++;
    }
    if (len - place < 3 || !lc_ascii_is_digit(line[place]) || !lc_ascii_is_digit(line[place + 1]) ||
        !lc_ascii_is_digit(line[place + 2])) {
        return false;
    }
    head->status = (line[place] - '0') * 100 + (line[place + 1] - '0') * 10 + (line[place + 2] - '0');
    place += 3;
    if (head->status < 100 || (place < len && !lc_ascii_is_blank(line[place]))) {
        return false;
    }
    head->reason = lc_str_trim((struct lc_str){line + place, len - place});
    return true;
}

/* Compares with a name in lower case. */
static bool
is_name(const char *line, const char *lower, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = line[i];
        if (c != lower[i] && ((c | 0x20) != lower[i] || lower[i] == '-')) {
            return false;
        }
    }
    return true;
}

/* What is behind the colon, trimmed of blanks and of the line ends that folding leaves. */
static struct lc_str
trim_value(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t' || *start == '\r' || *start == '\n')) {
        start++;
    }
    while (end > start && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) {
        end--;
    }
    return (struct lc_str){start, (size_t)(end - start)};
}

/* The next member of a comma-separated list; false at its end. */
static bool
next_member(struct lc_str *list, struct lc_str *member)
{
    if (list->data == NULL) {
        return false;
    }
    const char *end = list->data + list->len;
    const char *comma = memchr(list->data, ',', list->len);
    const char *stop = comma == NULL ? end : comma;
    *member = trim_value(list->data, stop);
    *list = comma == NULL ? (struct lc_str){0} : (struct lc_str){comma + 1, (size_t)(end - comma - 1)};
    return true;
}

/* Several equal lengths are one; false: not a number, or different ones. */
static bool
take_length(struct lc_h1_head *head, struct lc_str value)
{
    struct lc_str member;
    while (next_member(&value, &member)) {
        uint64_t length;
        if (!lc_str_to_u64(member, &length) || length > INT64_MAX ||
            (head->content_length >= 0 && head->content_length != (int64_t)length)) {
            return false;
        }
        head->content_length = (int64_t)length;
    }
    return true;
}

static void
take_transfer_coding(struct lc_h1_head *head, struct lc_str value)
{
    struct lc_str member;
    while (next_member(&value, &member)) {
        if (member.len == 0 || lc_str_equal_nocase(member, LCORE_STR("identity"))) {
            continue;
        }
        head->has_transfer_coding = true;
        head->is_chunked = lc_str_equal_nocase(member, LCORE_STR("chunked"));
    }
}

struct connection {
    bool has_close, has_keep_alive;
};

static void
take_connection(struct connection *connection, struct lc_str value)
{
    struct lc_str member;
    while (next_member(&value, &member)) {
        if (member.len == 10 && lc_str_equal_nocase(member, LCORE_STR("keep-alive"))) {
            connection->has_keep_alive = true;
        } else if (member.len == 5 && lc_str_equal_nocase(member, LCORE_STR("close"))) {
            connection->has_close = true;
        }
    }
}

/* False: a Content-Length that is none. */
static inline bool
take_line(struct lc_h1_head *head, struct connection *connection, const char *line, const char *end)
{
    size_t len = (size_t)(end - line);
    switch (line[0] | 0x20) {
    case 'c':
        if (len > 10 && line[10] == ':') {
            if (is_name(line, "connection", 10)) {
                take_connection(connection, trim_value(line + 11, end));
            }
        } else if (len > 14 && line[14] == ':') {
            if (is_name(line, "content-length", 14)) {
                return take_length(head, trim_value(line + 15, end));
            }
        } else if (len > 16 && line[16] == ':') {
            if (is_name(line, "content-encoding", 16) && trim_value(line + 17, end).len > 0) {
                head->has_content_encoding = true;
            }
        }
        break;
    case 'l':
        if (len > 8 && line[8] == ':' && head->location.data == NULL && is_name(line, "location", 8)) {
            head->location = trim_value(line + 9, end);
        }
        break;
    case 's':
        if (len > 10 && line[10] == ':' && is_name(line, "set-cookie", 10)) {
            head->has_set_cookie = true;
        }
        break;
    case 't':
        if (len > 17 && line[17] == ':' && is_name(line, "transfer-encoding", 17)) {
            take_transfer_coding(head, trim_value(line + 18, end));
        }
        break;
    default:
        break;
    }
    return true;
}

static bool
is_too_large(const struct lc_h1_head *head, size_t line_len, size_t head_len, int header_count)
{
    return head->may_be_large
               ? head_len > LCORE_H1_MAX_LARGE_HEAD
               : line_len > LCORE_H1_MAX_LINE || head_len > LCORE_H1_MAX_HEAD || header_count > LCORE_H1_MAX_HEADERS;
}

/* Remembers where to go on and says whether it makes sense to wait for more. */
static ptrdiff_t
stop_incomplete(struct lc_h1_head *head, const char *data, size_t len, size_t line)
{
    size_t known = len < 7 ? len : 7;
    if (memcmp(data, "HTTP/1.", known) != 0) {
        return -LCORE_FAIL_BAD_STATUS_LINE;
    }
    if (is_too_large(head, len - line, len, 0)) {
        return -LCORE_FAIL_HEADER_TOO_LARGE;
    }
    head->resume_line = line;
    head->resume_scan = len;
    return 0;
}

static bool
is_blank_line(const char *data, size_t line, size_t newline)
{
    return newline == line || (newline == line + 1 && data[line] == '\r');
}

/* Looks at nothing but the bytes that are new, for the end of the head, or of its first line if that is not there yet.
 * Negative: a failure; 0: not there. */
static ptrdiff_t
look_for_end(struct lc_h1_head *head, const char *data, size_t len)
{
    struct sweep sweep = {.data = data, .len = len, .next = head->resume_scan};
    size_t line = head->resume_line;
    for (;;) {
        size_t newline = sweep_next(&sweep);
        if (newline == len) {
            return stop_incomplete(head, data, len, line);
        }
        if (line == 0 || is_blank_line(data, line, newline)) {
            return 1;
        }
        line = newline + 1;
    }
}

ptrdiff_t
lc_h1_parse_head(const char *data, size_t len, struct lc_h1_head *head)
{
    if (len == 0) {
        return 0;
    }
    if (head->resume_scan > 0) {
        ptrdiff_t result = look_for_end(head, data, len);
        if (result <= 0) {
            return result;
        }
    }
    struct sweep sweep = {.data = data, .len = len};
    size_t newline = sweep_next(&sweep);
    if (newline == len) {
        return stop_incomplete(head, data, len, 0);
    }
    size_t end = newline > 0 && data[newline - 1] == '\r' ? newline - 1 : newline;
    *head = (struct lc_h1_head){.content_length = -1, .may_be_large = head->may_be_large};
    if (is_too_large(head, newline, newline, 0)) {
        return -LCORE_FAIL_HEADER_TOO_LARGE;
    }
    if (!parse_status_line(data, end, head)) {
        return -LCORE_FAIL_BAD_STATUS_LINE;
    }
    struct connection connection = {0};
    bool is_length_good = true;
    size_t first = newline + 1;
    size_t line = first;
    for (;;) {
        newline = sweep_next(&sweep);
        if (newline == len) {
            return stop_incomplete(head, data, len, line);
        }
        if (is_blank_line(data, line, newline)) {
            break;
        }
        if (newline + 1 < len && lc_ascii_is_blank(data[newline + 1])) {
            continue;
        }
        if (is_too_large(head, newline - line, newline, ++head->header_count)) {
            return -LCORE_FAIL_HEADER_TOO_LARGE;
        }
        if (!take_line(head, &connection, data + line, data + newline)) {
            is_length_good = false;
        }
        line = newline + 1;
    }
    if (is_too_large(head, 0, newline + 1, 0)) {
        return -LCORE_FAIL_HEADER_TOO_LARGE;
    }
    head->lines = (struct lc_str){data + first, line - first};
    if (memchr(head->lines.data, '\0', head->lines.len) != NULL || (!is_length_good && !head->has_transfer_coding)) {
        return -LCORE_FAIL_BAD_HEADER;
    }
    head->is_keep_alive = !connection.has_close && (head->minor > 0 || connection.has_keep_alive);
    return (ptrdiff_t)newline + 1;
}

enum {
    CHUNK_SIZE_BEGIN, /* blanks before the size, then its first digit */
    CHUNK_SIZE,
    CHUNK_EXTENSION, /* anything up to the line end */
    CHUNK_DATA,
    CHUNK_DATA_END, /* CR or LF behind the data */
    CHUNK_DATA_LF,
    TRAILER_BEGIN, /* at the start of a line: the blank one ends the body */
    TRAILER_CR,
    TRAILER_LINE,
    BODY_DONE,
    BODY_FAILED,
};

void
lc_h1_body_init(struct lc_h1_body *body, const struct lc_h1_head *head, struct lc_str method)
{
    *body = (struct lc_h1_body){0};
    if (head->status < 200 || head->status == 204 || head->status == 304 || lc_str_equal(method, LCORE_STR("HEAD")) ||
        (head->status < 300 && lc_str_equal(method, LCORE_STR("CONNECT")))) {
        body->framing = LCORE_H1_NO_BODY;
    } else if (head->is_chunked) {
        body->framing = LCORE_H1_CHUNKED;
    } else if (head->content_length >= 0 && !head->has_transfer_coding) {
        body->framing = LCORE_H1_LENGTH;
        body->remaining = (uint64_t)head->content_length;
    } else {
        body->framing = LCORE_H1_UNTIL_CLOSE;
    }
}

static void
take_run(struct lc_h1_body *body, struct lc_str *in, struct lc_str *run)
{
    size_t len = in->len < body->remaining ? in->len : (size_t)body->remaining;
    *run = (struct lc_str){in->data, len};
    in->data += len;
    in->len -= len;
    body->remaining -= len;
}

/* The state that follows character `c` of the framing between the data. */
static uint8_t
next_state(struct lc_h1_body *body, char c)
{
    switch (body->state) {
    case CHUNK_SIZE_BEGIN:
    case CHUNK_SIZE: {
        int digit = lc_ascii_hex_value(c);
        if (digit >= 0) {
            if (body->remaining >> 58 != 0) {
                return BODY_FAILED;
            }
            body->remaining = body->remaining << 4 | (uint64_t)digit;
            return CHUNK_SIZE;
        }
        if (body->state == CHUNK_SIZE_BEGIN) {
            return lc_ascii_is_blank(c) ? CHUNK_SIZE_BEGIN : BODY_FAILED;
        }
        if (c != ';' && c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return BODY_FAILED;
        }
    }
        /* fall through */
    case CHUNK_EXTENSION:
        if (c != '\n') {
            return CHUNK_EXTENSION;
        }
        body->line_len = 0;
        body->chunk_len = body->remaining;
        return body->remaining > 0 ? CHUNK_DATA : TRAILER_BEGIN;
    case CHUNK_DATA_END:
        if (c == '\r') {
            return CHUNK_DATA_LF;
        }
        /* fall through */
    case CHUNK_DATA_LF:
        body->line_len = 0;
        return c == '\n' ? CHUNK_SIZE_BEGIN : BODY_FAILED;
    case TRAILER_BEGIN:
        return c == '\n' ? BODY_DONE : c == '\r' ? TRAILER_CR : TRAILER_LINE;
    case TRAILER_CR:
        return c == '\n' ? BODY_DONE : TRAILER_LINE;
    default:
        assert(body->state == TRAILER_LINE);
        return c == '\n' ? TRAILER_BEGIN : TRAILER_LINE;
    }
}

static enum lc_h1_event
next_chunked(struct lc_h1_body *body, struct lc_str *in, struct lc_str *run)
{
    for (;;) {
        switch (body->state) {
        case CHUNK_DATA:
            if (in->len == 0) {
                return LCORE_H1_MORE;
            }
            take_run(body, in, run);
            if (body->remaining == 0) {
                body->state = CHUNK_DATA_END;
            }
            return LCORE_H1_DATA;
        case BODY_DONE:
            return LCORE_H1_DONE;
        case BODY_FAILED:
            body->fail = LCORE_FAIL_BAD_CHUNK;
            return LCORE_H1_FAIL;
        default:
            if (in->len == 0) {
                return LCORE_H1_MORE;
            }
            body->state =
                ++body->line_len > LCORE_H1_MAX_TRAILER ? (uint8_t)BODY_FAILED : next_state(body, in->data[0]);
            in->data++;
            in->len--;
            break;
        }
    }
}

static enum lc_h1_event
next_with_framing(struct lc_h1_body *body, struct lc_str *in, struct lc_str *run)
{
    const char *begin = in->data;
    enum lc_h1_event event;
    do {
        event = next_chunked(body, in, run);
    } while (event == LCORE_H1_DATA);
    *run = (struct lc_str){begin, (size_t)(in->data - begin)};
    return run->len > 0 && event != LCORE_H1_FAIL ? LCORE_H1_DATA : event;
}

enum lc_h1_event
lc_h1_body_next(struct lc_h1_body *body, struct lc_str *in, struct lc_str *run)
{
    switch (body->framing) {
    case LCORE_H1_CHUNKED:
        return body->is_keeping_chunks ? next_with_framing(body, in, run) : next_chunked(body, in, run);
    case LCORE_H1_UNTIL_CLOSE:
        if (in->len == 0) {
            return LCORE_H1_MORE;
        }
        *run = *in;
        *in = (struct lc_str){in->data + in->len, 0};
        return LCORE_H1_DATA;
    default:
        if (body->remaining == 0) {
            return LCORE_H1_DONE;
        }
        if (in->len == 0) {
            return LCORE_H1_MORE;
        }
        take_run(body, in, run);
        return LCORE_H1_DATA;
    }
}

enum lc_fail
lc_h1_body_end(const struct lc_h1_body *body)
{
    switch (body->framing) {
    case LCORE_H1_CHUNKED:
        /* After the last chunk nothing is missing but trailers, which some servers do not end. */
        return body->state >= TRAILER_BEGIN && body->state <= BODY_DONE ? LCORE_FAIL_NONE : LCORE_FAIL_INCOMPLETE;
    case LCORE_H1_UNTIL_CLOSE:
        return LCORE_FAIL_NONE;
    default:
        return body->remaining == 0 ? LCORE_FAIL_NONE : LCORE_FAIL_INCOMPLETE;
    }
}
