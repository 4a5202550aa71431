// How the generator copes, all its processes together.
import { clock, whole } from "./format";
import type { Generator, GeneratorTest, Health } from "./types";

const WORDS: Record<string, string> = {
  delay: "its event loop was late",
  busy: "it used a whole core",
  starved: "it had to wait for a core",
};

/** The worst of this process, or of the workers where there are some. */
export function worstOf(generator: Generator): Required<Health> {
  const workers = Object.values(generator.workers ?? {});
  const nodes: Partial<Health>[] = workers.length > 0 ? workers : [generator];
  return {
    cpu_usage: Math.max(...nodes.map((node) => node.cpu_usage ?? 0)),
    lag_ms: Math.max(...nodes.map((node) => node.lag_ms ?? 0)),
    is_lagging: nodes.some((node) => node.is_lagging),
    reasons: [...new Set(nodes.flatMap((node) => node.reasons ?? []))],
  };
}

export function reasonsText(reasons: string[]): string {
  return reasons.map((reason) => WORDS[reason] ?? reason).join(", ");
}

/** The reasons why seconds of a test lagged, each with its number of seconds; a second may have several. */
export function secondsText(test: GeneratorTest): string {
  const counts = { delay: test.delay_seconds, busy: test.busy_seconds, starved: test.starved_seconds };
  return Object.entries(counts)
    .filter(([, seconds]) => seconds > 0)
    .map(([reason, seconds]) => `${WORDS[reason]} (${whole(seconds)} s)`)
    .join(", ");
}

/** The last of the ranges of lagging seconds. */
export function rangesText(test: GeneratorTest, most = 20): string {
  const shown = test.lagging.slice(-most).map(([first, last]) => (first === last ? clock(first) : `${clock(first)} – ${clock(last)}`));
  return (test.lagging.length > most ? "… " : "") + shown.join(", ");
}
