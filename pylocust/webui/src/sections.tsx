// Tables that the application and the report have in common.
import { type ReactNode, useMemo, useState } from "react";
import { PHASES } from "./entries";
import { moment, percent, percentile, short, whole } from "./format";
import { type Column, DataTable } from "./table";
import type { Entry, Failure, RatioNode, Ratios, UserException } from "./types";

const entryKey = (entry: { method: string; name: string }) => `${entry.method} ${entry.name}`.trim();

function number(key: string, title: string, value: (entry: Entry) => number, show = whole): Column<Entry> {
  return { key, title, value, show: (entry) => show(value(entry)) };
}

interface StatisticsProps {
  entries: Entry[];
  percentiles: number[];
  isCurrent: boolean;
  memory?: string;
  isLong?: boolean;
  choices?: ReactNode;
}

const PHASE_TITLES: Record<string, string> = { dns: "DNS", connect: "Connect", tls: "TLS", queue: "Own queue", first_byte: "First byte", transfer: "Transfer" };

const PHASE_HINTS: Record<string, string> = {
  dns: "Looking the name up",
  connect: "Connecting, without TLS",
  tls: "The handshake of TLS",
  queue: "What the generator itself needed before the request was sent; no part of the response time",
  first_byte: "From sending the request to the first byte of the answer",
  transfer: "From the first byte of the answer to the last",
};

/** What a request consists of; hidden until somebody wants to know. */
function phaseColumns(entries: Entry[]): Column<Entry>[] {
  const total = entries.at(-1)?.phases ?? {};
  return PHASES.filter((phase) => total[phase]).map((phase) => ({
    key: `phase ${phase}`,
    title: `${PHASE_TITLES[phase]} (ms)`,
    hint: `${PHASE_HINTS[phase]}: the average of the requests that did it`,
    value: (entry) => entry.phases[phase]?.average ?? -1,
    show: (entry) => {
      const times = entry.phases[phase];
      return times ? <span title={`at most ${short(times.max)} ms`}>{short(times.average)}</span> : "–";
    },
    isHidden: true,
  }));
}

/** Requests by name; the last entry is the sum of all. */
export function Requests({ entries, percentiles, isCurrent, memory, isLong, choices }: StatisticsProps) {
  const phases = Object.keys(entries.at(-1)?.phases ?? {}).join();
  const columns = useMemo((): Column<Entry>[] => {
    const total = [
      number("total_rps", isCurrent ? "Total RPS" : "RPS", (entry) => entry.total_rps, short),
      number("total_fail", isCurrent ? "Total failures/s" : "Failures/s", (entry) => entry.total_fail_per_sec, short),
    ].map((column) => ({ ...column, isHidden: isCurrent }));
    const current = [
      number("rps", "Current RPS", (entry) => entry.current_rps, short),
      number("fail", "Current failures/s", (entry) => entry.current_fail_per_sec, short),
    ];
    return [
      { key: "method", title: "Type", value: (entry) => entry.method },
      { key: "name", title: "Name", value: (entry) => entry.name, isWide: true },
      number("requests", "# Requests", (entry) => entry.num_requests),
      {
        key: "fails",
        title: "# Fails",
        value: (entry) => entry.num_failures,
        show: (entry) => (
          <span className={entry.num_failures > 0 ? "bad" : undefined}>
            {whole(entry.num_failures)}
            {entry.num_failures > 0 && ` (${percent(entry.num_failures / Math.max(1, entry.num_requests))})`}
          </span>
        ),
      },
      number("median", "Median (ms)", (entry) => entry.median_response_time),
      ...percentiles.map((part) =>
        number(`p${part}`, `${percentile(part)} (ms)`, (entry) => entry[`response_time_percentile_${part}`] ?? 0),
      ),
      number("average", "Average (ms)", (entry) => entry.avg_response_time, short),
      number("min", "Min (ms)", (entry) => entry.min_response_time),
      number("max", "Max (ms)", (entry) => entry.max_response_time),
      number("size", "Average size (bytes)", (entry) => entry.avg_content_length),
      ...(isCurrent ? current : []),
      ...total,
      ...phaseColumns(entries),
    ];
  }, [percentiles, isCurrent, phases]);
  const rows = useMemo(() => entries.slice(0, -1), [entries]);
  return (
    <DataTable
      {...{ columns, rows, memory, isLong, choices }}
      label="Requests"
      total={entries.at(-1)}
      rowKey={entryKey}
      empty="No request has been made yet."
    />
  );
}

