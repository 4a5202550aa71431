import { type ReactNode, type UIEvent, useMemo, useState } from "react";
import { useKept, useMemory } from "./memory";
import { arrange, inSight, type Order } from "./rows";

export interface Column<Row> {
  key: string;
  title: string;
  /** What is sorted and filtered by. */
  value: (row: Row) => string | number;
  /** What is shown, if that is not the value. */
  show?: (row: Row) => ReactNode;
  /** What the title does not say. */
  hint?: string;
  isHidden?: boolean;
  /** Takes what room there is in a table of many rows. */
  isWide?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  /** Stays below all others, whatever the order. */
  total?: Row;
  rowKey: (row: Row) => string;
  empty: string;
  /** Names what the reader's choice of columns and pinned rows is remembered under. Without it rows cannot be pinned. */
  memory?: string;
  sortedBy?: Order;
  /** Draws only what is in sight once there are many rows. Not for pages that are printed. */
  isLong?: boolean;
  /** More choices beside those of columns. */
  choices?: ReactNode;
}

const FIRST_ROWS = 250;
const MANY_ROWS = 200;
// As in styles.css.
const ROW_HEIGHT = 34;
const MOST_HEIGHT = 1200;

/** A table that sorts, filters, hides columns and keeps pinned rows on top. */
export function DataTable<Row>({ label, columns, rows, total, rowKey, empty, memory, sortedBy, isLong, choices }: Props<Row>) {
  const [order, setOrder] = useKept(`${label} order`, sortedBy ?? null);
  const [filter, setFilter] = useKept(`${label} filter`, "");
  const [isComplete, setComplete] = useState(false);
  const [scrolled, setScrolled] = useState(0);
  // Columns that are not as they are at first: new ones may come while a test runs.
  const [toggled, toggleColumn] = useMemory(memory && `${memory}.columns`, []);
  const [pinned, togglePin] = useMemory(memory && `${memory}.pinned`, []);
  const isVisible = (column: Column<Row>) => Boolean(column.isHidden) === toggled.has(column.key);
  const visible = columns.filter(isVisible);
  const shown = useMemo(() => arrange(rows, columns, filter, order, pinned, rowKey), [rows, columns, filter, order, pinned, rowKey]);

  if (rows.length === 0 && total === undefined) {
    return <p className="empty">{empty}</p>;
  }
  const isWindowed = Boolean(isLong) && shown.length > MANY_ROWS;
  const [first, end] = isWindowed ? inSight(shown.length, ROW_HEIGHT, scrolled, MOST_HEIGHT) : [0, isComplete || isLong ? shown.length : FIRST_ROWS];
  const drawn = shown.slice(first, end);

  function sortBy(column: Column<Row>) {
    const isNumeric = rows.length > 0 && typeof column.value(rows[0]) === "number";
    setOrder(order?.key === column.key ? { ...order, isDescending: !order.isDescending } : { key: column.key, isDescending: isNumeric });
  }

  function onScroll(event: UIEvent<HTMLDivElement>) {
    if (isWindowed) {
      // Drawn anew when rows come into sight that are not there.
      const top = event.currentTarget.scrollTop;
      if (Math.abs(top - scrolled) > 5 * ROW_HEIGHT || top === 0) {
        setScrolled(top);
      }
    }
  }

  function cells(row: Row) {
    return visible.map((column) => {
      const value = column.value(row);
      const isNumber = typeof value === "number";
      return (
        <td key={column.key} className={isNumber ? "number" : column.isWide ? "wide" : undefined} title={isWindowed && !isNumber ? String(value) : undefined}>
          {column.show ? column.show(row) : value}
        </td>
      );
    });
  }

  const pinCell = memory !== undefined;
  const space = (height: number) =>
    height > 0 && (
      <tr aria-hidden="true">
        <td colSpan={visible.length + Number(pinCell)} style={{ height, padding: 0, border: 0 }} />
      </tr>
    );
  return (
    <div className="data">
      <div className="tools">
        <input type="search" placeholder="Filter" aria-label={`Filter ${label}`} value={filter} onChange={(event) => setFilter(event.target.value)} />
        <span className="count" role="status">
          {filter ? `${shown.length} of ${rows.length}` : rows.length} {rows.length === 1 ? "row" : "rows"}
        </span>
        <details className="chooser">
          <summary>Columns</summary>
          <div>
            <fieldset>
              <legend className="unseen">Columns of {label}</legend>
              {columns.map((column) => (
                <label key={column.key} title={column.hint}>
                  <input type="checkbox" checked={isVisible(column)} onChange={() => toggleColumn(column.key)} />
                  {column.title}
                </label>
              ))}
            </fieldset>
            {choices}
          </div>
        </details>
      </div>
      {/* Scrolled with the keyboard, too. */}
      <div className="scroll" tabIndex={0} role="region" aria-label={label} onScroll={onScroll}>
        <table className={isWindowed ? "windowed" : undefined} aria-rowcount={isWindowed ? shown.length + 1 : undefined}>
          {isWindowed && (
            <colgroup>
              {pinCell && <col style={{ width: "2rem" }} />}
              {visible.map((column) => (
                <col key={column.key} style={{ width: column.isWide ? "24rem" : column.title.startsWith("# ") ? "8rem" : "6.5rem" }} />
              ))}
            </colgroup>
          )}
          <thead>
            <tr aria-rowindex={isWindowed ? 1 : undefined}>
              {pinCell && (
                <td className="pin">
                  <span className="unseen">Pinned</span>
                </td>
              )}
              {visible.map((column) => (
                <th
                  key={column.key}
                  scope="col"
                  className={typeof column.value((rows[0] ?? total) as Row) === "number" ? "number" : undefined}
                  aria-sort={order?.key !== column.key ? "none" : order.isDescending ? "descending" : "ascending"}
                >
                  <button type="button" className={column.title.length < 11 ? "line" : undefined} title={column.hint} onClick={() => sortBy(column)}>
                    {column.title}
                    <span aria-hidden="true">{order?.key !== column.key ? "" : order.isDescending ? "\u00a0▼" : "\u00a0▲"}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {space(first * ROW_HEIGHT)}
            {drawn.map((row, place) => {
              const key = rowKey(row);
              const isPinned = pinned.has(key);
              return (
                <tr key={key} className={isPinned ? "pinned" : undefined} aria-rowindex={isWindowed ? first + place + 2 : undefined}>
                  {pinCell && (
                    <td className="pin">
                      <button type="button" aria-pressed={isPinned} aria-label={`Pin ${key}`} onClick={() => togglePin(key)}>
                        {isPinned ? "★" : "☆"}
                      </button>
                    </td>
                  )}
                  {cells(row)}
                </tr>
              );
            })}
            {space((shown.length - first - drawn.length) * (isWindowed ? ROW_HEIGHT : 0))}
          </tbody>
          {total !== undefined && (
            <tfoot>
              <tr>
                {pinCell && <td className="pin" />}
                {cells(total)}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {!isWindowed && drawn.length < shown.length && (
        <>
          <button type="button" className="more" onClick={() => setComplete(true)}>
            Show all {shown.length} rows
          </button>
          <p className="for-paper">
            These are the first {drawn.length} of {shown.length} rows. All of them are printed after “Show all” was pressed.
          </p>
        </>
      )}
    </div>
  );
}
