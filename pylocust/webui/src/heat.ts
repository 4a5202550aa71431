// Bands of response times, as the server counts them: the first is below 16 µs, above that each power of two is cut
// into four equal parts (lib/stats/histogram.h).
import { clock } from "./format";
import type { Range, Sample } from "./timeline";

const LOWEST_US = 16;

/** Where a band begins, in ms. The first one begins at a value that a logarithmic axis can show. */
export function bandStartMs(band: number): number {
  if (band === 0) {
    return LOWEST_US / 2 / 1000;
  }
  const octave = Math.floor((band - 1) / 4);
  return (LOWEST_US * 2 ** octave * (1 + ((band - 1) % 4) / 4)) / 1000;
}

export interface Cell {
  from: number;
  to: number;
  lowMs: number;
  highMs: number;
  count: number;
  /** Of the requests of its time. */
  share: number;
}

// A master hears of its workers every few seconds, so counts of that time belong to the sample they came with.
const LONGEST_WAIT_S = 8;

/** The rectangles of the picture within a range of time. */
export function cells(samples: Sample[], [first, last]: Range): Cell[] {
  const result: Cell[] = [];
  let end = 0;
  for (const { time, span, heat } of samples) {
    if (heat.length === 0) {
      continue;
    }
    const from = end > 0 ? Math.max(end, time - Math.max(span, LONGEST_WAIT_S)) : time - span;
    end = time;
    if (time < first || from > last) {
      continue;
    }
    let total = 0;
    for (let place = 1; place < heat.length; place++) {
      total += heat[place];
    }
    for (let place = 1; place < heat.length; place++) {
      const count = heat[place];
      if (count > 0) {
        const band = heat[0] + place - 1;
        result.push({ from, to: time, lowMs: bandStartMs(band), highMs: bandStartMs(band + 1), count, share: count / total });
      }
    }
  }
  return result;
}

/** The range of response times that the picture needs; a power of two above and below what there is. */
export function extentMs(samples: Sample[], [first, last]: Range): Range {
  let low = Infinity;
  let high = -Infinity;
  for (const { time, heat } of samples) {
    if (heat.length > 1 && time >= first && time <= last + 1) {
      low = Math.min(low, heat[0]);
      high = Math.max(high, heat[0] + heat.length - 1);
    }
  }
  return high < 0 ? [1, 1000] : [bandStartMs(Math.max(0, low - 1)), bandStartMs(high + 1)];
}

/** From pale to strong on light, from dim to bright on dark: lightness alone tells, so all eyes see the same. */
export function shade(share: number, isDark: boolean): string {
  // Few among many must be seen, too: slow requests are rare.
  const strength = 0.12 + 0.88 * Math.sqrt(Math.min(1, share / 0.6));
  const [from, to] = isDark ? [26, 84] : [92, 28];
  const hue = isDark ? 60 + 140 * (1 - strength) : 210 + 30 * strength;
  return `hsl(${hue.toFixed(0)} ${(55 + 30 * strength).toFixed(0)}% ${(from + (to - from) * strength).toFixed(0)}%)`;
}

export function rangeText(lowMs: number, highMs: number): string {
  const unit = highMs >= 1000 ? 1000 : 1;
  const text = (value: number) => String(+(value / unit).toPrecision(3));
  return `${text(lowMs)} to ${text(highMs)} ${unit === 1000 ? "s" : "ms"}`;
}

/** What the picture says at a moment and a response time, in words. */
export function describe(samples: Sample[], time: number, ms: number): string {
  let sample: Sample | undefined;
  for (const one of samples) {
    if (one.heat.length > 0 && one.time >= time) {
      sample = one;
      break;
    }
  }
  if (!sample) {
    return "";
  }
  const total = sample.heat.slice(1).reduce((sum, count) => sum + count, 0);
  let count = 0;
  let band = 0;
  for (let place = 1; place < sample.heat.length; place++) {
    band = sample.heat[0] + place - 1;
    if (ms >= bandStartMs(band) && ms < bandStartMs(band + 1)) {
      count = sample.heat[place];
      break;
    }
  }
  const when = clock(sample.time);
  return count > 0
    ? `${when}: ${count} of ${total} requests took ${rangeText(bandStartMs(band), bandStartMs(band + 1))} (${((100 * count) / total).toFixed(1)} %)`
    : `${when}: ${total} requests, none of this time`;
}
