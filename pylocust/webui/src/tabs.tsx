// What stands in the smaller tabs.
import { type MutableRefObject, useLayoutEffect, useMemo, useRef, useState } from "react";
import { safeAddress } from "./address";
import { usePoll, useTimeline } from "./api";
import { Entries, type TableAnswer } from "./entries";
import { bytes, short, whole } from "./format";
import { rangesText, reasonsText, secondsText } from "./health";
import { useMemory } from "./memory";
import { allPercentiles, PercentileChoices } from "./percentiles";
import { Requests } from "./sections";
import { type Column, DataTable } from "./table";
import { TimeCharts } from "./timecharts";
import type { Timeline } from "./timeline";
import type { ExtendedTable, Generator, GeneratorTest, Health, PageArgs, Statistics, WorkerNode } from "./types";
import { Waiting } from "./waiting";

export function StatisticsTab({ configured, everyMs, turn }: { configured: number[]; everyMs: number; turn: number }) {
  const [chosen, togglePercentile] = useMemory("percentiles", []);
  const percentiles = useMemo(() => allPercentiles(configured, chosen), [configured, chosen]);
  const { value, refusal } = usePoll<TableAnswer>(`stats/table?percentiles=${percentiles.join(",")}`, { everyMs, turn });
  const made = useRef(new Entries());
  const entries = useMemo(() => (value ? made.current.take(value) : []), [value]);
  if (!value) {
    return <Waiting refusal={refusal} />;
  }
  return (
    <Requests
      entries={entries}
      percentiles={value.percentiles}
      isCurrent
      isLong
      memory="requests"
      choices={<PercentileChoices configured={configured} chosen={chosen} onToggle={togglePercentile} />}
    />
  );
}

export function ChartsTab({ store, everyMs, turn, isDark }: { store: MutableRefObject<Timeline>; everyMs: number; turn: number; isDark: boolean }) {
  return <TimeCharts timeline={useTimeline(store, everyMs, turn)} isDark={isDark} />;
}

function Log({ lines, label }: { lines: string[]; label: string }) {
  const box = useRef<HTMLPreElement>(null);
  const isAtEnd = useRef(true);
  // Follows what is new, unless the reader has gone up.
  useLayoutEffect(() => {
    if (box.current && isAtEnd.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines]);
  if (lines.length === 0) {
    return <p className="empty">Nothing has been logged.</p>;
  }
  return (
    <pre
      ref={box}
      className="log"
      tabIndex={0}
      role="log"
      aria-label={label}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - clientHeight - scrollTop < 40;
      }}
    >
      {lines.map((line, place) => (
        // Lines only ever come at the end.
        <span key={`${place} ${line.slice(0, 40)}`} className={/\/(DEBUG|INFO|WARNING|ERROR|CRITICAL)\//.exec(line)?.[1]}>
          {`${line}\n`}
        </span>
      ))}
    </pre>
  );
}

interface Logs {
  master: string[];
  /** Of workers that were not asked about there is nothing. */
  workers: Record<string, string[]>;
  /** How many lines there are of each worker. */
  counts: Record<string, number>;
}

/** The lines of a hundred workers are megabytes: those of one are asked for while somebody reads them. */
export function LogsTab({ turn }: { turn: number }) {
  const [open, setOpen] = useState<string[]>([]);
  const query = open.map((worker) => `&worker=${encodeURIComponent(worker)}`).join("");
  const { value, refusal } = usePoll<Logs>(`logs?worker=${query}`, { everyMs: 5000, turn });
  if (value === null) {
    return <Waiting refusal={refusal} />;
  }
  return (
    <>
      <Log lines={value.master} label="Log lines" />
      {Object.entries(value.counts).map(([worker, count]) => (
        <details
          key={worker}
          className="log-of"
          onToggle={({ currentTarget }) => {
            const isOpen = currentTarget.open;
            setOpen((old) => (isOpen ? [...new Set([...old, worker])] : old.filter((one) => one !== worker)));
          }}
        >
          <summary className="message">
            {worker} <span className="count">{`(${whole(count)} ${count === 1 ? "line" : "lines"})`}</span>
          </summary>
          {open.includes(worker) && (value.workers[worker] ? <Log lines={value.workers[worker]} label={`Log lines of ${worker}`} /> : <Waiting refusal={refusal} />)}
        </details>
      ))}
    </>
  );
}

type SeenWorker = WorkerNode & { seen: number | undefined; health: Partial<Health>; test: GeneratorTest | undefined };

function seenText(seconds: number): string {
  return seconds <= 1 ? "now" : seconds < 120 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;
}

