import { type ReactNode, StrictMode, useEffect, useMemo, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { load } from "./data";
import { Distribution, timeText } from "./distribution";
import { moment, percent, percentile, short, whole } from "./format";
import { rangesText, secondsText } from "./health";
import { Exceptions, Failures, Requests, TaskRatios } from "./sections";
import "./styles.css";
import { type Column, DataTable } from "./table";
import { TimeCharts } from "./timecharts";
import { absorb, EMPTY, ofHistory } from "./timeline";
import type { Entry, GeneratorTest, ReportArgs } from "./types";

const [args, extras] = load();
// Without samples of our own, the chart shows Locust's history.
const timeline = extras.timeline?.samples.length ? absorb(EMPTY, extras.timeline) : ofHistory(args.history, args.percentiles_to_chart);
const NONE: number[] = [];
// Times are shown in the time zone of the reader.
const ZONE = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(Date.parse(args.end_time)).find(({ type }) => type === "timeZoneName")?.value ?? "";

type Times = ReportArgs["response_time_statistics"][number];

function timeColumns(): Column<Times>[] {
  const parts = Object.keys(args.response_time_statistics[0] ?? {})
    .filter((key) => key !== "name" && key !== "method")
    .sort((one, other) => Number(one) - Number(other));
  return [
    { key: "method", title: "Type", value: (row) => row.method },
    { key: "name", title: "Name", value: (row) => row.name, isWide: true },
    ...parts.map((part) => ({
      key: part,
      title: `${percentile(Number(part))} (ms)`,
      value: (row: Times) => Number(row[part]),
      show: (row: Times) => whole(Number(row[part])),
    })),
  ];
}

/** From the moment before the page is printed until it is shown again, colours are those of paper. */
function usePaper(): boolean {
  const [isPrinting, setPrinting] = useState(false);
  useEffect(() => {
    const begin = () => {
      // Paper cannot be opened.
      for (const details of document.querySelectorAll<HTMLDetailsElement>(".exceptions details, details.message")) {
        details.open = true;
      }
      flushSync(() => setPrinting(true));
    };
    const end = () => setPrinting(false);
    addEventListener("beforeprint", begin);
    addEventListener("afterprint", end);
    return () => {
      removeEventListener("beforeprint", begin);
      removeEventListener("afterprint", end);
    };
  }, []);
  return isPrinting;
}

const TIME_COLUMNS = timeColumns();
const TIME_ROWS = args.response_time_statistics.slice(0, -1);
const timesKey = (row: Times) => `${row.method} ${row.name}`;

function Tile({ title, value, note, quality }: { title: string; value: string; note?: string; quality?: string }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd className={quality}>{value}</dd>
      {note && <dd className="note">{note}</dd>}
    </div>
  );
}

function Tiles({ total }: { total: Entry }) {
  const all = extras.bands[0]?.name === total.name ? extras.bands[0].times : undefined;
  const rounded = args.response_time_statistics.at(-1) ?? {};
  // Exact where the run was measured here; as Locust rounds them where it was not.
  const time = (part: string) => timeText(all?.[part] ?? Number((rounded as Record<string, unknown>)[part] ?? 0));
  const peak = Math.max(0, ...timeline.samples.map((sample) => sample.users));
  const busiest = Math.max(0, ...timeline.samples.map((sample) => sample.rps));
  const isGood = total.num_failures === 0;
  const names = args.requests_statistics.length - 1 + (extras.left_out?.requests_statistics ?? 0);
  return (
    <dl className="tiles">
      <Tile title="Requests" value={whole(total.num_requests)} note={`${whole(names)} ${names === 1 ? "name" : "names"}`} />
      <Tile
        title="Failed"
        value={percent(total.num_requests > 0 ? total.num_failures / total.num_requests : 0)}
        note={`${whole(total.num_failures)} requests`}
        quality={isGood ? "good" : "bad"}
      />
      <Tile title="Requests/s" value={short(total.total_rps)} note={busiest > 0 ? `at most ${short(busiest)}` : undefined} />
      <Tile title="Users" value={whole(peak)} note="at most" />
      <Tile title="Median time" value={time("0.5")} note={`average ${timeText(total.avg_response_time)}`} />
      <Tile title="95 % within" value={time("0.95")} />
      <Tile title="99 % within" value={time("0.99")} note={`slowest ${timeText(total.max_response_time)}`} />
    </dl>
  );
}

// Our samples are two seconds apart, Locust's five. If there are many and they are further apart, they were merged.
const MANY = 250;
const LONGEST_SPAN_S = 12;

function Merged() {
  const span = Math.max(0, ...timeline.samples.map((sample) => sample.span));
  return timeline.samples.length > MANY && span > LONGEST_SPAN_S ? (
    <p className="notice">
      To keep this report small, neighbouring samples were merged: a point of these charts stands for up to {Math.round(span)} seconds. Its rates are means, its response times the worst.
    </p>
  ) : null;
}

function LeftOut({ table, order }: { table: keyof NonNullable<typeof extras.left_out>; order: string }) {
  const count = extras.left_out?.[table];
  return count ? (
    <p className="notice">
      {whole(count)} more rows are not in this report, to keep it small: these are the {order}. The CSV files have all.
    </p>
  ) : null;
}

