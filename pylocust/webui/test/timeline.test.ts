import { expect, test } from "vitest";
import { absorb, ALL, badSpans, columns, EMPTY, ofHistory, panned, rangeOf, reasonRates, type Sample, type TimelineAnswer, within, zoomed } from "../src/timeline";

const COLUMNS = ["time", "span", "run", "users", "rps", "failures_per_s", "percentiles", "heat", "reasons", "cpu", "lag_ms", "bad_seconds"];

function sample(time: number, more: Partial<Sample> = {}): Sample {
  return { time, span: 2, run: 1, users: 5, rps: 10, failures_per_s: 0, percentiles: [1], heat: [], reasons: [], cpu: 1, lag_ms: 1, bad_seconds: 0, ...more };
}

function answer(generation: number, first: number, times: number[]): TimelineAnswer {
  const samples = times.map((time) => COLUMNS.map((column) => (sample(time) as unknown as Record<string, unknown>)[column]));
  return { generation, first, columns: COLUMNS, percentiles: [0.5], reasons: [], marks: [], samples };
}

test("news come behind what is known", () => {
  const known = absorb(absorb(EMPTY, answer(0, 0, [2, 4])), answer(0, 2, [6]));
  expect(known.samples.map(({ time }) => time)).toEqual([2, 4, 6]);
});

test("another generation replaces what is known", () => {
  const known = absorb(absorb(EMPTY, answer(0, 0, [2, 4, 6])), answer(1, 0, [4, 6]));
  expect(known.samples.map(({ time }) => time)).toEqual([4, 6]);
  expect(known.generation).toBe(1);
});

test("an answer that does not fit is taken as all there is", () => {
  expect(absorb(absorb(EMPTY, answer(0, 0, [2])), answer(0, 5, [12])).samples).toHaveLength(1);
});

test("no line crosses the time between two tests", () => {
  const [times, users] = columns([sample(2), sample(4), sample(100, { run: 2 }), sample(102, { run: 2 })], [({ users }) => users]);
  expect(times).toEqual([2, 4, 97.99, 100, 102]);
  expect(users).toEqual([5, 5, null, 5, 5]);
  expect(columns([], [() => 1])).toEqual([[], []]);
});

test("failures of a reason per second, over some seconds as workers report every few", () => {
  const samples = [0, 6, 0, 6].map((count, place) => sample(2 * place, { reasons: count ? [3, 1, 1, count] : [] }));
  expect(reasonRates(samples, 1)).toEqual([0, 1.5, 1, 1.5]);
  expect(reasonRates(samples, 3)).toEqual([0, 0.25, 1 / 6, 0.25]);
  expect(reasonRates(samples, 6)).toEqual([0, 0, 0, 0]);
  const long = [0, 1, 2, 3, 4].map((place) => sample(10 * place, { span: 10, reasons: [0, 10 * place] }));
  expect(reasonRates(long, 0)).toEqual([0, 1, 2, 3, 4]);
  expect(reasonRates([...samples, sample(100, { run: 2, reasons: [1, 8] })], 1).at(-1)).toBe(4);
});

const SAMPLES = [sample(2), sample(50), sample(100), sample(1000, { run: 2 }), sample(1100, { run: 2 })];

test("views", () => {
  expect(rangeOf(ALL, SAMPLES)).toEqual([0, 1100]);
  expect(rangeOf({ kind: "last", seconds: 300 }, SAMPLES)).toEqual([800, 1100]);
  expect(rangeOf({ kind: "last", seconds: 9000 }, SAMPLES)).toEqual([0, 1100]);
  expect(rangeOf({ kind: "run", run: 1 }, SAMPLES)).toEqual([0, 100]);
  expect(rangeOf({ kind: "run", run: 2 }, SAMPLES)).toEqual([998, 1100]);
  expect(rangeOf({ kind: "run", run: 9 }, SAMPLES)).toEqual([0, 1100]);
  expect(rangeOf(ALL, [])).toEqual([0, 1]);
});

test("zooming and panning stay within what there is", () => {
  expect(zoomed([0, 1100], 0.5, SAMPLES)).toEqual([275, 825]);
  expect(zoomed([275, 825], 0.5, SAMPLES, 0)).toEqual([275, 550]);
  expect(zoomed([275, 825], 10, SAMPLES)).toEqual([0, 1100]);
  expect(panned([100, 300], 0.5, SAMPLES)).toEqual([200, 400]);
  expect(panned([100, 300], -5, SAMPLES)).toEqual([0, 200]);
  expect(panned([100, 300], 50, SAMPLES)).toEqual([900, 1100]);
  const [from, to] = within([500, 500.5], [0, 1100]);
  expect(to - from).toBe(4);
});

test("bad seconds that follow each other are one span", () => {
  const bad = (time: number) => sample(time, { bad_seconds: 1 });
  expect(badSpans([sample(2), bad(4), bad(6), sample(8), bad(10)])).toEqual([
    [2, 6],
    [8, 10],
  ]);
});

test("a report's history is a timeline without heat and generator", () => {
  const time = (second: number) => `2026-11-21T00:00:0${second}Z`;
  const history = [0, 5].map((second) => ({ time: time(second), current_rps: [time(second), 3], "response_time_percentile_0.5": [time(second), 7] }));
  const { samples } = ofHistory(history as never, [0.5, 0.95]);
  expect(samples[1]).toMatchObject({ span: 5, rps: 3, users: 0, percentiles: [7, null], cpu: null, heat: [] });
});
