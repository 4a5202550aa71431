// Numbers and moments as people read them.

// Made once: with thousands of cells it is the making that takes time.
const FORMATS = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));

export function whole(value: number): string {
  return FORMATS[0].format(value);
}

/** At most two decimals, fewer the larger the number is. */
export function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return FORMATS[digits].format(value);
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

/** A list as people say it; of many things the first. */
export function few(names: string[], most = 5): string {
  const rest = names.length - most;
  return rest > 0 ? `${names.slice(0, most).join(", ")} and ${rest} more` : names.join(", ");
}

/** The label of a percentile: 0.95 is "95%". */
export function percentile(part: number): string {
  return `${+(100 * part).toFixed(6)}%`;
}

export function moment(seconds: number | null): string {
  if (seconds === null) {
    return "";
  }
  const date = new Date(1000 * seconds);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A moment of the day, in the reader's time zone. */
export function clock(seconds: number): string {
  return new Date(1000 * seconds).toLocaleTimeString("en-GB");
}
