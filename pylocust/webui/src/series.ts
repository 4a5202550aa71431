import type { Sample, Statistics } from "./types";

/** Samples in columns, as the charts draw them: seconds, then one column for each of NAMES and the percentiles. */
export type Series = (number | null)[][];

const NAMES = ["current_rps", "current_fail_per_sec", "user_count"];

function names(percentiles: number[]): string[] {
  return [...NAMES, ...percentiles.map((part) => `response_time_percentile_${part}`)];
}

export function fromHistory(history: Sample[], percentiles: number[]): Series {
  const times = history.map((sample) => Date.parse(sample.time) / 1000);
  const columns = names(percentiles).map((name) =>
    history.map((sample) => {
      const pair = sample[name];
      return Array.isArray(pair) ? pair[1] : null;
    }),
  );
  return [times, ...columns];
}

/** Adds the numbers of now; the result is a new array, so that readers see the change. */
export function withSample(series: Series, now: number, report: Statistics, percentiles: number[]): Series {
  const last = series[0].at(-1);
  if (last !== undefined && last !== null && now <= last) {
    return series;
  }
  const current = report.current_response_time_percentiles ?? {};
  const values = [
    now,
    report.current_rps ?? 0,
    report.current_fail_per_sec ?? 0,
    report.user_count,
    ...percentiles.map((part) => current[`response_time_percentile_${part}`] ?? null),
  ];
  return series.map((column, place) => [...column, values[place]]);
}

/** A sample without values: lines do not cross the time between two tests. */
export function withGap(series: Series, now: number): Series {
  if (series[0].length === 0) {
    return series;
  }
  return series.map((column, place) => [...column, place === 0 ? now : null]);
}
