import { expect, test } from "vitest";
import { COLORS } from "../src/timecharts";

type Triple = [number, number, number];

// Machado, Oliveira, Fernandes 2009: what people without one kind of cone see, from linear RGB.
const EYES: Record<string, Triple[]> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(color: string): Triple {
  return [1, 3, 5].map((place) => {
    const part = Number.parseInt(color.slice(place, place + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Triple;
}

const times = (matrix: Triple[], [a, b, c]: Triple) => matrix.map(([x, y, z]) => Math.min(1, Math.max(0, x * a + y * b + z * c))) as Triple;

function lab(color: Triple): Triple {
  const [x, y, z] = times(
    [
      [0.4124, 0.3576, 0.1805],
      [0.2126, 0.7152, 0.0722],
      [0.0193, 0.1192, 0.9505],
    ],
    color,
  );
  const root = (value: number) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116);
  const [a, b, c] = [root(x / 0.9505), root(y), root(z / 1.089)];
  return [116 * b - 16, 500 * (a - b), 200 * (b - c)];
}

function luminance(color: string): number {
  const [red, green, blue] = linear(color);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

test.each(Object.keys(EYES))("lines that follow each other differ for %s", (eyes) => {
  const seen = COLORS.map((color) => lab(times(EYES[eyes], linear(color))));
  for (let place = 1; place < seen.length; place++) {
    const [one, other] = [seen[place - 1], seen[place]];
    expect(Math.hypot(...one.map((value, part) => value - other[part]))).toBeGreaterThan(15);
  }
});

test.each(["#ffffff", "#14191f"])("lines stand out from %s", (paper) => {
  for (const color of COLORS) {
    const [dark, light] = [luminance(color), luminance(paper)].sort((one, other) => one - other);
    expect((light + 0.05) / (dark + 0.05)).toBeGreaterThan(3);
  }
});
