import { expect, test } from "vitest";
import { safeAddress } from "../src/address";
import { Entries } from "../src/entries";
import { bytes, percent, percentile, short } from "../src/format";
import { allPercentiles } from "../src/percentiles";
import { arrange, inSight } from "../src/rows";

interface Row {
  name: string;
  count: number;
}
const ROWS: Row[] = [
  { name: "/b10", count: 1 },
  { name: "/b9", count: 300 },
  { name: "/A", count: 20 },
];
const COLUMNS = [
  { key: "name", value: (row: Row) => row.name },
  { key: "count", value: (row: Row) => row.count },
];
const names = (filter: string, order: { key: string; isDescending: boolean } | null, pinned: string[] = []) =>
  arrange(ROWS, COLUMNS, filter, order, new Set(pinned), (row) => row.name).map((row) => row.name);

test("sorting, filtering and pinning", () => {
  expect(names("", null)).toEqual(["/b10", "/b9", "/A"]);
  expect(names("", { key: "count", isDescending: true })).toEqual(["/b9", "/A", "/b10"]);
  expect(names("", { key: "name", isDescending: false })).toEqual(["/A", "/b9", "/b10"]);
  expect(names(" B1 ", null)).toEqual(["/b10"]);
  expect(names("30", null)).toEqual([]);
  expect(names("", { key: "count", isDescending: true }, ["/b10", "/gone"])).toEqual(["/b10", "/b9", "/A"]);
  expect(names("", { key: "unknown", isDescending: true })).toEqual(["/b10", "/b9", "/A"]);
  expect(ROWS.map((row) => row.count)).toEqual([1, 300, 20]);
});

test("rows in sight", () => {
  expect(inSight(5000, 34, 0, 680)).toEqual([0, 30]);
  expect(inSight(5000, 34, 3400, 680)).toEqual([90, 130]);
  expect(inSight(5000, 34, 34 * 5000, 680)).toEqual([4990, 5000]);
  expect(inSight(0, 34, 0, 680)).toEqual([0, 0]);
  expect(inSight(3, 34, 9000, 680)).toEqual([3, 3]);
});

const row = (name: string, requests: number): never =>
  ["GET", name, requests, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, [11, 12], [null, null, null, [0.1, 0.2], null, null]] as never;

test("entries are sorted by name, the aggregate is last", () => {
  const entries = new Entries();
  const take = (...rows: never[]) => entries.take({ percentiles: [0.9, 0.999], rows });
  expect(take(row("/b", 1), row("/a", 2), row("Aggregated", 3)).map((entry) => entry.num_requests)).toEqual([2, 1, 3]);
  expect(take(row("/b", 4), row("/a", 5), row("Aggregated", 9)).map((entry) => entry.num_requests)).toEqual([5, 4, 9]);
  const [first] = take(row("/c", 4), row("/a", 5), row("/b", 6), row("Aggregated", 15));
  expect(first.name).toBe("/a");
  expect(first["response_time_percentile_0.999"]).toBe(12);
  expect(first.phases).toEqual({ queue: { average: 0.1, max: 0.2 } });
  expect(take()).toEqual([]);
  expect(entries.take({ percentiles: [0.5], rows: [row("/a", 1), row("Aggregated", 1)] })[0]["response_time_percentile_0.5"]).toBe(11);
});

test("addresses that would run are none", () => {
  for (const address of ["javascript:alert(1)", " JavaScript:alert(1)", "java\nscript:alert(1)", "\u0001javascript:x", "data:text/html,x", "vbscript:x", "blob:x"]) {
    expect(safeAddress(address)).toBe("#");
  }
  for (const address of ["/own/csv", "csv?a=b:c", "#x:y", "https://example.com/x", "./a/b:c", ""]) {
    expect(safeAddress(address)).toBe(address);
  }
});

test("numbers for people", () => {
  expect([0.1234, 12.345, 1234.5].map(short)).toEqual(["0.12", "12.3", "1,235"]);
  expect([0, 0.0004, 0.5].map(percent)).toEqual(["0.0 %", "0.040 %", "50.0 %"]);
  expect([0.5, 0.999, 0.9999, 1].map(percentile)).toEqual(["50%", "99.9%", "99.99%", "100%"]);
  expect([512, 1536, 5 * 2 ** 30].map(bytes)).toEqual(["512 B", "1.5 KiB", "5 GiB"]);
  expect(allPercentiles([0.95, 0.99], new Set(["0.5", "0.999", "7"]))).toEqual([0.5, 0.95, 0.99, 0.999]);
});
