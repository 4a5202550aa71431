import { describe, expect, it } from "vitest";
import { rowsOfTexts } from "../src/picture";

describe("the names of lines below a chart that is saved", () => {
  it("go on in the next row where there is no room", () => {
    expect(rowsOfTexts([60, 60, 30], 100)).toEqual({ places: [[0, 0], [0, 1], [60, 1]], rows: 2 });
  });
  it("are each in a row at least", () => {
    expect(rowsOfTexts([300, 10], 100)).toEqual({ places: [[0, 0], [0, 1]], rows: 2 });
    expect(rowsOfTexts([], 100)).toEqual({ places: [], rows: 1 });
  });
});
