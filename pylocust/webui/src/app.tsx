import { Alert, Badge, Button, Modal, Tabs, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { post, usePoll } from "./api";
import { Charts, type Marker } from "./charts";
import { bytes, percent, short, whole } from "./format";
import { TestForm } from "./form";
import { Exceptions, Failures, Requests, TaskRatios } from "./sections";
import { fromHistory, withGap, withSample } from "./series";
import { type Column, DataTable } from "./table";
import type { Generator, PageArgs, Ratios, Statistics, UserException, WorkerNode } from "./types";

const WORKERS: Column<WorkerNode>[] = [
  { key: "id", title: "Worker", value: (row) => row.id },
  { key: "state", title: "State", value: (row) => row.state, show: (row) => <span className={row.state === "missing" ? "bad" : undefined}>{row.state}</span> },
  { key: "users", title: "# Users", value: (row) => row.user_count },
  { key: "cpu", title: "CPU", value: (row) => row.cpu_usage, show: (row) => `${short(row.cpu_usage)} %` },
  { key: "memory", title: "Memory", value: (row) => row.memory_usage, show: (row) => bytes(row.memory_usage) },
];

function Log({ lines }: { lines: string[] }) {
  if (lines.length === 0) {
    return <p className="empty">Nothing has been logged.</p>;
  }
  return (
    <pre className="log" tabIndex={0} role="log" aria-label="Log lines">
      {lines.map((line, place) => (
        // Lines only ever come at the end.
        <span key={`${place} ${line.slice(0, 40)}`} className={/\/(DEBUG|INFO|WARNING|ERROR|CRITICAL)\//.exec(line)?.[1]}>
          {`${line}\n`}
        </span>
      ))}
    </pre>
  );
}

function tabOfAddress(): string {
  return new URLSearchParams(window.location.search).get("tab") ?? "stats";
}

export function App({ args }: { args: PageArgs }) {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useComputedColorScheme("light") === "dark";
  const [state, setState] = useState(args.state);
  const [isNew, setNew] = useState(args.state === "ready");
  const [host, setHost] = useState(args.host);
  const [users, setUsers] = useState(args.num_users);
  const [rate, setRate] = useState(args.spawn_rate);
  const [tab, setTab] = useState(tabOfAddress);
  const [turn, setTurn] = useState(0);
  const [isEditing, edit] = useDisclosure(false);
  const [isStopping, setStopping] = useState(false);
  const [complaint, setComplaint] = useState("");
  const percentiles = args.percentiles_to_chart;
  const [series, setSeries] = useState(() => fromHistory(args.history, percentiles));
  const [markers, setMarkers] = useState<Marker[]>([]);
  const [seen, setSeen] = useState({ failures: 0, exceptions: 0 });
  const before = useRef(args.state);

  const isActive = state === "running" || state === "spawning";
  const onStatistics = useCallback(
    (report: Statistics) => {
      const now = Date.now() / 1000;
      const wasActive = before.current === "running" || before.current === "spawning";
      const isNowActive = report.state === "running" || report.state === "spawning";
      before.current = report.state;
      setState(report.state);
      if (isNowActive) {
        setNew(false);
        if (!wasActive) {
          setMarkers((old) => [...old, { time: now, text: "start" }]);
        }
        setSeries((old) => withSample(wasActive ? old : withGap(old, now - 0.001), now, report, percentiles));
      }
    },
    [percentiles],
  );
  const statistics = usePoll<Statistics>("stats/requests", isActive ? 2000 : 4000, true, turn, onStatistics);
  const ratios = usePoll<Ratios>("tasks", 5000, tab === "ratios", turn);
  const exceptions = usePoll<{ exceptions: UserException[] }>("exceptions", 5000, isActive || tab === "exceptions", turn);
  const logs = usePoll<{ master: string[]; workers: Record<string, string[]> }>("logs", 5000, tab === "logs", turn);
  const generator = usePoll<Generator>("stats/generator", 5000, isActive);

  const report = statistics.value;
  const entries = report?.stats ?? [];
  const failures = report?.errors ?? [];
  const raised = exceptions.value?.exceptions ?? [];
  const workerCount = report?.worker_count ?? args.worker_count;

  useEffect(() => {
    const place = new URL(window.location.href);
    place.searchParams.set("tab", tab);
    window.history.replaceState(null, "", place);
  }, [tab]);
  useEffect(() => {
    if (tab === "failures") {
      setSeen((old) => ({ ...old, failures: failures.length }));
    } else if (tab === "exceptions") {
      setSeen((old) => ({ ...old, exceptions: raised.length }));
    }
  }, [tab, failures.length, raised.length]);

  async function command(path: string) {
    setComplaint("");
    try {
      await post(path);
    } catch (error) {
      setComplaint(error instanceof Error ? error.message : String(error));
    }
    setTurn((old) => old + 1);
  }

  function onDone(newUsers: number | null, newRate: number | null, newHost: string) {
    if (isActive) {
      setMarkers((old) => [...old, { time: Date.now() / 1000, text: newUsers === null ? "edited" : `${newUsers} users` }]);
    }
    setUsers(newUsers);
    setRate(newRate);
    setHost(newHost);
    setNew(false);
    edit.close();
    setTurn((old) => old + 1);
  }

  const health = generator.value;
  const isBusy = isActive && health !== null && (health.cpu_usage > 90 || health.lag_ms > 100);
  const tabs = useMemo(
    () => [
      ["stats", "Statistics"],
      ["charts", "Charts"],
      ["failures", "Failures"],
      ["exceptions", "Exceptions"],
      ["ratios", "Current ratio"],
      ["download", "Download data"],
      ["logs", "Logs"],
      ...(args.is_distributed ? [["workers", "Workers"]] : []),
      ...(args.extended_tabs ?? []).map(({ key, title }) => [key, title]),
    ],
    [args],
  );
  const news: Record<string, number> = {
    failures: Math.max(0, failures.length - seen.failures),
    exceptions: Math.max(0, raised.length - seen.exceptions),
  };
  const theme = isDark ? "dark" : "light";

  const form = (isEdit: boolean) => <TestForm {...{ args, isEdit, users, rate, host }} workers={workerCount} onDone={onDone} />;

  return (
    <div className="page">
      <header className="top">
        <h1>cload</h1>
        <dl className="facts" aria-live="off">
          {host && (
            <div>
              <dt>Host</dt>
              <dd>{host}</dd>
            </div>
          )}
          <div>
            <dt>Status</dt>
            <dd id="state">{state === "stopped" ? "finished" : state}</dd>
          </div>
          {isActive && (
            <div>
              <dt>Users</dt>
              <dd>{whole(report?.user_count ?? 0)}</dd>
            </div>
          )}
          {args.is_distributed && (
            <div>
              <dt>Workers</dt>
              <dd>{workerCount}</dd>
            </div>
          )}
          <div>
            <dt>RPS</dt>
            <dd>{short(report?.current_rps ?? 0)}</dd>
          </div>
          <div>
            <dt>Failures</dt>
            <dd className={report && report.fail_ratio > 0 ? "bad" : undefined}>{percent(report?.fail_ratio ?? 0)}</dd>
          </div>
          {isActive && health && (
            <div>
              <dt>Generator</dt>
              <dd className={isBusy ? "bad" : undefined}>
                {whole(health.cpu_usage)} % CPU, lag {short(health.lag_ms)} ms
              </dd>
            </div>
          )}
        </dl>
        <div className="buttons">
          {isActive && (
            <>
              <Button variant="default" onClick={edit.open} disabled={Boolean(args.hide_common_options)}>
                Edit
              </Button>
              <Button
                color="red.9"
                loading={isStopping}
                onClick={async () => {
                  setStopping(true);
                  await command("stop");
                  setStopping(false);
                }}
              >
                Stop
              </Button>
            </>
          )}
          {!isActive && !isNew && <Button onClick={() => setNew(true)}>New test</Button>}
          {!isNew && (
            <Button variant="default" onClick={() => command("stats/reset")}>
              Reset
            </Button>
          )}
          <Button variant="default" onClick={() => setColorScheme(isDark ? "light" : "dark")}>
            {isDark ? "Light" : "Dark"}
          </Button>
        </div>
      </header>
      <div role="status">
        {statistics.isLost && (
          <Alert color="red" mt="sm" title="The connection is lost">
            What is shown is the last that was heard of; the page goes on trying.
          </Alert>
        )}
        {isBusy && (
          <Alert color="yellow" mt="sm" title="The generator is short of CPU time">
            Measured times may be longer than what the server took. Use more processes or machines.
          </Alert>
        )}
        {complaint && (
          <Alert color="red" mt="sm">
            {complaint}
          </Alert>
        )}
      </div>
      {isNew && !isActive ? (
        <main className="start">
          <h2>Start a test{args.locustfile && ` of ${args.locustfile}`}</h2>
          {form(false)}
        </main>
      ) : (
        <main>
          <Tabs value={tab} onChange={(value) => setTab(value ?? "stats")} keepMounted={false} mt="sm">
            <Tabs.List>
              {tabs.map(([key, title]) => (
                <Tabs.Tab
                  key={key}
                  value={key}
                  rightSection={
                    news[key] > 0 && (
                      <Badge size="xs" circle color="red" aria-label={`${news[key]} new`}>
                        {news[key]}
                      </Badge>
                    )
                  }
                >
                  {title}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <Tabs.Panel value="stats">
              {report ? (
                <Requests entries={entries} percentiles={args.percentiles_to_statistics} isCurrent memory="requests" />
              ) : (
                <p className="empty">Loading…</p>
              )}
            </Tabs.Panel>
            <Tabs.Panel value="charts">
              <Charts {...{ series, percentiles, markers, isDark }} />
            </Tabs.Panel>
            <Tabs.Panel value="failures">
              <Failures rows={failures} />
            </Tabs.Panel>
            <Tabs.Panel value="exceptions">
              <Exceptions rows={raised} />
            </Tabs.Panel>
            <Tabs.Panel value="ratios">{ratios.value ? <TaskRatios ratios={ratios.value} /> : <p className="empty">Loading…</p>}</Tabs.Panel>
            <Tabs.Panel value="download">
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
                    <a href={href}>{title}</a>
                  </li>
                ))}
              </ul>
            </Tabs.Panel>
            <Tabs.Panel value="logs">
              <Log lines={logs.value?.master ?? []} />
              {Object.entries(logs.value?.workers ?? {}).map(([worker, lines]) => (
                <section key={worker}>
                  <h3>{worker}</h3>
                  <Log lines={lines} />
                </section>
              ))}
            </Tabs.Panel>
            {args.is_distributed && (
              <Tabs.Panel value="workers">
                <DataTable label="Workers" columns={WORKERS} rows={report?.workers ?? []} rowKey={(row) => row.id} empty="No worker has connected." />
              </Tabs.Panel>
            )}
            {(args.extended_tabs ?? []).map(({ key }) => (
              <Tabs.Panel key={key} value={key}>
                {(args.extended_tables ?? [])
                  .filter((table) => table.key === key)
                  .map((table) => (
                    <DataTable
                      key={key}
                      label={key}
                      columns={table.structure.map((column) => ({
                        key: column.key,
                        title: column.title,
                        value: (row: Record<string, string | number>) => row[column.key] ?? "",
                      }))}
                      rows={report?.extended_stats?.find((extended) => extended.key === key)?.data ?? []}
                      rowKey={(row) => JSON.stringify(row)}
                      empty="There is nothing yet."
                    />
                  ))}
              </Tabs.Panel>
            ))}
          </Tabs>
        </main>
      )}
      <Modal opened={isEditing} onClose={edit.close} title="Edit the running test" closeButtonProps={{ "aria-label": "Close" }}>
        {form(true)}
      </Modal>
    </div>
  );
}
