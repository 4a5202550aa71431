#include "base/map.h"

#include <stdio.h>

#include "../support.h"

static void
test_what_is_added_is_found(void **state)
{
    enum { N = 5000 };
    static int values[N];
    struct lc_map map = {0};
    char name[16];
    assert_null(lc_map_get(&map, LCORE_STR("x"), LCORE_STR("y")));
    for (int i = 0; i < N; i++) {
        int len = snprintf(name, sizeof(name), "/%d", i);
        const char *copy;
        struct lc_str key = {name, (size_t)len};
        assert_int_equal(lc_map_add(&map, key, i % 2 == 0 ? LCORE_STR("GET") : LCORE_STR("POST"), &values[i], &copy),
                         0);
        assert_ptr_not_equal(copy, name);
        assert_memory_equal(copy, name, (size_t)len);
    }
    assert_int_equal(map.count, N);
    for (int i = 0; i < N; i++) {
        int len = snprintf(name, sizeof(name), "/%d", i);
        struct lc_str key = {name, (size_t)len};
        assert_ptr_equal(lc_map_get(&map, key, i % 2 == 0 ? LCORE_STR("GET") : LCORE_STR("POST")), &values[i]);
        assert_null(lc_map_get(&map, key, i % 2 == 0 ? LCORE_STR("POST") : LCORE_STR("GET")));
    }
    lc_map_fini(&map);
    assert_null(lc_map_get(&map, LCORE_STR("/1"), LCORE_STR("POST")));
}

static void
test_both_halves_of_a_key_count(void **state)
{
    int values[4];
    struct lc_map map = {0};
    assert_int_equal(lc_map_add(&map, LCORE_STR("ab"), LCORE_STR("c"), &values[0], NULL), 0);
    assert_int_equal(lc_map_add(&map, LCORE_STR("a"), LCORE_STR("bc"), &values[1], NULL), 0);
    assert_int_equal(lc_map_add(&map, (struct lc_str){NULL, 0}, LCORE_STR("abc"), &values[2], NULL), 0);
    assert_int_equal(lc_map_add(&map, (struct lc_str){NULL, 0}, (struct lc_str){NULL, 0}, &values[3], NULL), 0);
    assert_ptr_equal(lc_map_get(&map, LCORE_STR("ab"), LCORE_STR("c")), &values[0]);
    assert_ptr_equal(lc_map_get(&map, LCORE_STR("a"), LCORE_STR("bc")), &values[1]);
    assert_ptr_equal(lc_map_get(&map, LCORE_STR(""), LCORE_STR("abc")), &values[2]);
    assert_ptr_equal(lc_map_get(&map, LCORE_STR(""), LCORE_STR("")), &values[3]);
    lc_map_fini(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_added_is_found),
        cmocka_unit_test(test_both_halves_of_a_key_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
