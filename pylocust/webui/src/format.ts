// Numbers and moments as people read them.

export function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** At most two decimals, fewer the larger the number is. */
export function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${short(value)} ${units[unit]}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.001 ? 3 : 1)} %`;
}

/** The label of a percentile: 0.95 is "95%". */
export function percentile(part: number): string {
  return `${+(100 * part).toFixed(6)}%`;
}

export function moment(seconds: number | null): string {
  return seconds === null ? "" : new Date(1000 * seconds).toLocaleString();
}
