import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { percent, short, whole } from "./format";
import type { Health, Statistics } from "./types";

function Fact({ name, children, isBad = false, id, hint }: { name: string; children: ReactNode; isBad?: boolean; id?: string; hint?: string }) {
  return (
    <div title={hint}>
      <dt>{name}</dt>
      <dd id={id} className={isBad ? "bad" : undefined}>
        {children}
      </dd>
    </div>
  );
}

const STATES: Record<string, string> = { stopped: "finished", spawning: "starting users", cleanup: "stopping" };

export function stateText(state: string): string {
  return STATES[state] ?? state;
}

interface Props {
  host: string;
  state: string;
  isActive: boolean;
  report: Statistics | null;
  health: Required<Health> | null;
  /** The seconds of the test in which the generator measured itself; empty if there were none. */
  badSeconds: string;
  badHint: string;
  /** null: not a master. */
  workers: number | null;
  isDark: boolean;
  onTheme: () => void;
  children: ReactNode;
}

/** What a test is doing now, and the buttons. */
export function Header({ host, state, isActive, report, health, badSeconds, badHint, workers, isDark, onTheme, children }: Props) {
  const lost = report?.workers?.filter((worker) => worker.state === "missing").length ?? 0;
  return (
    <header className="top">
      <h1>cload</h1>
      {/* Numbers come too often to be read aloud; this does not. */}
      <p className="unseen" role="status">
        {`Status: ${stateText(state)}`}
      </p>
      <dl className="facts">
        {host && <Fact name="Host">{host}</Fact>}
        <Fact name="Status" id="state">
          {stateText(state)}
        </Fact>
        {isActive && <Fact name="Users">{report ? whole(report.user_count) : "–"}</Fact>}
        {workers !== null && (
          <Fact name="Workers" isBad={lost > 0}>
            {workers}
            {lost > 0 && ` (${lost} lost)`}
          </Fact>
        )}
        <Fact name="RPS">{report?.current_rps === undefined ? "–" : short(report.current_rps)}</Fact>
        <Fact name="Failures" isBad={(report?.fail_ratio ?? 0) > 0}>
          {report ? percent(report.fail_ratio) : "–"}
        </Fact>
        {isActive && health && (
          <Fact name="Generator" isBad={health.is_lagging}>
            {whole(health.cpu_usage)} % CPU, lag {short(health.lag_ms)} ms
          </Fact>
        )}
        {badSeconds && (
          <Fact name="Generator lagged" isBad hint={badHint}>
            {badSeconds}
          </Fact>
        )}
      </dl>
      <div className="buttons">
        {children}
        <Button variant="default" onClick={onTheme} aria-label={isDark ? "Light colours" : "Dark colours"}>
          {isDark ? "Light" : "Dark"}
        </Button>
      </div>
    </header>
  );
}
