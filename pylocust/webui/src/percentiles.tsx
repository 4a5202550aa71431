// Which percentiles the table of requests has, beside those that the script asks for.
import { percentile } from "./format";

const OFFERED = [0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999];

interface Props {
  configured: number[];
  chosen: ReadonlySet<string>;
  onToggle: (part: string) => void;
}

export function PercentileChoices({ configured, chosen, onToggle }: Props) {
  return (
    <fieldset>
      <legend>More percentiles</legend>
      {OFFERED.filter((part) => !configured.includes(part)).map((part) => (
        <label key={part}>
          <input type="checkbox" checked={chosen.has(String(part))} onChange={() => onToggle(String(part))} />
          {percentile(part)}
        </label>
      ))}
    </fieldset>
  );
}

/** Those of the script and those chosen, ascending. */
export function allPercentiles(configured: number[], chosen: ReadonlySet<string>): number[] {
  const offered = OFFERED.filter((part) => chosen.has(String(part)));
  return [...new Set([...configured, ...offered])].sort((one, other) => one - other);
}
