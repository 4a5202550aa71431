// Which rows a table shows, and in what order.

export interface Order {
  key: string;
  isDescending: boolean;
}

interface Source<Row> {
  key: string;
  value: (row: Row) => string | number;
}

const collator = new Intl.Collator(undefined, { numeric: true });

export function arrange<Row>(
  rows: Row[],
  columns: Source<Row>[],
  filter: string,
  order: Order | null,
  pinned: ReadonlySet<string>,
  rowKey: (row: Row) => string,
): Row[] {
  const wanted = filter.trim().toLowerCase();
  const texts = columns.filter((column) => rows.length > 0 && typeof column.value(rows[0]) === "string");
  let result = wanted ? rows.filter((row) => texts.some((column) => String(column.value(row)).toLowerCase().includes(wanted))) : rows;
  const column = columns.find(({ key }) => key === order?.key);
  if (column && order) {
    const sign = order.isDescending ? -1 : 1;
    // Values are worked out once per row, not once per comparison.
    result = result
      .map((row) => [column.value(row), row] as const)
      .sort(([a], [b]) => sign * (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b))))
      .map(([, row]) => row);
  }
  if (pinned.size > 0) {
    const first = result.filter((row) => pinned.has(rowKey(row)));
    if (first.length > 0) {
      const those = new Set(first);
      result = [...first, ...result.filter((row) => !those.has(row))];
    }
  }
  return result;
}

/** Of rows of one height, those in sight and some around them. */
export function inSight(count: number, rowHeight: number, scrollTop: number, height: number, extra = 10): [number, number] {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - extra);
  return [Math.min(first, count), Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + extra)];
}
