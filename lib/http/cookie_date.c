/* The dates of Expires, in the many ways servers write them. */

#include "http/cookies.h"

/* What is left of a date's text. */
struct scanner {
    const char *place, *end;
};

static bool
is_letter(char c)
{
    c = lc_ascii_lower(c);
    return c >= 'a' && c <= 'z';
}

static size_t
skip_blanks(struct scanner *scanner)
{
    const char *start = scanner->place;
    while (scanner->place < scanner->end && lc_ascii_is_blank(*scanner->place)) {
        scanner->place++;
    }
    return (size_t)(scanner->place - start);
}

static bool
take_char(struct scanner *scanner, char c)
{
    if (scanner->place < scanner->end && *scanner->place == c) {
        scanner->place++;
        return true;
    }
    return false;
}

/* Between `least` and `most` digits; *count says how many. */
static bool
take_number(struct scanner *scanner, int least, int most, int *number)
{
    int count = 0;
    *number = 0;
    while (count < most && scanner->place < scanner->end && lc_ascii_is_digit(*scanner->place)) {
        *number = *number * 10 + (*scanner->place++ - '0');
        count++;
    }
    return count >= least;
}

/* Blanks, '-' or '/' between the parts of a day. */
static bool
take_day_separator(struct scanner *scanner)
{
    return skip_blanks(scanner) > 0 || take_char(scanner, '-') || take_char(scanner, '/');
}

static struct lc_str
take_word(struct scanner *scanner)
{
    const char *start = scanner->place;
    while (scanner->place < scanner->end &&
           (is_letter(*scanner->place) || lc_ascii_is_digit(*scanner->place) || *scanner->place == '_')) {
        scanner->place++;
    }
    return (struct lc_str){start, (size_t)(scanner->place - start)};
}

static int
index_of_name(const char *names, struct lc_str word)
{
    for (int i = 0; names[i * 3] != '\0'; i++) {
        if (lc_str_equal_nocase(word, (struct lc_str){names + i * 3, 3})) {
            return i;
        }
    }
    return -1;
}

static void
skip_weekday(struct scanner *scanner)
{
    struct scanner ahead = *scanner;
    while (ahead.place < ahead.end && is_letter(*ahead.place)) {
        ahead.place++;
    }
    if (ahead.place - scanner->place >= 3 &&
        index_of_name("sunmontuewedthufrisat", (struct lc_str){scanner->place, 3}) >= 0) {
        take_char(&ahead, ',');
        skip_blanks(&ahead);
        *scanner = ahead;
    }
}

static bool
take_month(struct scanner *scanner, int *month)
{
    struct lc_str word = take_word(scanner);
    int index = index_of_name("janfebmaraprmayjunjulaugsepoctnovdec", word);
    if (index >= 0) {
        *month = index + 1;
        return true;
    }
    uint64_t number;
    if (!lc_str_to_u64(word, &number) || number < 1 || number > 12) {
        return false;
    }
    *month = (int)number;
    return true;
}

/* Seconds the zone is ahead of UTC; names other than UTC's are not known. */
static bool
take_zone(struct scanner *scanner, int *offset_s)
{
    *offset_s = 0;
    if (scanner->place < scanner->end && is_letter(*scanner->place)) {
        const char *start = scanner->place;
        while (scanner->place < scanner->end && is_letter(*scanner->place)) {
            scanner->place++;
        }
        struct lc_str zone = {start, (size_t)(scanner->place - start)};
        return lc_str_equal_nocase(zone, LCORE_STR("gmt")) || lc_str_equal_nocase(zone, LCORE_STR("utc")) ||
               lc_str_equal_nocase(zone, LCORE_STR("ut")) || lc_str_equal_nocase(zone, LCORE_STR("z"));
    }
    bool is_west = take_char(scanner, '-');
    bool is_signed = is_west || take_char(scanner, '+');
    const char *start = scanner->place;
    int number;
    if (!take_number(scanner, is_signed ? 2 : 0, 4, &number)) {
        return false;
    }
    ptrdiff_t count = scanner->place - start;
    if (count == 1) {
        return false;
    }
    int seconds = count <= 2 ? number * 3600 : number / 100 * 3600 + number % 100 * 60;
    *offset_s = is_west ? -seconds : seconds;
    return true;
}

static int64_t
days_since_epoch(int64_t year, int month, int day)
{
    /* March is the first month, so that the leap day is the last of the year. */
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int
year_of(int64_t unix_s)
{
    int64_t year = 1970 + unix_s / 31556952;
    while (days_since_epoch(year + 1, 1, 1) * 86400 <= unix_s) {
        year++;
    }
    while (days_since_epoch(year, 1, 1) * 86400 > unix_s) {
        year--;
    }
    return (int)year;
}

/* The year of those digits that is nearest to now. */
static int
full_year(int year, int64_t now_s)
{
    if (year >= 1000) {
        return year;
    }
    int now = year_of(now_s);
    int distance = now % 100 - year;
    year += now - now % 100;
    if (distance > 50) {
        year += 100;
    } else if (distance < -50) {
        year -= 100;
    }
    return year;
}

bool
lc_cookie_parse_date(struct lc_str text, int64_t now_s, int64_t *unix_s)
{
    struct scanner scanner = {text.data, text.data + text.len};
    skip_blanks(&scanner);
    skip_weekday(&scanner);
    int day, month, year, hour = 0, minute = 0, second = 0, offset_s;
    if (!take_number(&scanner, 1, 2, &day) || !take_day_separator(&scanner) || !take_month(&scanner, &month) ||
        !take_day_separator(&scanner) || !take_number(&scanner, 1, 9, &year) || year > 9999) {
        return false;
    }
    struct scanner clock = scanner;
    if ((skip_blanks(&clock) > 0 || take_char(&clock, ':')) && take_number(&clock, 1, 2, &hour) &&
        take_char(&clock, ':') && take_number(&clock, 2, 2, &minute)) {
        scanner = clock;
        if (take_char(&clock, ':') && take_number(&clock, 2, 2, &second)) {
            scanner = clock;
        } else {
            second = 0;
        }
    } else {
        hour = minute = 0;
    }
    skip_blanks(&scanner);
    if (!take_zone(&scanner, &offset_s)) {
        return false;
    }
    skip_blanks(&scanner);
    if (take_char(&scanner, '(')) {
        if (take_word(&scanner).len == 0 || !take_char(&scanner, ')')) {
            return false;
        }
        skip_blanks(&scanner);
    }
    if (scanner.place != scanner.end) {
        return false;
    }
    year = full_year(year, now_s);
    if (year < 1970 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 61) {
        return false;
    }
    *unix_s = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    return true;
}
