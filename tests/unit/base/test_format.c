#include "base/format.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support.h"
#include "base/buffer.h"

/* What glibc keeps of a locale whose numbers have a comma: what localedef writes to LC_NUMERIC. */
static const unsigned char commas[] =
    "\x14\x11\x03\x20\x06\0\0\0\x20\0\0\0\x22\0\0\0\x24\0\0\0\x28\0\0\0\x2c\0\0\0\x30\0\0\0"
    ",\0.\0\x03\x03\0\0,\0\0\0.\0\0\0UTF-8";

static bool
set_commas(void)
{
    char folder[] = "/tmp/locale.XXXXXX", locale[64], path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(locale, sizeof(locale), "%s/commas", folder);
    snprintf(path, sizeof(path), "%s/LC_NUMERIC", locale);
    assert_int_equal(mkdir(locale, 0700), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(commas, sizeof(commas), 1, file), 1);
    fclose(file);
    setenv("LOCPATH", folder, 1);
    bool is_set = setlocale(LC_NUMERIC, "commas") != NULL;
    remove(path);
    rmdir(locale);
    rmdir(folder);
    return is_set;
}

static void
test_numbers_have_a_point(void **state)
{
    char text[40];
    assert_int_equal(lc__format(text, sizeof(text), "%.2f %d%%", 1.5, 7), 7);
    assert_string_equal(text, "1.50 7%");
    assert_true(lc__read_double("2.25") == 2.25);
}

static void
test_whatever_the_locale(void **state)
{
    if (!set_commas()) {
        skip(); /* another C library has its locales elsewhere */
    }
    char text[40];
    snprintf(text, sizeof(text), "%.2f", 1.5);
    assert_string_equal(text, "1,50");
    test_numbers_have_a_point(state);
    struct lc_buffer buffer = {0};
    assert_int_equal(lc_buffer_append_format(&buffer, "%g;", 0.25), 0);
    assert_int_equal(buffer.len, 5);
    assert_memory_equal(buffer.data, "0.25;", 5);
    lc_buffer_fini(&buffer);
    /* The program's own is as it was. */
    snprintf(text, sizeof(text), "%.1f", 1.5);
    assert_string_equal(text, "1,5");
    setlocale(LC_NUMERIC, "C");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_a_point),
        cmocka_unit_test(test_whatever_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