// As in locust.stats.PHASES.
const PHASES = ["DNS", "Connect", "TLS", "Own queue", "First byte", "Transfer"];

/** Numbers that stand beside the entries of the request table. */
interface Beside<Value> {
  name: string;
  method: string;
  values: Value[];
}

function beside<Value>(values: Value[][]): Beside<Value>[] {
  return values.map((own, place) => ({ name: args.requests_statistics[place].name, method: args.requests_statistics[place].method, values: own }));
}

function BesideTable<Value>({ label, rows, columns }: { label: string; rows: Beside<Value>[]; columns: Column<Beside<Value>>[] }) {
  const [first, second]: Column<Beside<Value>>[] = [
    { key: "method", title: "Type", value: (row) => row.method },
    { key: "name", title: "Name", value: (row) => row.name, isWide: true },
  ];
  const all = useMemo(() => [first, second, ...columns], []);
  const shown = useMemo(() => rows.slice(0, -1), []);
  const key = (row: Beside<Value>) => `${row.method} ${row.name}`;
  return <DataTable label={label} columns={all} rows={shown} total={rows.at(-1)} rowKey={key} empty="No request was made." />;
}

const PHASE_ROWS = beside(extras.phases);
// Only phases that happened.
const PHASE_COLUMNS = PHASES.map((title, place): Column<Beside<[number, number, number] | null>> => ({
  key: title,
  title: `${title} (ms)`,
  value: ({ values }) => values[place]?.[1] ?? -1,
  show: ({ values }) => {
    const phase = values[place];
    return phase ? (
      <span title={`${whole(phase[0])} times, at most ${timeText(phase[2])}`}>
        {short(phase[1])} <small>≤ {short(phase[2])}</small>
      </span>
    ) : (
      "–"
    );
  },
})).filter((_, place) => extras.phases.at(-1)?.[place]);

const EXACT_ROWS = beside(extras.exact_times);
const EXACT_COLUMNS = extras.percentiles.map((part, place): Column<Beside<number>> => ({
  key: String(part),
  title: `${percentile(part)} (ms)`,
  value: ({ values }) => values[place],
  show: ({ values }) => values[place].toLocaleString("en", { maximumFractionDigits: 3 }),
}));

type Worker = [string, { test: GeneratorTest }];

const WORKERS: Column<Worker>[] = [
  { key: "id", title: "Worker", value: ([id]) => id, isWide: true },
  {
    key: "bad",
    title: "Seconds in which it measured itself",
    value: ([, { test }]) => test.lagging_seconds,
    show: ([, { test }]) => <span className={test.lagging_seconds > 0 ? "bad" : undefined}>{`${whole(test.lagging_seconds)} of ${whole(test.seconds)}`}</span>,
  },
  { key: "why", title: "Why", value: ([, { test }]) => secondsText(test) || "–" },
  { key: "when", title: "When", value: ([, { test }]) => rangesText(test, 5) || "–" },
  { key: "cpu", title: "CPU, at most", value: ([, { test }]) => test.cpu_max, show: ([, { test }]) => `${short(test.cpu_max)} %` },
  { key: "starved", title: "Waiting for a core, at most", value: ([, { test }]) => test.starved_max, show: ([, { test }]) => `${short(test.starved_max)} %` },
  { key: "lag", title: "Lag, at most", value: ([, { test }]) => test.lag_max_ms, show: ([, { test }]) => timeText(test.lag_max_ms) },
];

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Generator({ own }: { own: NonNullable<typeof extras.generator> }) {
  const facts: [string, string][] = [
    ["Seconds in which it measured itself", `${whole(own.lagging_seconds)} of ${whole(own.seconds)}`],
    ["CPU of a core", `${short(own.cpu_average)} %, at most ${short(own.cpu_max)} %`],
    ["Waiting for a core", `${short(own.starved_average)} %, at most ${short(own.starved_max)} %`],
    ["Lag", `${timeText(own.lag_average_ms)}, at most ${timeText(own.lag_max_ms)}`],
  ];
  if (own.lagging_seconds > 0) {
    facts.push(["Why", secondsText(own)], ["When", `${rangesText(own)} ${ZONE}`]);
  }
  if (own.left_out_requests > 0) {
    facts.push(["Left out of the statistics", `${whole(own.left_out_requests)} requests, ${whole(own.left_out_failures)} failures`]);
  }
  const workers = Object.entries(own.workers);
  return (
    <>
      <Facts facts={facts} />
      {workers.length > 0 && (
        <DataTable label="Generators" columns={WORKERS} rows={workers} rowKey={([id]) => id} empty="" sortedBy={{ key: "bad", isDescending: true }} />
      )}
      {own.lagging_seconds > 0 && own.left_out_requests === 0 && (
        <p className="hint">With --exclude-lagging what is measured in such seconds is left out of the statistics. More processes or machines prevent them.</p>
      )}
    </>
  );
}

interface Part {
  id: string;
  title: string;
  content: ReactNode;
}

