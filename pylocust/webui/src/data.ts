// Where a report has its numbers: as they are, or compressed if they are many.
import { strFromU8, unzlibSync } from "fflate";
import type { ReportArgs, ReportExtras } from "./types";

const NOTHING: ReportExtras = {
  options: {},
  version: "",
  made_by: "",
  bands: [],
  timeline: null,
  phases: [],
  percentiles: [],
  exact_times: [],
  generator: null,
};

type Row = Record<string, unknown>;

/** Tables that were turned into columns become rows again. */
function expanded(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(expanded);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  const table = (value as { $table?: Record<string, unknown[]> }).$table;
  if (table) {
    const columns = Object.entries(table).map(([key, cells]) => [key, cells.map(expanded)] as const);
    return (columns[0]?.[1] ?? []).map((_, place): Row => Object.fromEntries(columns.map(([key, cells]) => [key, cells[place]])));
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expanded(one)]));
}

/** Leaves window.templateArgs and window.reportExtras as they would be without compression. */
export function load(): [ReportArgs, ReportExtras] {
  if (window.reportData !== undefined) {
    const compressed = Uint8Array.from(atob(window.reportData), (sign) => sign.charCodeAt(0));
    const data = expanded(JSON.parse(strFromU8(unzlibSync(compressed)))) as { templateArgs: unknown; reportExtras: ReportExtras };
    window.templateArgs = data.templateArgs;
    window.reportExtras = data.reportExtras;
    window.reportData = undefined;
  }
  return [window.templateArgs as ReportArgs, window.reportExtras ?? NOTHING];
}
