import { Alert, Badge, Button, CloseButton, Modal, Tabs, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { post, usePoll } from "./api";
import { type Sent, TestForm } from "./form";
import { few } from "./format";
import { Header, stateText } from "./header";
import { reasonsText, secondsText, worstOf } from "./health";
import { Exceptions, Failures, TaskRatios } from "./sections";
import { ChartsTab, DownloadTab, ExtendedTab, LogsTab, StatisticsTab, WorkersTab } from "./tabs";
import { EMPTY } from "./timeline";
import type { Generator, PageArgs, Ratios, Statistics, UserException } from "./types";
import { Waiting } from "./waiting";

const ACTIVE = ["spawning", "running"];
const ENDING = ["stopping", "cleanup"];

/** Addresses with ?tab=… are those of Locust. */
function tabsOf(args: PageArgs): [string, string][] {
  return [
    ["stats", "Statistics"],
    ["charts", "Charts"],
    ["failures", "Failures"],
    ["exceptions", "Exceptions"],
    ["ratios", "Current ratio"],
    ["reports", "Download data"],
    ["logViewer", "Logs"],
    ...(args.is_distributed ? [["workers", "Workers"] as [string, string]] : []),
    ...(args.extended_tabs ?? []).map(({ key, title }): [string, string] => [key, title]),
  ];
}

export function App({ args }: { args: PageArgs }) {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useComputedColorScheme("light") === "dark";
  const tabs = useMemo(() => tabsOf(args), [args]);
  const [state, setState] = useState(args.state);
  const [isNew, setNew] = useState(args.state === "ready");
  const [test, setTest] = useState({ host: args.host, users: args.num_users, rate: args.spawn_rate });
  const [tab, setTab] = useState(() => {
    const wanted = new URLSearchParams(window.location.search).get("tab");
    return tabs.some(([key]) => key === wanted) ? (wanted as string) : "stats";
  });
  const [turn, setTurn] = useState(0);
  const [isEditing, edit] = useDisclosure(false);
  const [isStopping, setStopping] = useState(false);
  const [complaint, setComplaint] = useState("");
  const [seen, setSeen] = useState({ failures: 0, exceptions: 0 });
  const timeline = useRef(EMPTY);
  // So that changing a test, or a new one, does not take its options back to where they began.
  const sent = useRef<Partial<Sent>>({});

  const server = useRef<string | undefined>(undefined);

  const isActive = ACTIVE.includes(state);
  // A test that is started now would be stopped with the old one.
  const isEnding = ENDING.includes(state);
  const onStatistics = useCallback((report: Statistics) => {
    if (server.current !== undefined && report.server !== undefined && report.server !== server.current) {
      // Started anew, perhaps with other options and another script: what the page knows is of the old one.
      window.location.reload();
    }
    server.current = report.server;
    setState(report.state);
    if (ACTIVE.includes(report.state)) {
      setNew(false);
    }
  }, []);
  const onGenerator = useCallback(({ test: { host, num_users, spawn_rate } }: Generator) => {
    // Another window, or a script, may have changed the test.
    setTest((old) => (old.host === host && old.users === num_users && old.rate === spawn_rate ? old : { host: host || old.host, users: num_users, rate: spawn_rate }));
  }, []);
  const everyMs = isActive || isEnding ? 2000 : 4000;
  // The texts of failures may be megabytes: they are asked for when somebody reads them.
  const statistics = usePoll<Statistics>(`stats/requests?rows=0&errors=${Number(tab === "failures")}`, { everyMs, turn, isUnseen: true, onValue: onStatistics });
  const ratios = usePoll<Ratios>("tasks", { everyMs: 5000, isOn: tab === "ratios", turn });
  const exceptions = usePoll<{ exceptions: UserException[] }>("exceptions", { everyMs: 5000, isOn: tab === "exceptions", turn });
  const generator = usePoll<Generator>("stats/generator", { everyMs: 3000, isOn: state !== "ready" || args.is_distributed, turn, onValue: onGenerator });

  const report = statistics.value;
  const failureCount = report?.error_count ?? 0;
  const exceptionCount = report?.exception_count ?? 0;
  const workerCount = report?.worker_count ?? args.worker_count;

  useEffect(() => {
    const place = new URL(window.location.href);
    place.searchParams.set("tab", tab);
    window.history.replaceState(null, "", place);
    // On a narrow page not all of them are in sight.
    document.querySelector('[role="tab"][aria-selected="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [tab]);
  useEffect(() => {
    // After a new start there are fewer, and those are news again.
    setSeen((old) => ({
      failures: tab === "failures" ? failureCount : Math.min(old.failures, failureCount),
      exceptions: tab === "exceptions" ? exceptionCount : Math.min(old.exceptions, exceptionCount),
    }));
  }, [tab, failureCount, exceptionCount]);
  useEffect(() => {
    document.title = [state !== "ready" && stateText(state), args.locustfile, "cload"].filter(Boolean).join(" · ");
  }, [state, args.locustfile]);

  async function command(path: string) {
    setComplaint("");
    try {
      await post(path);
    } catch (error) {
      setComplaint(error instanceof Error ? error.message : String(error));
    }
    setTurn((old) => old + 1);
  }

  async function stop() {
    setStopping(true);
    await command("stop");
    setStopping(false);
  }

  function onDone(users: number | null, rate: number | null, host: string) {
    setTest({ host, users: users ?? test.users, rate: rate ?? test.rate });
    setNew(false);
    edit.close();
    setTurn((old) => old + 1);
    // The answer comes before the test has begun.
    setTimeout(() => setTurn((old) => old + 1), 700);
  }

  const health = useMemo(() => generator.value && worstOf(generator.value), [generator.value]);
  const laggards = Object.entries(generator.value?.workers ?? {}).flatMap(([id, worker]) => (worker.is_lagging ? [id] : []));
  const isBusy = isActive && health?.is_lagging;
  const whole = generator.value?.whole_test;
  const badHint = whole
    ? `The generator itself was short: ${secondsText(whole)}. The charts show when. ${
        whole.left_out_requests > 0
          ? `${whole.left_out_requests} requests of these seconds are left out of the statistics.`
          : "With --exclude-lagging what was measured then is left out of the statistics."
      }`
    : "";
  const badSeconds = !isNew && whole && whole.lagging_seconds > 0 ? `${whole.lagging_seconds} of ${whole.seconds} s` : "";
  const lost = report?.workers?.filter((worker) => worker.state === "missing").map((worker) => worker.id) ?? [];
  const news: Record<string, number> = {
    failures: Math.max(0, failureCount - seen.failures),
    exceptions: Math.max(0, exceptionCount - seen.exceptions),
  };
  // The class picker may have chosen a shape since the page was made.
  const running = generator.value?.test;
  const isFixed = running ? Boolean(running.shape) && !running.shape_uses_options : Boolean(args.hide_common_options);
  const form = (isEdit: boolean) => <TestForm {...{ args, isEdit, sent, onDone, running }} {...test} workers={workerCount} />;

  return (
    <div className="page">
      <Header
        {...{ state, isActive, report, health, badSeconds, badHint, isDark }}
        host={test.host}
        workers={args.is_distributed ? workerCount : null}
        onTheme={() => setColorScheme(isDark ? "light" : "dark")}
      >
        {isActive && (
          <Button variant="default" onClick={edit.open} disabled={isFixed} title={isFixed ? "A load shape decides how many users run" : undefined}>
            Edit
          </Button>
        )}
        {(isActive || isEnding) && (
          <Button color="red.9" loading={isStopping || isEnding} onClick={stop}>
            Stop
          </Button>
        )}
        {!isActive && !isEnding && !isNew && <Button onClick={() => setNew(true)}>New test</Button>}
        {!isNew && (
          <Button variant="default" onClick={() => command("stats/reset")}>
            Reset
          </Button>
        )}
      </Header>
      <div role="status">
        {statistics.isLost && (
          <Alert color="red" mt="sm" title="The connection is lost">
            What is shown is the last that was heard of; the page goes on trying.
          </Alert>
        )}
        {statistics.refusal && (
          <Alert color="red" mt="sm" title="The server answers with an error">
            <span className="message">{statistics.refusal}</span> – what is shown is the last that it told; the page goes on trying.
          </Alert>
        )}
        {lost.length > 0 && (
          <Alert color="red" mt="sm" title={lost.length === 1 ? "A worker is lost" : `${lost.length} workers are lost`}>
            <span className="message">{few(lost)}</span>: what it ran is missing until it comes back. With --enable-rebalancing the other workers take its users over.
          </Alert>
        )}
        {isActive && generator.value?.backlog?.is_slow && (
          <Alert color="yellow" mt="sm" title="The master cannot take its workers' reports as fast as they come">
            Numbers are up to {Math.round(generator.value.backlog.age)} s old, and current rates are of then. Nothing is lost: at the end the totals are complete. Fewer names, fewer workers or a faster core make
            it keep up.
          </Alert>
        )}
        {isBusy && (
          <Alert color="yellow" mt="sm" title="The generator is short of CPU time">
            Rates are what it can send, and times may be longer than what the server took{health.reasons.length > 0 && `: ${reasonsText(health.reasons)}`}
            {laggards.length > 0 && ` (${few(laggards)})`}. Use more processes or machines.
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
          <h2 className="unseen">{tabs.find(([key]) => key === tab)?.[1]}</h2>
          <Tabs value={tab} onChange={(value) => setTab(value ?? "stats")} keepMounted={false} mt="sm">
            <Tabs.List>
              {tabs.map(([key, title]) => (
                <Tabs.Tab
                  key={key}
                  value={key}
                  rightSection={
                    news[key] > 0 && (
                      <Badge size="xs" circle={news[key] < 10} px={news[key] < 10 ? undefined : 5} color="red.9" aria-label={`${news[key]} new`}>
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
              <StatisticsTab {...{ everyMs, turn }} configured={args.percentiles_to_statistics} />
            </Tabs.Panel>
            <Tabs.Panel value="charts">
              <ChartsTab {...{ everyMs, turn, isDark }} store={timeline} />
            </Tabs.Panel>
            <Tabs.Panel value="failures">
              {report && (report.errors.length > 0 || failureCount === 0) ? <Failures rows={report.errors} count={failureCount} /> : <Waiting refusal={statistics.refusal} />}
            </Tabs.Panel>
            <Tabs.Panel value="exceptions">{exceptions.value ? <Exceptions rows={exceptions.value.exceptions} /> : <Waiting refusal={exceptions.refusal} />}</Tabs.Panel>
            <Tabs.Panel value="ratios">{ratios.value ? <TaskRatios ratios={ratios.value} /> : <Waiting refusal={ratios.refusal} />}</Tabs.Panel>
            <Tabs.Panel value="reports">
              <DownloadTab args={args} theme={isDark ? "dark" : "light"} />
            </Tabs.Panel>
            <Tabs.Panel value="logViewer">
              <LogsTab turn={turn} />
            </Tabs.Panel>
            {args.is_distributed && (
              <Tabs.Panel value="workers">
                <WorkersTab report={report} generator={generator.value} />
              </Tabs.Panel>
            )}
            {(args.extended_tabs ?? []).map(({ key }) => (
              <Tabs.Panel key={key} value={key}>
                <ExtendedTab tables={(args.extended_tables ?? []).filter((table) => table.key === key)} report={report} />
              </Tabs.Panel>
            ))}
          </Tabs>
        </main>
      )}
      <footer className="hint about">
        {document.querySelector<HTMLMetaElement>('meta[name="generator"]')?.content}, for scripts of Locust {args.version}
      </footer>
      {/* The library's own header would be a second banner of the page. */}
      <Modal.Root opened={isEditing} onClose={edit.close}>
        <Modal.Overlay />
        <Modal.Content aria-label="Edit the running test">
          <Modal.Body>
            <div className="dialog-head">
              <h2>Edit the running test</h2>
              <CloseButton aria-label="Close" onClick={edit.close} />
            </div>
            {form(true)}
          </Modal.Body>
        </Modal.Content>
      </Modal.Root>
    </div>
  );
}
