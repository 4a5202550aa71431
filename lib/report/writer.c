#include "report/writer.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <time.h>

#include "base/format.h"
#include "base/utf8.h"

void
lc__write(struct lc_writer *writer, struct lc_str text)
{
    if (writer->err == 0) {
        writer->err = lc_buffer_append_str(writer->out, text);
    }
}

void
lc__write_format(struct lc_writer *writer, const char *format, ...)
{
    char text[256]; /* numbers and fixed words: what is long goes through lc__write() */
    va_list args;
    va_start(args, format);
    int len = lc__format_args(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || len >= (int)sizeof(text)) {
        writer->err = writer->err < 0 ? writer->err : LCE_LIMIT;
        return;
    }
    lc__write(writer, (struct lc_str){text, (size_t)len});
}

void
lc__write_repeat(struct lc_writer *writer, char c, int count)
{
    if (writer->err < 0 || count <= 0) {
        return;
    }
    writer->err = lc_buffer_reserve(writer->out, (size_t)count);
    if (writer->err == 0) {
        memset(writer->out->data + writer->out->len, c, (size_t)count);
        writer->out->len += (size_t)count;
    }
}

int
lc__text_width(struct lc_str text)
{
    int width = 0;
    for (size_t i = 0; i < text.len && width < INT_MAX; i++) {
        width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return width;
}

void
lc__write_padded(struct lc_writer *writer, struct lc_str text, int width)
{
    lc__write(writer, text);
    lc__write_repeat(writer, ' ', width - lc__text_width(text));
}

void
lc__write_names(struct lc_writer *writer, struct lc_str method, struct lc_str name,
                const struct lc_report_options *options)
{
    lc__write_padded(writer, method, options->type_width);
    lc__write(writer, LCORE_STR(" "));
    lc__write_padded(writer, name, options->name_width);
}

void
lc__write_names_rule(struct lc_writer *writer, const struct lc_report_options *options)
{
    lc__write_repeat(writer, '-', options->type_width);
    lc__write(writer, LCORE_STR("|"));
    lc__write_repeat(writer, '-', options->name_width);
}

void
lc__write_double(struct lc_writer *writer, double number)
{
    char text[40];
    /* 15 digits are always told apart, but for numbers too small to be normal. */
    for (int digits = fabs(number) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        lc__format(text, sizeof(text), "%.*g", digits, number);
        if (lc__read_double(text) == number) {
            break;
        }
    }
    /* Python goes over to exponents at 1e16, whatever the number of digits. */
    if (fabs(number) < 1e16 && strstr(text, "e+") != NULL) {
        lc__format(text, sizeof(text), "%.1f", number);
    } else if (strpbrk(text, ".en") == NULL && fabs(number) >= 1e16) {
        lc__format(text, sizeof(text), "%.16e", number);
    } else if (strpbrk(text, ".en") == NULL) {
        strcat(text, ".0");
    }
    lc__write(writer, lc_str_from(text));
}

void
lc__write_ms(struct lc_writer *writer, double ms, bool is_whole)
{
    if (ms == 0) {
        lc__write(writer, LCORE_STR("0"));
    } else if (is_whole && fabs(ms) < 1e15) {
        lc__write_format(writer, "%.0f", ms);
    } else {
        lc__write_double(writer, ms);
    }
}

void
lc__write_percent(struct lc_writer *writer, double fraction)
{
    double percent = fraction * 100;
    if (percent == floor(percent)) {
        lc__write_format(writer, "%.0f", percent);
    } else {
        char rounded[340];
        lc__format(rounded, sizeof(rounded), "%.6f", percent);
        lc__write_double(writer, lc__read_double(rounded));
    }
    lc__write(writer, LCORE_STR("%"));
}

void
lc__write_percent_head(struct lc_writer *writer, double fraction, int width)
{
    struct lc_buffer label = {0};
    struct lc_writer labeler = {&label, 0};
    lc__write_percent(&labeler, fraction);
    lc__write(writer, LCORE_STR(" "));
    lc__write_repeat(writer, ' ', width - (int)label.len);
    lc__write(writer, (struct lc_str){label.data, label.len});
    lc_buffer_fini(&label);
}

void
lc__write_time(struct lc_writer *writer, double unix_s)
{
    char text[40];
    struct tm parts;
    time_t second = (time_t)unix_s;
    if (gmtime_r(&second, &parts) != NULL) {
        lc__write(writer, (struct lc_str){text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts)});
    }
}

