#include "base/buffer.h"
#include "base/heap.h"
#include "base/map.h"
#include "chaos.h"
#include "locustcore/form.h"

static int
fill_buffer(void)
{
    struct lc_buffer buffer = {0};
    int err = 0;
    for (int i = 0; err == 0 && i < 1000; i++) {
        size_t len = buffer.len;
        err = i % 2 == 0 ? lc_buffer_append_str(&buffer, LCORE_STR("abc")) : lc_buffer_append_format(&buffer, "%d", i);
        assert_true(err == 0 || (err == LCE_NOMEM && buffer.len == len));
    }
    lc_buffer_fini(&buffer);
    return err;
}

static void
test_buffer(void **state)
{
    run_with_every_failure(fill_buffer);
}

static int
fill_map(void)
{
    struct lc_map map = {0};
    int values[200];
    int err = 0;
    for (int i = 0; err == 0 && i < 200; i++) {
        const char name[] = {(char)('a' + i % 26), (char)('a' + i / 26)};
        err = lc_map_add(&map, (struct lc_str){name, 2}, LCORE_STR("GET"), &values[i], NULL);
        assert_true(err == 0 || err == LCE_NOMEM);
        assert_ptr_equal(lc_map_get(&map, (struct lc_str){name, 2}, LCORE_STR("GET")), err == 0 ? &values[i] : NULL);
        assert_int_equal(map.count, err == 0 ? i + 1 : i);
    }
    lc_map_fini(&map);
    return err;
}

static void
test_map(void **state)
{
    run_with_every_failure(fill_map);
}

static int
fill_heap(void)
{
    static struct lc_timer timers[500];
    struct lc_heap heap = {0};
    int err = 0;
    for (int i = 0; err == 0 && i < 500; i++) {
        err = lc_heap_put(&heap, &timers[i], 1000 - i);
        assert_true(err == 0 || (err == LCE_NOMEM && timers[i].index == 0));
    }
    while (heap.count > 0) {
        lc_heap_remove(&heap, lc_heap_first(&heap));
    }
    lc_heap_fini(&heap);
    return err;
}

static void
test_heap(void **state)
{
    run_with_every_failure(fill_heap);
}

static int
fill_form(void)
{
    struct lc_form *form = lc_form_new();
    int err = form == NULL ? LCE_NOMEM : 0;
    char content[3000];
    memset(content, 'c', sizeof(content));
    for (int i = 0; err == 0 && i < 20; i++) {
        struct lc_request before = {0}, after = {0};
        lc_form_fill(form, &before);
        err = i % 2 == 0 ? lc_form_add(form, LCORE_STR("a field"), LCORE_STR("with a value"))
                         : lc_form_add_file(form, LCORE_STR("f"), LCORE_STR("n"), (struct lc_str){0},
                                            (struct lc_str){content, sizeof(content)});
        lc_form_fill(form, &after);
        assert_true(err == 0 || err == LCE_NOMEM);
        assert_true(err == 0 ? after.body.len > before.body.len : after.body.len == before.body.len);
        if (i > 1) {
            assert_memory_equal(after.body.data + after.body.len - 4, "--\r\n", 4);
        }
    }
    lc_form_free(form);
    return err;
}

static void
test_form(void **state)
{
    run_with_every_failure(fill_form);
}

static int
dup_string(void)
{
    char *copy = lc_str_dup(LCORE_STR("abc"));
    lc__free(copy);
    return copy == NULL ? LCE_NOMEM : 0;
}

static void
test_str_dup(void **state)
{
    run_with_every_failure(dup_string);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form), cmocka_unit_test(test_buffer),  cmocka_unit_test(test_map),
        cmocka_unit_test(test_heap), cmocka_unit_test(test_str_dup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