const WORKERS: Column<SeenWorker>[] = [
  { key: "id", title: "Worker", value: (row) => row.id },
  {
    key: "state",
    title: "State",
    value: (row) => row.state,
    show: (row) => <span className={row.state === "missing" ? "bad" : undefined}>{row.state === "missing" ? "missing: lost, or too busy to answer" : row.state}</span>,
  },
  { key: "users", title: "# Users", value: (row) => row.user_count },
  { key: "cpu", title: "CPU", value: (row) => row.cpu_usage, show: (row) => <span className={row.cpu_usage > 90 ? "bad" : undefined}>{short(row.cpu_usage)} %</span> },
  {
    key: "lag",
    title: "Lag",
    value: (row) => row.health.lag_ms ?? 0,
    show: (row) =>
      row.health.lag_ms === undefined ? (
        "–"
      ) : (
        <span className={row.health.is_lagging ? "bad" : undefined} title={reasonsText(row.health.reasons ?? [])}>
          {short(row.health.lag_ms)} ms
        </span>
      ),
  },
  {
    key: "bad",
    title: "Lagged",
    value: (row) => row.test?.lagging_seconds ?? -1,
    show: ({ test }) =>
      test === undefined ? (
        "–"
      ) : (
        <span className={test.lagging_seconds > 0 ? "bad" : undefined} title={`${secondsText(test)} ${rangesText(test)}`.trim()}>
          {test.lagging_seconds} of {test.seconds} s
        </span>
      ),
  },
  { key: "memory", title: "Memory", value: (row) => row.memory_usage, show: (row) => bytes(row.memory_usage) },
  { key: "seen", title: "Last seen", value: (row) => row.seen ?? 0, show: (row) => (row.seen === undefined ? "–" : seenText(row.seen)) },
];
const NO_WORKERS: WorkerNode[] = [];

export function WorkersTab({ report, generator }: { report: Statistics | null; generator: Generator | null }) {
  const rows = (report?.workers ?? NO_WORKERS).map((row) => {
    const told = generator?.workers?.[row.id];
    return { ...row, seen: told?.last_seen_s, health: told ?? {}, test: told?.test };
  });
  return <DataTable label="Workers" columns={WORKERS} rows={rows} rowKey={(row) => row.id} empty="No worker has connected." />;
}

/** Scripts give what they have: before there is anything that may be an empty object. */
function rowsOf(report: Statistics | null, key: string): Record<string, unknown>[] {
  const tables: unknown = report?.extended_stats;
  const data: unknown = Array.isArray(tables) ? tables.find((extended) => extended?.key === key)?.data : null;
  return Array.isArray(data) ? data.filter((row) => typeof row === "object" && row !== null) : [];
}

/** Of a column content_length a row may also have contentLength, as Locust's page takes it. */
function cellOf(row: Record<string, unknown>, key: string): number | string {
  const value = row[key] ?? row[key.replace(/_([a-z0-9])/g, (_, sign: string) => sign.toUpperCase())];
  return typeof value === "number" ? value : String(value ?? "");
}

export function ExtendedTab({ tables, report }: { tables: ExtendedTable[]; report: Statistics | null }) {
  return tables.map((table) => (
    <DataTable
      key={table.key}
      label={table.key}
      columns={table.structure.map((column) => ({
        key: column.key,
        title: column.title,
        value: (row: Record<string, unknown>) => cellOf(row, column.key),
      }))}
      rows={rowsOf(report, table.key)}
      rowKey={(row) => JSON.stringify(row)}
      empty="There is nothing yet."
    />
  ));
}

export function DownloadTab({ args, theme }: { args: PageArgs; theme: string }) {
  return (
    <ul>
      <li>
        <a href="./stats/requests/csv">Requests (CSV)</a>
      </li>
      {args.stats_history_enabled && (
        <li>
          <a href="./stats/requests_full_history/csv">Full request history (CSV)</a>
        </li>
      )}
      <li>
        <a href="./stats/failures/csv">Failures (CSV)</a>
      </li>
      <li>
        <a href="./exceptions/csv">Exceptions (CSV)</a>
      </li>
      <li>
        <a href="./stats/requests" download="statistics.json">
          Statistics (JSON)
        </a>
      </li>
      <li>
        <a href={`./stats/report?theme=${theme}`} target="_blank" rel="noreferrer">
          Report
        </a>{" "}
        (<a href={`./stats/report?download=1&theme=${theme}`}>as a file</a>)
      </li>
      {(args.extended_csv_files ?? []).map(({ href, title }) => (
        <li key={href}>
          <a href={safeAddress(href)}>{title}</a>
        </li>
      ))}
    </ul>
  );
}