static void
write_json_unit(struct lc_writer *writer, uint32_t unit)
{
    static const char special[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";
    const char *found = unit < 0x80 && unit > 0 ? strchr(special, (int)unit) : NULL;
    if (found != NULL) {
        lc__write_format(writer, "\\%c", letter[found - special]);
    } else {
        lc__write_format(writer, "\\u%04x", (unsigned)unit);
    }
}

void
lc__write_json_string(struct lc_writer *writer, struct lc_str text)
{
    lc__write(writer, LCORE_STR("\""));
    while (text.len > 0) {
        size_t plain = 0;
        while (plain < text.len && text.data[plain] >= 0x20 && text.data[plain] < 0x7f && text.data[plain] != '"' &&
               text.data[plain] != '\\') {
            plain++;
        }
        lc__write(writer, (struct lc_str){text.data, plain});
        text = (struct lc_str){text.data + plain, text.len - plain};
        if (text.len > 0) {
            uint32_t point;
            size_t len = lc_utf8_decode(text, &point);
            if (len == 0) {
                point = 0xfffd;
                len = 1;
            }
            if (point > 0xffff) {
                write_json_unit(writer, 0xd7c0 + (point >> 10));
                point = 0xdc00 + (point & 0x3ff);
            }
            write_json_unit(writer, point);
            text = (struct lc_str){text.data + len, text.len - len};
        }
    }
    lc__write(writer, LCORE_STR("\""));
}

/* Reads what stands behind a backslash of a Python string; returns its length, 0: nothing known. */
static size_t
read_escape(struct lc_str text, uint32_t *point)
{
    static const char plain[] = "\\'\"nrt";
    static const char meaning[] = "\\'\"\n\r\t";
    if (text.len == 0) {
        return 0;
    }
    const char *found = memchr(plain, text.data[0], sizeof(plain) - 1);
    if (found != NULL) {
        *point = (unsigned char)meaning[found - plain];
        return 1;
    }
    size_t digits = text.data[0] == 'x' ? 2 : text.data[0] == 'u' ? 4 : text.data[0] == 'U' ? 8 : 0;
    if (digits == 0 || text.len < digits + 1) {
        return 0;
    }
    uint32_t value = 0;
    for (size_t i = 1; i <= digits; i++) {
        char c = lc_ascii_lower(text.data[i]);
        bool is_digit = lc_ascii_is_digit(c);
        if (!is_digit && (c < 'a' || c > 'f')) {
            return 0;
        }
        value = value << 4 | (uint32_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *point = value;
    return digits + 1;
}

static void
write_unescaped(struct lc_writer *writer, struct lc_str text)
{
    while (text.len > 0) {
        const char *escape = memchr(text.data, '\\', text.len);
        size_t plain = escape == NULL ? text.len : (size_t)(escape - text.data);
        lc__write(writer, (struct lc_str){text.data, plain});
        text = (struct lc_str){text.data + plain, text.len - plain};
        if (text.len > 0) {
            uint32_t point = 0;
            size_t len = read_escape((struct lc_str){text.data + 1, text.len - 1}, &point);
            char bytes[4];
            size_t encoded = len == 0 ? 0 : lc_utf8_encode(point, bytes);
            if (encoded == 0) {
                len = 0;
                lc__write(writer, LCORE_STR("\\"));
            }
            lc__write(writer, (struct lc_str){bytes, encoded});
            text = (struct lc_str){text.data + 1 + len, text.len - 1 - len};
        }
    }
}

void
lc__write_failure(struct lc_writer *writer, struct lc_str text, bool is_remote)
{
    const struct lc_str wrapper = LCORE_STR("CatchResponseError(");
    if (text.len <= wrapper.len || memcmp(text.data, wrapper.data, wrapper.len) != 0) {
        lc__write(writer, text);
        return;
    }
    struct lc_str inner = {text.data + wrapper.len, text.len - wrapper.len - 1};
    bool is_quoted =
        inner.len >= 2 && (inner.data[0] == '\'' || inner.data[0] == '"') && inner.data[inner.len - 1] == inner.data[0];
    if (is_remote || !is_quoted) {
        lc__write(writer, inner);
    } else {
        write_unescaped(writer, (struct lc_str){inner.data + 1, inner.len - 2});
    }
}
