import { StrictMode, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { percent, percentile, short, whole } from "./format";
import { Exceptions, Failures, Requests, TaskRatios } from "./sections";
import "./styles.css";
import { type Column, DataTable } from "./table";
import { TimeCharts } from "./timecharts";
import { ofHistory } from "./timeline";
import type { ReportArgs } from "./types";

const args = window.templateArgs as ReportArgs;
const extras = window.reportExtras ?? { options: {}, version: "" };

type Times = ReportArgs["response_time_statistics"][number];

function timeColumns(): Column<Times>[] {
  const parts = Object.keys(args.response_time_statistics[0] ?? {})
    .filter((key) => key !== "name" && key !== "method")
    .sort((one, other) => Number(one) - Number(other));
  return [
    { key: "method", title: "Type", value: (row) => row.method },
    { key: "name", title: "Name", value: (row) => row.name },
    ...parts.map((part) => ({
      key: part,
      title: `${percentile(Number(part))} (ms)`,
      value: (row: Times) => Number(row[part]),
      show: (row: Times) => whole(Number(row[part])),
    })),
  ];
}

function Report() {
  const [isDark, setDark] = useState(window.theme === "dark");
  useEffect(() => {
    document.documentElement.classList.toggle("dark", isDark);
  }, [isDark]);
  const timeline = useMemo(() => ofHistory(args.history, args.percentiles_to_chart), []);
  const columns = useMemo(timeColumns, []);
  const total = args.requests_statistics.at(-1);
  const times = args.response_time_statistics;
  const options = Object.entries(extras.options);
  const failed = total && total.num_requests > 0 ? total.num_failures / total.num_requests : 0;
  return (
    <main className="page report">
      <header className="top">
        <h1>Load test report{args.profile && ` – ${args.profile}`}</h1>
        <div className="buttons">
          {args.show_download_link && <a href={`?download=1&theme=${isDark ? "dark" : "light"}`}>Download this report</a>}
          <button type="button" className="plain" onClick={() => setDark(!isDark)}>
            {isDark ? "Light" : "Dark"}
          </button>
          <button type="button" className="plain" onClick={() => window.print()}>
            Print
          </button>
        </div>
      </header>
      <dl className="facts" style={{ marginTop: "1rem" }}>
        <div>
          <dt>Target</dt>
          <dd>{args.host}</dd>
        </div>
        <div>
          <dt>During</dt>
          <dd>
            {args.start_time} – {args.end_time} ({args.duration})
          </dd>
        </div>
        <div>
          <dt>Script</dt>
          <dd>{args.locustfile}</dd>
        </div>
      </dl>
      {total && (
        <dl className="tiles">
          <div>
            <dt>Requests</dt>
            <dd>{whole(total.num_requests)}</dd>
          </div>
          <div>
            <dt>Failed</dt>
            <dd className={failed > 0 ? "bad" : "good"}>{percent(failed)}</dd>
          </div>
          <div>
            <dt>Requests/s</dt>
            <dd>{short(total.total_rps)}</dd>
          </div>
          <div>
            <dt>Median</dt>
            <dd>{whole(total.median_response_time)} ms</dd>
          </div>
          <div>
            <dt>95 %</dt>
            <dd>{whole(Number(times.at(-1)?.["0.95"] ?? 0))} ms</dd>
          </div>
          <div>
            <dt>Slowest</dt>
            <dd>{whole(total.max_response_time)} ms</dd>
          </div>
        </dl>
      )}
      <h2>Charts</h2>
      <TimeCharts timeline={timeline} isDark={isDark} />
      <h2>Request statistics</h2>
      <Requests entries={args.requests_statistics} percentiles={[]} isCurrent={false} />
      <h2>Response time statistics</h2>
      <DataTable
        label="Response times"
        columns={columns}
        rows={times.slice(0, -1)}
        total={times.at(-1)}
        rowKey={(row) => `${row.method} ${row.name}`}
        empty="No request was made."
      />
      <h2>Failures</h2>
      <Failures rows={args.failures_statistics} />
      {args.exceptions_statistics.length > 0 && (
        <>
          <h2>Exceptions</h2>
          <Exceptions rows={args.exceptions_statistics} />
        </>
      )}
      <h2>Final ratio</h2>
      <TaskRatios ratios={args.tasks} />
      {options.length > 0 && (
        <>
          <h2>Options of the run</h2>
          <dl className="facts">
            {options.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
      <footer className="hint" style={{ marginTop: "2rem" }}>
        Made by cload; statistics as in Locust {extras.version}. Percentiles are approximated.
      </footer>
    </main>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <Report />
  </StrictMode>,
);
