/* A timer that should come every TICK_NS tells how late the loop is: what is due waits as long as it does. The rest is
 * read once a second, when a tick finds that the wall clock has gone on to another one.
 *
 * That a thread waited for a core is what /proc/thread-self/schedstat says (Linux with CONFIG_SCHED_INFO): the CPU time
 * alone looks harmless where others take the core away. */
#include "locustcore/meter.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/options.h"

#define TICK_NS (50 * LCORE_NS_PER_MS)
#define MARKS_MAX 10000

struct mark {
    int64_t first_unix_s, last_unix_s;
};

struct reading {
    int64_t unix_ns, wall_ns, process_ns, thread_ns, waited_ns;
};

struct lc_meter {
    struct lc_loop *loop;
    struct lc_timer timer;
    struct lc_meter_options options;
    int schedstat_fd; /* negative: there is none */
    struct reading begin;
    int64_t delay_ns; /* the largest of this second */
    struct lc_meter_second seconds[LCORE_METER_KEPT];
    uint64_t second_count;
    bool is_testing;
    struct lc_stats *held;        /* NULL: nothing is left out */
    struct lc_meter_numbers sums; /* averages are sums here */
    struct mark *marks;
    size_t mark_count, mark_capacity;
};

void
lc_meter_options_init(struct lc_meter_options *options)
{
    *options = (struct lc_meter_options){
        .size = sizeof(*options), .delay_limit_ms = 50, .busy_limit = 0.9, .starved_limit = 0.1};
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * LCORE_NS_PER_S + now.tv_nsec;
}

/* The second number there is what the thread waited for a core, in ns. */
static int64_t
waited_ns(const struct lc_meter *meter)
{
    char text[96];
    long long waited;
    ssize_t len = meter->schedstat_fd < 0 ? -1 : pread(meter->schedstat_fd, text, sizeof(text) - 1, 0);
    if (len <= 0) {
        return 0;
    }
    text[len] = '\0';
    return sscanf(text, "%*s %lld", &waited) == 1 ? waited : 0;
}

static struct reading
read_now(const struct lc_meter *meter)
{
    return (struct reading){
        .unix_ns = lc_clock_realtime_ns(),
        .wall_ns = lc_clock_monotonic_ns(),
        .process_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
        .thread_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID),
        .waited_ns = waited_ns(meter),
    };
}

static int
add_mark(struct lc_meter *meter, const struct lc_meter_second *second)
{
    struct mark *last = meter->mark_count == 0 ? NULL : &meter->marks[meter->mark_count - 1];
    if (last != NULL && (second->first_unix_s <= last->last_unix_s + 1 || meter->mark_count == MARKS_MAX)) {
        last->last_unix_s = second->last_unix_s > last->last_unix_s ? second->last_unix_s : last->last_unix_s;
        return 0;
    }
    if (meter->mark_count == meter->mark_capacity) {
        size_t capacity = meter->mark_capacity == 0 ? 16 : meter->mark_capacity * 2;
        struct mark *marks = lc__realloc(meter->marks, capacity * sizeof(*marks));
        if (marks == NULL) {
            return LCE_NOMEM;
        }
        meter->marks = marks;
        meter->mark_capacity = capacity;
    }
    meter->marks[meter->mark_count++] = (struct mark){second->first_unix_s, second->last_unix_s};
    return 0;
}

static void
add_to_sums(struct lc_meter_numbers *sums, const struct lc_meter_second *second)
{
    /* A loop that was held up for a minute lagged for all of it. */
    uint64_t span = (uint64_t)(second->last_unix_s - second->first_unix_s) + 1;
    sums->seconds += span;
    sums->lagging_seconds += second->lag != 0 ? span : 0;
    sums->delay_seconds += (second->lag & LCORE_LAG_DELAY) != 0 ? span : 0;
    sums->busy_seconds += (second->lag & LCORE_LAG_BUSY) != 0 ? span : 0;
    sums->starved_seconds += (second->lag & LCORE_LAG_STARVED) != 0 ? span : 0;
    sums->cpu_average += second->cpu * (double)span;
    sums->cpu_max = second->cpu > sums->cpu_max ? second->cpu : sums->cpu_max;
    sums->starved_average += second->starved * (double)span;
    sums->starved_max = second->starved > sums->starved_max ? second->starved : sums->starved_max;
    sums->delay_average_ms += second->delay_ms * (double)span;
    sums->delay_max_ms = second->delay_ms > sums->delay_max_ms ? second->delay_ms : sums->delay_max_ms;
}

/* What was measured since meter->begin becomes a second. */
static int
close_second(struct lc_meter *meter)
{
    struct reading now = read_now(meter);
    const struct reading *begin = &meter->begin;
    int64_t span_ns = now.wall_ns - begin->wall_ns;
    if (span_ns <= 0) {
        return 0;
    }
    double passed_ns = (double)span_ns;
    /* Not by the clock of the day, which may have been set meanwhile. */
    int64_t last_unix_s = (begin->unix_ns + span_ns - 1) / LCORE_NS_PER_S;
    struct lc_meter_second second = {
        .first_unix_s = begin->unix_ns / LCORE_NS_PER_S,
        .cpu = (double)(now.process_ns - begin->process_ns) / passed_ns,
        .busy = (double)(now.thread_ns - begin->thread_ns) / passed_ns,
        .starved = (double)(now.waited_ns - begin->waited_ns) / passed_ns,
        .delay_ms = (double)meter->delay_ns / (double)LCORE_NS_PER_MS,
    };
    /* A tick that is a little late closes a second in the next one: no reason to mark that, too. */
    bool is_long = span_ns > LCORE_NS_PER_S + 2 * TICK_NS;
    second.last_unix_s = is_long && last_unix_s > second.first_unix_s ? last_unix_s : second.first_unix_s;
    const struct lc_meter_options *limits = &meter->options;
    second.lag = (second.delay_ms >= limits->delay_limit_ms ? LCORE_LAG_DELAY : 0) |
                 (second.busy + second.starved >= limits->busy_limit ? LCORE_LAG_BUSY : 0) |
                 (second.starved >= limits->starved_limit ? LCORE_LAG_STARVED : 0);
    meter->seconds[meter->second_count++ % LCORE_METER_KEPT] = second;
    meter->begin = now;
    meter->delay_ns = 0;
    int err = 0;
    if (meter->is_testing) {
        add_to_sums(&meter->sums, &second);
        err = second.lag != 0 ? add_mark(meter, &second) : 0;
    }
    if (meter->held != NULL) {
        int settled = lc_stats_settle(meter->held, second.lag == 0);
        err = err < 0 ? err : settled;
    }
    return err;
}

