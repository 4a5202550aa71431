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

// A master hears of its workers every few seconds, so counts of that time belong to the sample they came with.
const LONGEST_WAIT_S = 8;

interface Picture {
  /** The lowest band, and how many there are from there on. */
  lowest: number;
  height: number;
  width: number;
  /** Share of the requests of its moment that each pixel stands for: rows from the lowest band up, columns in time. */
  shares: Float32Array;
}

/** The picture of a range of time, so many pixels wide. Samples that share a pixel are added. */
export function pictureOf(samples: Sample[], [first, last]: Range, width: number): Picture | null {
  let lowest = Infinity;
  let highest = -1;
  for (const { time, heat } of samples) {
    if (heat.length > 1 && time >= first && time - LONGEST_WAIT_S <= last) {
      lowest = Math.min(lowest, heat[0]);
      highest = Math.max(highest, heat[0] + heat.length - 2);
    }
  }
  if (highest < 0 || width < 1) {
    return null;
  }
  const height = highest - lowest + 1;
  const shares = new Float32Array(width * height);
  const totals = new Float32Array(width);
  const perSecond = width / (last - first);
  let end = 0;
  let before = -1;
  for (const { time, span, run, heat } of samples) {
    if (heat.length < 2) {
      continue;
    }
    const from = run === before ? Math.max(end, time - Math.max(span, LONGEST_WAIT_S)) : time - span;
    end = time;
    before = run;
    if (time < first || from > last) {
      continue;
    }
    const left = Math.max(0, Math.floor((from - first) * perSecond));
    const right = Math.min(width, Math.max(left + 1, Math.floor((time - first) * perSecond)));
    for (let place = 1; place < heat.length; place++) {
      const count = heat[place];
      if (count > 0) {
        const row = (heat[0] + place - 1 - lowest) * width;
        for (let x = left; x < right; x++) {
          shares[row + x] += count;
          totals[x] += count;
        }
      }
    }
  }
  for (let row = 0; row < height; row++) {
    for (let x = 0; x < width; x++) {
      if (totals[x] > 0) {
        shares[row * width + x] /= totals[x];
      }
    }
  }
  return { lowest, height, width, shares };
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
export function shade(share: number, isDark: boolean): [number, number, number] {
  // Few among many must be seen, too: slow requests are rare.
  const strength = 0.08 + 0.92 * Math.sqrt(Math.min(1, share / 0.6));
  const [from, to] = isDark
    ? [
        [28, 40, 56],
        [255, 214, 120],
      ]
    : [
        [222, 235, 250],
        [8, 29, 88],
      ];
  return from.map((value, place) => Math.round(value + (to[place] - value) * strength)) as [number, number, number];
}

/** The picture's pixels, of four bytes each; where nothing was is transparent. */
export function pixelsOf({ shares }: Picture, isDark: boolean): Uint8ClampedArray {
  const steps = Array.from({ length: 129 }, (_, step) => shade((0.6 * step) / 128, isDark));
  const pixels = new Uint8ClampedArray(4 * shares.length);
  for (let place = 0; place < shares.length; place++) {
    const share = shares[place];
    if (share > 0) {
      const [red, green, blue] = steps[Math.min(128, Math.ceil((share / 0.6) * 128))];
      pixels[4 * place] = red;
      pixels[4 * place + 1] = green;
      pixels[4 * place + 2] = blue;
      pixels[4 * place + 3] = 255;
    }
  }
  return pixels;
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
