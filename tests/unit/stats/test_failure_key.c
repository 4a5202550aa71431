#include "stats/failure_key.h"

#include "../support.h"

/* REP-21: the sums were made by Python's hashlib of its own repr(). */
static void
test_keys_are_those_of_python(void **state)
{
    const struct {
        struct lc_str method, name, text;
        const char *key;
    } cases[] = {
        {LCORE_STR("GET"), LCORE_STR("/404"), LCORE_STR("HTTPError('404 Client Error: Not Found for url: /404')"),
         "1769c2d03e6d55a3dcae578a5ad2a19f02b682497f948451915c094f6316f08d"},
        {LCORE_STR("GET"), LCORE_STR("/a"), LCORE_STR("it's"),
         "a5d8a424ff5d4ea15891728f63fd222bf6e5696991110874bf6e53982f1c5fba"},
        {LCORE_STR("GET"), LCORE_STR("/a"), LCORE_STR("both ' and \042"),
         "5d08d810f3b7273673766af021bb1df8c2fcbcbec1ccf196eb10fb7dbf8d5c14"},
        {LCORE_STR(""), LCORE_STR(""),
         LCORE_STR("tab\011new\012line\015\134 \000\177\302\205\302\240\302\255 "
                   "\303\251\342\202\254\360\237\230\200\342\200\213\342\200\250\356\200\200\363\240\200\201"),
         "e0a9d13056af5e7b18c93bb9ac96289501230cdfc06071ae87a3f8b410c65b99"},
        {LCORE_STR("POST"), LCORE_STR("/\303\251"), LCORE_STR(""),
         "45f16f8beca43465a13f385a15db993aa6bd66a2b6b6ed8d64094e96ed551516"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char key[LCORE_FAILURE_KEY_SIZE];
        assert_int_equal(lc__failure_key(cases[i].method, cases[i].name, cases[i].text, key), 0);
        assert_string_equal(key, cases[i].key);
    }
}

static void
test_any_bytes_have_a_key(void **state)
{
    char key[LCORE_FAILURE_KEY_SIZE];
    assert_int_equal(lc__failure_key(LCORE_STR("\xff"), LCORE_STR("\xe2\x82"), LCORE_STR("\x80'\xf4\x90"), key), 0);
    assert_int_equal(lc__failure_key((struct lc_str){NULL, 0}, (struct lc_str){NULL, 0}, (struct lc_str){NULL, 0}, key),
                     0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_those_of_python),
        cmocka_unit_test(test_any_bytes_have_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
