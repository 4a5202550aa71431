import { expect, test } from "vitest";
import { bandStartMs, describe, extentMs, pictureOf, pixelsOf, rangeText, shade } from "../src/heat";
import type { Sample } from "../src/timeline";

const sample = (time: number, heat: number[], run = 1): Sample => ({
  time,
  span: 2,
  run,
  users: 1,
  rps: 1,
  failures_per_s: 0,
  percentiles: [],
  heat,
  reasons: [],
  cpu: 0,
  lag_ms: 0,
  bad_seconds: 0,
});

test("bands are those of the server", () => {
  // lib/stats/histogram.h
  expect([0, 1, 2, 5, 25, 26, 29].map(bandStartMs)).toEqual([0.008, 0.016, 0.02, 0.032, 1.024, 1.28, 2.048]);
  expect(bandStartMs(120)).toBeCloseTo(0.016 * 2 ** 29 * 1.75);
});

test("a picture has the shares of each moment", () => {
  const picture = pictureOf([sample(2, [25, 1, 3]), sample(4, [27, 5])], [0, 4], 4);
  expect(picture).toMatchObject({ lowest: 25, height: 3, width: 4 });
  expect([...(picture?.shares ?? [])]).toEqual([0.25, 0.25, 0, 0, 0.75, 0.75, 0, 0, 0, 0, 1, 1]);
});

test("samples that share a pixel are added", () => {
  const picture = pictureOf([sample(1, [30, 2]), sample(2, [31, 6])], [0, 100], 10);
  expect(picture?.shares[0]).toBeCloseTo(0.25);
  expect(picture?.shares[10]).toBeCloseTo(0.75);
});

test("reports that come every few seconds leave no stripes, long silence stays empty", () => {
  const shares = (samples: Sample[]) => [...(pictureOf(samples, [0, 20], 10)?.shares ?? [])];
  expect(shares([sample(2, [30, 1]), sample(4, []), sample(6, [30, 1])]).slice(0, 3)).toEqual([1, 1, 1]);
  expect(shares([sample(2, [30, 1]), sample(20, [30, 1])])).toEqual([1, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
  expect(shares([sample(2, [30, 1]), sample(8, [30, 1], 2)]).slice(0, 5)).toEqual([1, 0, 0, 1, 0]);
});

test("nothing measured, nothing drawn", () => {
  expect(pictureOf([sample(2, [])], [0, 4], 4)).toBeNull();
  expect(pictureOf([sample(2, [25, 1])], [0, 4], 0)).toBeNull();
  expect(extentMs([], [0, 1])).toEqual([1, 1000]);
});

test("shades go one way, so that lightness tells", () => {
  const lightness = (isDark: boolean) => [0.01, 0.05, 0.2, 0.6, 1].map((share) => shade(share, isDark).reduce((sum, value) => sum + value, 0));
  expect(lightness(false)).toEqual([...lightness(false)].sort((one, other) => other - one));
  expect(lightness(true)).toEqual([...lightness(true)].sort((one, other) => one - other));
  const pixels = pixelsOf({ lowest: 0, height: 1, width: 2, shares: new Float32Array([0, 0.5]) }, false);
  expect([pixels[3], pixels[7]]).toEqual([0, 255]);
});

test("words", () => {
  expect(rangeText(1.024, 1.28)).toBe("1.02 to 1.28 ms");
  expect(rangeText(1048.6, 1310.7)).toBe("1.05 to 1.31 s");
  expect(describe([sample(2, [25, 1, 3])], 1, 1.3)).toContain("3 of 4 requests took 1.28 to 1.54 ms (75.0 %)");
  expect(describe([sample(2, [25, 1, 3])], 1, 900)).toContain("4 requests, none of this time");
  expect(describe([sample(2, [25, 1])], 3, 1)).toBe("");
});