const LONG_TEXT = 400;

/** A text of any length; of a long one the beginning, until the reader wants all of it. */
function Message({ text }: { text: string }) {
  return text.length <= LONG_TEXT ? (
    <span className="message">{text}</span>
  ) : (
    <details className="message">
      <summary>{`${text.slice(0, LONG_TEXT * 0.75)}… (${whole(text.length)} characters)`}</summary>
      {text}
    </details>
  );
}

const FAILURES: Column<Failure>[] = [
  { key: "occurrences", title: "# Failures", value: (row) => row.occurrences, show: (row) => whole(row.occurrences) },
  { key: "method", title: "Method", value: (row) => row.method },
  { key: "name", title: "Name", value: (row) => row.name, isWide: true },
  { key: "error", title: "Message", value: (row) => row.error, isWide: true, show: (row) => <Message text={row.error} /> },
  { key: "first", title: "First seen", value: (row) => row.first_seen ?? 0, show: (row) => moment(row.first_seen) },
  { key: "last", title: "Last seen", value: (row) => row.last_seen ?? 0, show: (row) => moment(row.last_seen) },
];
const failureKey = (row: Failure) => `${row.method} ${row.name} ${row.error}`;

/** `count`: how many kinds there are, if these are not all. */
export function Failures({ rows, count = rows.length }: { rows: Failure[]; count?: number }) {
  return (
    <>
      {count > rows.length && (
        <p className="notice">
          These are the first {whole(rows.length)} of {whole(count)} kinds of failures. The CSV file has all.
        </p>
      )}
      <DataTable
        label="Failures"
        columns={FAILURES}
        rows={rows}
        rowKey={failureKey}
        empty="No request has failed."
        sortedBy={{ key: "occurrences", isDescending: true }}
      />
    </>
  );
}

// From so many on they are more than one looks through.
const MANY_EXCEPTIONS = 10;

function byCount(one: UserException, other: UserException): number {
  return other.count - one.count;
}

export function Exceptions({ rows }: { rows: UserException[] }) {
  const [filter, setFilter] = useState("");
  if (rows.length === 0) {
    return <p className="empty">No exception was raised.</p>;
  }
  const wanted = filter.trim().toLowerCase();
  const shown = rows.filter((row) => !wanted || `${row.msg}\n${row.nodes}\n${row.traceback}`.toLowerCase().includes(wanted)).sort(byCount);
  return (
    <>
      {rows.length >= MANY_EXCEPTIONS && (
        <div className="tools">
          <input type="search" placeholder="Filter" aria-label="Filter Exceptions" value={filter} onChange={(event) => setFilter(event.currentTarget.value)} />
          <span className="count" role="status">
            {wanted ? `${shown.length} of ${rows.length} exceptions` : `${rows.length} exceptions`}
          </span>
        </div>
      )}
      <ExceptionList rows={shown} />
    </>
  );
}

function ExceptionList({ rows }: { rows: UserException[] }) {
  return (
    <ul className="exceptions">
      {rows.map((row) => (
        <li key={row.traceback}>
          <details>
            <summary>
              <b>{whole(row.count)}×</b> <span className="message">{row.msg}</span> <small>{row.nodes}</small>
            </summary>
            {/* Scrolled with the keyboard, too. */}
            <pre tabIndex={0} role="region" aria-label={`Traceback of ${row.msg.slice(0, 80)}`}>
              {row.traceback}
            </pre>
          </details>
        </li>
      ))}
    </ul>
  );
}

function Level({ nodes }: { nodes: Record<string, RatioNode> }) {
  return (
    <ul className="ratios">
      {Object.entries(nodes).map(([name, node]) => (
        <li key={name}>
          <span className="bar" style={{ "--share": `${100 * node.ratio}%` } as React.CSSProperties}>
            <b>{(100 * node.ratio).toFixed(1)} %</b> {name}
          </span>
          {node.tasks && <Level nodes={node.tasks} />}
        </li>
      ))}
    </ul>
  );
}

export function TaskRatios({ ratios }: { ratios: Ratios }) {
  if (Object.keys(ratios.per_class).length === 0) {
    return <p className="empty">There are no tasks.</p>;
  }
  return (
    <div className="halves">
      <section>
        <h3>Within each class</h3>
        <Level nodes={ratios.per_class} />
      </section>
      <section>
        <h3>Of everything</h3>
        <Level nodes={ratios.total} />
      </section>
    </div>
  );
}
