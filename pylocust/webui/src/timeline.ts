// The server's samples of what happened when, in columns as the charts draw them.
import type { HistorySample } from "./types";

export interface Mark {
  time: number;
  text: string;
  kind: "start" | "stop" | "change" | "trouble";
}

/** What /stats/timeline answers: rows in the order of `columns`, from number `first` on. */
export interface TimelineAnswer {
  generation: number;
  first: number;
  columns: string[];
  percentiles: number[];
  reasons: string[];
  marks: Mark[];
  samples: unknown[][];
}

export interface Sample {
  time: number;
  span: number;
  run: number;
  users: number;
  rps: number;
  failures_per_s: number;
  percentiles: (number | null)[];
  /** The number of the first band, then the requests of this band and of those after it. */
  heat: number[];
  /** Pairs: the number of a reason, and how often it occurred. */
  reasons: number[];
  cpu: number | null;
  lag_ms: number | null;
  bad_seconds: number;
}

export interface Timeline {
  generation: number;
  percentiles: number[];
  reasons: string[];
  marks: Mark[];
  samples: Sample[];
}

export const EMPTY: Timeline = { generation: -1, percentiles: [], reasons: [], marks: [], samples: [] };

/** What is known after an answer: more samples, or all anew if the server merged old ones. */
export function absorb(known: Timeline, answer: TimelineAnswer): Timeline {
  const rows = answer.samples.map((row) => Object.fromEntries(answer.columns.map((column, place) => [column, row[place]])) as unknown as Sample);
  const { generation, percentiles, reasons, marks } = answer;
  const isMore = known.generation === generation && answer.first === known.samples.length;
  return { generation, percentiles, reasons, marks, samples: isMore ? [...known.samples, ...rows] : rows };
}

/** The samples of a report, which are Locust's: they tell neither how times were spread nor of the generator. */
export function ofHistory(history: HistorySample[], percentiles: number[]): Timeline {
  const times = history.map((sample) => Date.parse(sample.time) / 1000);
  const samples = history.map((sample, place): Sample => {
    const value = (name: string) => {
      const pair = sample[name];
      return Array.isArray(pair) ? pair[1] : null;
    };
    return {
      time: times[place],
      span: place > 0 ? times[place] - times[place - 1] : 0,
      run: 1,
      users: value("user_count") ?? 0,
      rps: value("current_rps") ?? 0,
      failures_per_s: value("current_fail_per_sec") ?? 0,
      percentiles: percentiles.map((part) => value(`response_time_percentile_${part}`)),
      heat: [],
      reasons: [],
      cpu: null,
      lag_ms: null,
      bad_seconds: 0,
    };
  });
  return { ...EMPTY, percentiles, samples };
}

/** The numbers of samples for a line; null where the line breaks between two tests. */
export type Column = (number | null)[];

/** Samples as columns over one time axis. Between two tests stands an empty sample, so that no line crosses the gap. */
export function columns(samples: Sample[], values: ((sample: Sample, place: number) => number | null)[]): Column[] {
  const result: Column[] = [[], ...values.map(() => [])];
  let run = samples[0]?.run;
  samples.forEach((sample, number) => {
    if (sample.run !== run) {
      run = sample.run;
      result[0].push(sample.time - sample.span - 0.01);
      for (const column of result.slice(1)) {
        column.push(null);
      }
    }
    result[0].push(sample.time);
    values.forEach((value, place) => {
      result[place + 1].push(value(sample, number));
    });
  });
  return result;
}

// Reports of workers come every few seconds: over less than this, a rate would be that of reports.
const RATE_WINDOW_S = 8;

/** Failures per second of a reason at each sample, over the seconds before it. */
export function reasonRates(samples: Sample[], reason: number): number[] {
  const counts = samples.map(({ reasons }) => {
    const place = reasons.findIndex((value, place) => place % 2 === 0 && value === reason);
    return place < 0 ? 0 : reasons[place + 1];
  });
  const rates: number[] = [];
  let first = 0;
  let count = 0;
  let span = 0;
  samples.forEach((sample, last) => {
    count += counts[last];
    span += sample.span;
    while (first < last && (samples[first].run !== sample.run || span - samples[first].span >= RATE_WINDOW_S)) {
      count -= counts[first];
      span -= samples[first].span;
      first++;
    }
    rates.push(count / Math.max(span, 0.1));
  });
  return rates;
}

export type Range = [number, number];

/** Which part of the time is shown. */
export type View = { kind: "all" } | { kind: "last"; seconds: number } | { kind: "run"; run: number } | { kind: "range"; range: Range };

export const ALL: View = { kind: "all" };

function extent(samples: Sample[]): Range {
  const first = samples[0];
  const from = first ? first.time - first.span : 0;
  return [from, Math.max(samples.at(-1)?.time ?? 0, from + 1)];
}

export function rangeOf(view: View, samples: Sample[]): Range {
  const all = extent(samples);
  switch (view.kind) {
    case "all":
      return all;
    case "last":
      return [Math.max(all[0], all[1] - view.seconds), all[1]];
    case "run": {
      const own = samples.filter((sample) => sample.run === view.run);
      return own.length > 0 ? extent(own) : all;
    }
    case "range":
      return view.range;
  }
}

const SHORTEST = 4;

/** Keeps a range within what there is, and not shorter than can be read. */
export function within([from, to]: Range, [first, last]: Range): Range {
  const length = Math.min(Math.max(to - from, Math.min(SHORTEST, last - first)), last - first);
  const start = Math.min(Math.max(from, first), last - length);
  return [start, start + length];
}

/** `factor` 0.5 shows half as much; `at` (0 to 1) stays where it is. */
export function zoomed(range: Range, factor: number, samples: Sample[], at = 0.5): Range {
  const length = range[1] - range[0];
  const start = range[0] + length * at * (1 - factor);
  const all = extent(samples);
  return length * factor >= all[1] - all[0] ? all : within([start, start + length * factor], all);
}

/** Moves by a share of what is shown. */
export function panned(range: Range, share: number, samples: Sample[]): Range {
  const by = (range[1] - range[0]) * share;
  return within([range[0] + by, range[1] + by], extent(samples));
}

export function runsOf(samples: Sample[]): number[] {
  return [...new Set(samples.map((sample) => sample.run))];
}

/** Spans of time in which the generator measured itself. */
export function badSpans(samples: Sample[]): Range[] {
  const spans: Range[] = [];
  for (const { time, span, bad_seconds } of samples) {
    if (bad_seconds > 0) {
      const last = spans.at(-1);
      if (last && time - span - last[1] < 0.5) {
        last[1] = time;
      } else {
        spans.push([time - span, time]);
      }
    }
  }
  return spans;
}
