// The rows of the table of requests.
import type { Entry } from "./types";

export const PHASES = ["dns", "connect", "tls", "queue", "first_byte", "transfer"] as const;

/** What /stats/table answers; a row is as lib/report/rows.h says. */
export interface TableAnswer {
  percentiles: number[];
  rows: [string, string, number, number, number, number, number, number, number, number, number, number, number, number[], ([number, number] | null)[]][];
}

/** The rows as entries, by name; the last one is the aggregate. */
export function entriesOf({ percentiles, rows }: TableAnswer): Entry[] {
  const keys = percentiles.map((part): `response_time_percentile_${string}` => `response_time_percentile_${part}`);
  const entries = rows.map(([method, name, requests, failures, median, average, min, max, size, rps, fails, totalRps, totalFails, times, phases]) => {
    const entry: Entry = {
      method,
      name,
      num_requests: requests,
      num_failures: failures,
      median_response_time: median,
      avg_response_time: average,
      min_response_time: min,
      max_response_time: max,
      avg_content_length: size,
      current_rps: rps,
      current_fail_per_sec: fails,
      total_rps: totalRps,
      total_fail_per_sec: totalFails,
      phases: {},
    };
    for (let place = 0; place < keys.length; place++) {
      entry[keys[place]] = times[place];
    }
    PHASES.forEach((phase, place) => {
      const times = phases[place];
      if (times) {
        entry.phases[phase] = { average: times[0], max: times[1] };
      }
    });
    return entry;
  });
  const total = entries.pop();
  entries.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : one.method < other.method ? -1 : 1));
  return total ? [...entries, total] : entries;
}
