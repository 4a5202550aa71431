// How the generator copes, all its processes together.
import type { Generator, Health } from "./types";

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
