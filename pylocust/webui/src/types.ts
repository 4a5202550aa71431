// What the server's pages and endpoints give; the names are those of the JSON.

import type { TimelineAnswer } from "./timeline";

export type Phases = Record<string, { average: number; max: number }>;

export interface Entry {
  method: string;
  name: string;
  num_requests: number;
  num_failures: number;
  min_response_time: number;
  max_response_time: number;
  avg_response_time: number;
  median_response_time: number;
  avg_content_length: number;
  current_rps: number;
  current_fail_per_sec: number;
  total_rps: number;
  total_fail_per_sec: number;
  /** What never happened is left out; times in ms. */
  phases: Phases;
  [percentile: `response_time_percentile_${string}`]: number;
}

export interface Failure {
  method: string;
  name: string;
  error: string;
  occurrences: number;
  first_seen: number | null;
  last_seen: number | null;
}

export interface UserException {
  count: number;
  msg: string;
  traceback: string;
  nodes: string;
}

export interface WorkerNode {
  id: string;
  state: string;
  user_count: number;
  cpu_usage: number;
  memory_usage: number;
}

export interface Statistics {
  stats: Entry[];
  errors: Failure[];
  state: string;
  user_count: number;
  current_rps?: number;
  current_fail_per_sec?: number;
  total_rps: number;
  fail_ratio: number;
  /** How many kinds there are: `errors` has 500 at most, and none where they were not asked for. */
  error_count?: number;
  exception_count?: number;
  current_response_time_percentiles?: Record<string, number | null>;
  workers?: WorkerNode[];
  worker_count?: number;
  extended_stats?: { key: string; data: Record<string, unknown>[] }[];
  /** Tells the process that serves: it is another text after a restart. */
  server?: string;
}

export type HistorySample = { time: string } & Record<string, [string, number | null] | string>;

export interface RatioNode {
  ratio: number;
  tasks?: Record<string, RatioNode>;
}

export interface Ratios {
  per_class: Record<string, RatioNode>;
  total: Record<string, RatioNode>;
}

/** How a process copes that makes load, in its last seconds. */
export interface Health {
  cpu_usage: number;
  lag_ms: number;
  is_lagging?: boolean;
  /** delay, busy, starved */
  reasons?: string[];
}

export interface Generator extends Health {
  memory_usage: number;
  workers?: Record<string, { last_seen_s: number; test?: GeneratorTest } & Partial<Health>>;
  whole_test?: GeneratorTest;
  /** Whether the master keeps up with its workers' reports, and seconds: how old their numbers may be, between two reports. */
  backlog?: { is_slow: boolean; age: number; pause: number };
  test: { host: string; num_users: number | null; spawn_rate: number | null; shape: string | null; shape_uses_options: boolean; options: Record<string, OptionValue> };
}

type OptionValue = string | number | boolean | string[] | null;

export interface Field {
  default_value: OptionValue;
  choices: string[] | null;
  help_text: string | null;
  is_multiple: boolean;
  is_required: boolean;
  is_secret: boolean;
}

export interface ExtendedTable {
  key: string;
  structure: { key: string; title: string }[];
}

export interface PageArgs {
  available_shape_classes: string[];
  available_user_classes: string[] | null;
  available_user_tasks: Record<string, string[]> | null;
  extra_options: Record<string, Field>;
  hide_common_options: boolean | null;
  history: HistorySample[];
  host: string;
  is_distributed: boolean;
  is_host_required: boolean;
  locustfile: string | null;
  missing_host_warning: boolean;
  num_users: number | null;
  override_host_warning: boolean;
  percentiles_to_chart: number[];
  percentiles_to_statistics: number[];
  profile: string | null;
  run_time: number | string | null;
  shape_use_common_options: boolean | null;
  show_userclass_picker: boolean;
  spawn_rate: number | null;
  state: string;
  stats_history_enabled: boolean | null;
  user_count: number;
  /** What json() of each class tells: its tasks, and attributes that may be changed. */
  users: Record<string, Record<string, unknown>> | null;
  version: string;
  worker_count: number;
  all_profiles?: string[];
  extended_tabs?: { title: string; key: string }[];
  extended_tables?: ExtendedTable[];
  extended_csv_files?: { href: string; title: string }[];
}

export interface LoginField {
  label: string;
  name: string;
  type?: string | null;
  default_value?: string | boolean | null;
  choices?: string[] | null;
  is_multiple?: boolean | null;
  is_secret?: boolean | null;
  is_required?: boolean | null;
}

export interface LoginArgs {
  username_password_callback?: string;
  auth_providers?: { label?: string | null; callback_url: string; icon_url?: string | null }[];
  custom_form?: { inputs?: LoginField[] | null; callback_url: string; submit_button_text?: string | null };
  error?: string | null;
  info?: string | null;
}

export interface ReportArgs {
  requests_statistics: Entry[];
  response_time_statistics: ({ name: string; method: string } & Record<string, number | string>)[];
  failures_statistics: Failure[];
  exceptions_statistics: UserException[];
  history: HistorySample[];
  tasks: Ratios;
  start_time: string;
  end_time: string;
  duration: string;
  host: string;
  locustfile: string;
  profile: string | null;
  percentiles_to_chart: number[];
  show_download_link: boolean;
}

/** How the process, or the busiest of several, coped during the test. */
export interface GeneratorTest {
  seconds: number;
  /** Seconds in which it measured itself rather than the target. */
  lagging_seconds: number;
  cpu_average: number;
  cpu_max: number;
  starved_average: number;
  starved_max: number;
  lag_average_ms: number;
  lag_max_ms: number;
  /** What --exclude-lagging did not count. */
  left_out_requests: number;
  left_out_failures: number;
  /** Lagging seconds by reason; a second may have several. */
  delay_seconds: number;
  busy_seconds: number;
  starved_seconds: number;
  /** The last ranges of lagging seconds, first and last, in Unix time. */
  lagging: [number, number][];
}

interface GeneratorReport extends GeneratorTest {
  workers: Record<string, { test: GeneratorTest }>;
}

/** Requests by bands of their time (heat.ts), and exact percentiles. */
export interface Bands {
  name: string;
  method: string;
  bands: number[];
  times: Record<string, number>;
}

export interface ReportExtras {
  options: Record<string, string>;
  version: string;
  made_by: string;
  /** The first one is that of all requests. */
  bands: Bands[];
  timeline: TimelineAnswer | null;
  /** For each entry of requests_statistics and each of PHASES: count, average and longest in ms; null: there was none. */
  phases: ([number, number, number] | null)[][];
  /** Percentiles that were asked for, and for each entry their times, to the microsecond. */
  percentiles: number[];
  exact_times: number[][];
  generator: GeneratorReport | null;
  /** How many rows of each table had no room in the report. */
  left_out?: Partial<Record<"requests_statistics" | "failures_statistics" | "exceptions_statistics", number>>;
}

declare global {
  interface Window {
    reportData?: string;
    templateArgs?: unknown;
    authArgs?: LoginArgs;
    reportExtras?: ReportExtras;
    theme?: string;
  }
}