function partsOf(isDark: boolean): Part[] {
  const times = args.response_time_statistics;
  const options = Object.entries(extras.options);
  const parts: (Part | false)[] = [
    {
      id: "charts",
      title: "Charts",
      content: (
        <>
          {timeline.samples.length > 0 ? <TimeCharts timeline={timeline} isDark={isDark} /> : <p className="empty">The test was too short for charts.</p>}
          <Merged />
        </>
      ),
    },
    extras.bands.length > 0 && { id: "distribution", title: "Distribution of response times", content: <Distribution all={extras.bands} /> },
    {
      id: "requests",
      title: "Request statistics",
      content: (
        <>
          <LeftOut table="requests_statistics" order="most requested names" />
          <Requests entries={args.requests_statistics} percentiles={NONE} isCurrent={false} />
        </>
      ),
    },
    {
      id: "times",
      title: "Response time statistics",
      content: (
        <DataTable
          label="Response times"
          columns={TIME_COLUMNS}
          rows={TIME_ROWS}
          total={times.at(-1)}
          rowKey={timesKey}
          empty="No request was made."
        />
      ),
    },
    EXACT_COLUMNS.length > 0 && {
      id: "exact",
      title: "Exact response times",
      content: <BesideTable label="Exact response times" rows={EXACT_ROWS} columns={EXACT_COLUMNS} />,
    },
    PHASE_COLUMNS.length > 0 && {
      id: "phases",
      title: "Phases of requests",
      content: (
        <>
          <p className="hint">What the time went to: on average, and at most. The own queue is what the generator itself needed before a request was sent; all others add up to the
            response time.</p>
          <BesideTable label="Phases" rows={PHASE_ROWS} columns={PHASE_COLUMNS} />
        </>
      ),
    },
    {
      id: "failures",
      title: "Failures statistics",
      content: (
        <>
          <LeftOut table="failures_statistics" order="most frequent failures" />
          <Failures rows={args.failures_statistics} />
        </>
      ),
    },
    args.exceptions_statistics.length > 0 && {
      id: "exceptions",
      title: "Exceptions statistics",
      content: (
        <>
          <LeftOut table="exceptions_statistics" order="most frequent exceptions" />
          <Exceptions rows={args.exceptions_statistics} />
        </>
      ),
    },
    { id: "ratio", title: "Final ratio", content: <TaskRatios ratios={args.tasks} /> },
    extras.generator !== null && extras.generator.seconds > 0 && {
      id: "generator",
      title: "The generator itself",
      content: <Generator own={extras.generator} />,
    },
    options.length > 0 && {
      id: "options",
      title: "Options of the run",
      content: <Facts facts={options} />,
    },
  ];
  return parts.filter((part): part is Part => part !== false);
}

function Report() {
  const [isChosenDark, setDark] = useState(window.theme === "dark");
  const isDark = isChosenDark && !usePaper();
  useEffect(() => {
    document.documentElement.classList.toggle("dark", isDark);
  }, [isDark]);
  const total = args.requests_statistics.at(-1);
  const parts = partsOf(isDark);
  const trouble = extras.generator?.lagging_seconds ?? 0;
  return (
    <main className="page report">
      <header className="top">
        <h1>Load test report{args.profile && ` – ${args.profile}`}</h1>
        <div className="buttons">
          {args.show_download_link && <a href={`?download=1&theme=${isDark ? "dark" : "light"}`}>Download this report</a>}
          <button type="button" className="plain" onClick={() => setDark(!isChosenDark)}>
            {isDark ? "Light" : "Dark"}
          </button>
          <button type="button" className="plain" onClick={() => window.print()}>
            Print
          </button>
        </div>
      </header>
      <dl className="facts head">
        <div>
          <dt>Target</dt>
          {/* Locust writes "None" where there is no host. */}
          <dd>{args.host === "None" ? "that of each user class" : args.host}</dd>
        </div>
        <div>
          <dt>During</dt>
          <dd>
            {moment(Date.parse(args.start_time) / 1000)} – {moment(Date.parse(args.end_time) / 1000)} {ZONE} ({args.duration})
          </dd>
        </div>
        <div>
          <dt>Script</dt>
          <dd>{args.locustfile}</dd>
        </div>
      </dl>
      {total && <Tiles total={total} />}
      {trouble > 0 && (
        <p className="notice">
          For {whole(trouble)} {trouble === 1 ? "second" : "seconds"} of the test the generator itself was too busy, so that rates may be what it could send
          and not what the target could take. The charts show when.
        </p>
      )}
      <nav className="contents" aria-label="Contents">
        {parts.map(({ id, title }) => (
          <a key={id} href={`#${id}`}>
            {title}
          </a>
        ))}
      </nav>
      {parts.map(({ id, title, content }) => (
        <section key={id} id={id} aria-labelledby={`${id}-title`}>
          <h2 id={`${id}-title`}>{title}</h2>
          {content}
        </section>
      ))}
      <footer className="hint">
        Made by cload {extras.made_by}; statistics as in Locust {extras.version}: the times in tables are rounded to two digits, those in the summary are not.
      </footer>
    </main>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <Report />
  </StrictMode>,
);
