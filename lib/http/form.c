/* A form is kept in both of its forms while it grows: which one is sent depends on whether a file is among its fields.
 */
#include "http/form.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/headers.h"

#define MULTIPART_TYPE "multipart/form-data; boundary="
#define BOUNDARY_LEN 32
/* "--" BOUNDARY "--" CRLF */
#define END_LEN (BOUNDARY_LEN + 6)

struct lc_form {
    struct lc_buffer pairs;
    struct lc_buffer parts; /* the closing line follows behind its end */
    bool has_files;
    char type[sizeof(MULTIPART_TYPE) + BOUNDARY_LEN];
};

static const char *
boundary_of(const struct lc_form *form)
{
    return form->type + sizeof(MULTIPART_TYPE) - 1;
}

static int
close_parts(struct lc_form *form)
{
    int err = lc_buffer_append_format(&form->parts, "--%s--\r\n", boundary_of(form));
    if (err == 0) {
        form->parts.len -= END_LEN;
    }
    return err;
}

struct lc_form *
lc_form_new(void)
{
    struct lc_form *form = lc__calloc(1, sizeof(*form));
    if (form == NULL) {
        return NULL;
    }
    struct lc_random random;
    lc_random_init(&random, (uint64_t)lc_clock_realtime_ns() ^ (uintptr_t)form);
    uint64_t high = lc_random_next(&random), low = lc_random_next(&random);
    snprintf(form->type, sizeof(form->type), MULTIPART_TYPE "%016" PRIx64 "%016" PRIx64, high, low);
    return form;
}

void
lc_form_free(struct lc_form *form)
{
    if (form != NULL) {
        lc_buffer_fini(&form->pairs);
        lc_buffer_fini(&form->parts);
        lc__free(form);
    }
}

int
lc__form_quote(struct lc_buffer *out, struct lc_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    int err = lc_buffer_reserve(out, 3 * text.len);
    if (err < 0) {
        return err;
    }
    char *place = out->data + out->len;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || lc_ascii_is_digit(c) || c == '_' || c == '.' ||
            c == '-' || c == '~') {
            *place++ = (char)c;
        } else if (c == ' ') {
            *place++ = '+';
        } else {
            *place++ = '%';
            *place++ = digits[c >> 4];
            *place++ = digits[c & 15];
        }
    }
    out->len = (size_t)(place - out->data);
    return 0;
}

static int
append_pair(struct lc_buffer *out, struct lc_str name, struct lc_str value)
{
    int err = out->len > 0 ? lc_buffer_append(out, "&", 1) : 0;
    err = err < 0 ? err : lc__form_quote(out, name);
    err = err < 0 ? err : lc_buffer_append(out, "=", 1);
    return err < 0 ? err : lc__form_quote(out, value);
}

/* Names in a Content-Disposition as browsers write them: what would end the line or the quotes is percent-encoded. */
static int
append_name(struct lc_buffer *out, const char *parameter, struct lc_str name)
{
    int err = lc_buffer_append_str(out, lc_str_from(parameter));
    for (size_t i = 0; i < name.len && err == 0; i++) {
        char c = name.data[i];
        err = c == '"' || c == '\r' || c == '\n' ? lc_buffer_append_format(out, "%%%02X", (unsigned)c)
                                                 : lc_buffer_append(out, &c, 1);
    }
    return err < 0 ? err : lc_buffer_append(out, "\"", 1);
}

/* file_name data NULL: a plain field. */
static int
append_part(struct lc_form *form, struct lc_str name, struct lc_str file_name, struct lc_str type, struct lc_str value)
{
    struct lc_buffer *out = &form->parts;
    size_t len = out->len;
    int err = lc_buffer_append_format(out, "--%s\r\nContent-Disposition: form-data", boundary_of(form));
    err = err < 0 ? err : append_name(out, "; name=\"", name);
    if (err == 0 && file_name.data != NULL) {
        err = append_name(out, "; filename=\"", file_name);
        err = err < 0 ? err : lc_buffer_append_str(out, LCORE_STR("\r\nContent-Type: "));
        err = err < 0 ? err : lc_buffer_append_str(out, type);
    }
    err = err < 0 ? err : lc_buffer_append(out, "\r\n\r\n", 4);
    err = err < 0 ? err : lc_buffer_append_str(out, value);
    err = err < 0 ? err : lc_buffer_append(out, "\r\n", 2);
    if (err == 0) {
        err = close_parts(form);
    }
    if (err < 0) {
        /* There is room for what was there before. */
        out->len = len;
        if (len > 0) {
            close_parts(form);
        }
    }
    return err;
}

int
lc_form_add(struct lc_form *form, struct lc_str name, struct lc_str value)
{
    size_t len = form->pairs.len;
    int err = append_pair(&form->pairs, name, value);
    err = err < 0 ? err : append_part(form, name, (struct lc_str){0}, (struct lc_str){0}, value);
    if (err < 0) {
        form->pairs.len = len;
    }
    return err;
}

int
lc_form_add_file(struct lc_form *form, struct lc_str name, struct lc_str file_name, struct lc_str content_type,
                 struct lc_str content)
{
    if (content_type.data == NULL) {
        content_type = LCORE_STR("application/octet-stream");
    }
    if (!lc_header_is_value(content_type)) {
        return LCE_FORMAT;
    }
    file_name = file_name.data == NULL ? LCORE_STR("") : file_name;
    int err = append_part(form, name, file_name, content_type, content);
    if (err == 0) {
        form->has_files = true;
    }
    return err;
}

void
lc_form_fill(const struct lc_form *form, struct lc_request *request)
{
    if (form->has_files) {
        request->body = (struct lc_str){form->parts.data, form->parts.len + END_LEN};
        request->content_type = lc_str_from(form->type);
    } else {
        request->body = form->pairs.len == 0 ? LCORE_STR("") : (struct lc_str){form->pairs.data, form->pairs.len};
        request->content_type = LCORE_STR("application/x-www-form-urlencoded");
    }
}