static void
on_tick(struct lc_timer *timer)
{
    struct lc_meter *meter = LCORE_CONTAINER(timer, struct lc_meter, timer);
    int64_t now_ns = lc_clock_monotonic_ns();
    int64_t late_ns = now_ns - timer->deadline_ns;
    meter->delay_ns = late_ns > meter->delay_ns ? late_ns : meter->delay_ns;
    if (lc_clock_realtime_ns() / LCORE_NS_PER_S != meter->begin.unix_ns / LCORE_NS_PER_S) {
        /* Memory that ran out costs a mark, or keeps what was held waiting: nothing that a timer could tell anybody. */
        (void)close_second(meter);
    }
    /* The timer was just in the heap, so there is room. */
    lc_timer_start(meter->loop, timer, now_ns + TICK_NS, on_tick);
}

struct lc_meter *
lc_meter_new(struct lc_loop *loop, const struct lc_meter_options *options, struct lc_error *error)
{
    struct lc_meter_options full;
    lc_meter_options_init(&full);
    if (lc__options_take(&full, sizeof(full), options, error) < 0) {
        return NULL;
    }
    struct lc_meter *meter = lc__calloc(1, sizeof(*meter));
    if (meter == NULL) {
        lc_error_set(error, LCE_NOMEM, "%s", lc_error_text(LCE_NOMEM));
        return NULL;
    }
    meter->loop = loop;
    meter->options = full;
    meter->schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    meter->begin = read_now(meter);
    int err = lc_timer_start(loop, &meter->timer, meter->begin.wall_ns + TICK_NS, on_tick);
    if (err < 0) {
        lc_error_set(error, err, "%s", lc_error_text(err));
        lc_meter_free(meter);
        return NULL;
    }
    return meter;
}

void
lc_meter_free(struct lc_meter *meter)
{
    if (meter == NULL) {
        return;
    }
    lc_timer_stop(meter->loop, &meter->timer);
    if (meter->held != NULL) {
        (void)lc_stats_hold(meter->held, false);
    }
    if (meter->schedstat_fd >= 0) {
        close(meter->schedstat_fd);
    }
    lc__free(meter->marks);
    lc__free(meter);
}

int
lc_meter_begin(struct lc_meter *meter, struct lc_stats *held)
{
    int err = lc_meter_end(meter);
    meter->sums = (struct lc_meter_numbers){0};
    meter->mark_count = 0;
    meter->begin = read_now(meter);
    meter->delay_ns = 0;
    /* What was due before has to do with what was before. */
    lc_timer_start(meter->loop, &meter->timer, meter->begin.wall_ns + TICK_NS, on_tick);
    if (err == 0 && held != NULL) {
        err = lc_stats_hold(held, true);
    }
    if (err == 0) {
        meter->held = held;
        meter->is_testing = true;
    }
    return err;
}

int
lc_meter_end(struct lc_meter *meter)
{
    if (!meter->is_testing) {
        return 0;
    }
    /* Of a few milliseconds nothing can be told. */
    int err = lc_clock_monotonic_ns() - meter->begin.wall_ns >= TICK_NS ? close_second(meter) : 0;
    if (meter->held != NULL) {
        int kept = lc_stats_hold(meter->held, false);
        err = err < 0 ? err : kept;
    }
    meter->held = NULL;
    meter->is_testing = false;
    return err;
}

void
lc_meter_numbers(const struct lc_meter *meter, struct lc_meter_numbers *out)
{
    *out = meter->sums;
    if (out->seconds > 0) {
        out->cpu_average /= (double)out->seconds;
        out->starved_average /= (double)out->seconds;
        out->delay_average_ms /= (double)out->seconds;
    }
}

bool
lc_meter_next_second(const struct lc_meter *meter, uint64_t *position, struct lc_meter_second *out)
{
    uint64_t oldest = meter->second_count > LCORE_METER_KEPT ? meter->second_count - LCORE_METER_KEPT : 0;
    uint64_t at = *position > oldest ? *position : oldest;
    if (at >= meter->second_count) {
        return false;
    }
    *out = meter->seconds[at % LCORE_METER_KEPT];
    *position = at + 1;
    return true;
}

bool
lc_meter_next_mark(const struct lc_meter *meter, size_t *position, int64_t *first_unix_s, int64_t *last_unix_s)
{
    if (*position >= meter->mark_count) {
        return false;
    }
    *first_unix_s = meter->marks[*position].first_unix_s;
    *last_unix_s = meter->marks[*position].last_unix_s;
    ++*position;
    return true;
}

size_t
lc_meter_mark_count(const struct lc_meter *meter)
{
    return meter->mark_count;
}
