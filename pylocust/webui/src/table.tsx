import { type ReactNode, useMemo, useState } from "react";

export interface Column<Row> {
  key: string;
  title: string;
  /** What is sorted and filtered by. */
  value: (row: Row) => string | number;
  /** What is shown, if that is not the value. */
  show?: (row: Row) => ReactNode;
  isHidden?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  /** Stays below all others, whatever the order. */
  total?: Row;
  rowKey: (row: Row) => string;
  empty: string;
  /** Names what the reader's choice of columns and pinned rows is remembered under. */
  memory?: string;
  sortedBy?: { key: string; isDescending: boolean };
}

const FIRST_ROWS = 250;

function remembered(name: string | undefined): string[] | null {
  try {
    const text = name === undefined ? null : localStorage.getItem(`cload.${name}`);
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

function remember(name: string | undefined, value: string[]) {
  try {
    if (name !== undefined) {
      localStorage.setItem(`cload.${name}`, JSON.stringify(value));
    }
  } catch {
    // A page from a file or a private window may not store anything.
  }
}

function useMemory(name: string | undefined, initial: string[]) {
  const [value, setValue] = useState(() => new Set(remembered(name) ?? initial));
  function toggle(item: string) {
    const next = new Set(value);
    if (!next.delete(item)) {
      next.add(item);
    }
    setValue(next);
    remember(name, [...next]);
  }
  return [value, toggle] as const;
}

/** A table that sorts, filters, hides columns and keeps pinned rows on top. */
export function DataTable<Row>({ label, columns, rows, total, rowKey, empty, memory, sortedBy }: Props<Row>) {
  const [order, setOrder] = useState(sortedBy ?? null);
  const [filter, setFilter] = useState("");
  const [isComplete, setComplete] = useState(false);
  const [hidden, toggleColumn] = useMemory(
    memory && `${memory}.hidden`,
    columns.filter((column) => column.isHidden).map((column) => column.key),
  );
  const [pinned, togglePin] = useMemory(memory && `${memory}.pinned`, []);
  const visible = columns.filter((column) => !hidden.has(column.key));

  const shown = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const texts = columns.filter((column) => rows.length > 0 && typeof column.value(rows[0]) === "string");
    let result = wanted
      ? rows.filter((row) => texts.some((column) => String(column.value(row)).toLowerCase().includes(wanted)))
      : [...rows];
    const column = columns.find(({ key }) => key === order?.key);
    if (column && order) {
      const sign = order.isDescending ? -1 : 1;
      result.sort((one, other) => {
        const [a, b] = [column.value(one), column.value(other)];
        return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      });
    }
    if (pinned.size > 0) {
      result = [...result.filter((row) => pinned.has(rowKey(row))), ...result.filter((row) => !pinned.has(rowKey(row)))];
    }
    return result;
  }, [rows, columns, filter, order, pinned, rowKey]);

  if (rows.length === 0 && total === undefined) {
    return <p className="empty">{empty}</p>;
  }
  const drawn = isComplete ? shown : shown.slice(0, FIRST_ROWS);

  function sortBy(column: Column<Row>) {
    const isNumeric = rows.length > 0 && typeof column.value(rows[0]) === "number";
    setOrder(order?.key === column.key ? { ...order, isDescending: !order.isDescending } : { key: column.key, isDescending: isNumeric });
  }

  function cells(row: Row) {
    return visible.map((column) => {
      const value = column.value(row);
      return (
        <td key={column.key} className={typeof value === "number" ? "number" : undefined}>
          {column.show ? column.show(row) : value}
        </td>
      );
    });
  }

  return (
    <div className="data">
      <div className="tools">
        <input
          type="search"
          placeholder="Filter"
          aria-label={`Filter ${label}`}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <span className="count" role="status">
          {filter ? `${shown.length} of ${rows.length}` : rows.length} {rows.length === 1 ? "row" : "rows"}
        </span>
        <details className="chooser">
          <summary>Columns</summary>
          <fieldset>
            <legend className="unseen">Columns of {label}</legend>
            {columns.map((column) => (
              <label key={column.key}>
                <input type="checkbox" checked={!hidden.has(column.key)} onChange={() => toggleColumn(column.key)} />
                {column.title}
              </label>
            ))}
          </fieldset>
        </details>
      </div>
      {/* Scrolled with the keyboard, too. */}
      <div className="scroll" tabIndex={0} role="region" aria-label={label}>
        <table>
          <thead>
            <tr>
              {memory && (
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
                  <button type="button" onClick={() => sortBy(column)}>
                    {column.title}
                    <span aria-hidden="true">{order?.key !== column.key ? "" : order.isDescending ? " ▼" : " ▲"}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {drawn.map((row) => {
              const key = rowKey(row);
              const isPinned = pinned.has(key);
              return (
                <tr key={key} className={isPinned ? "pinned" : undefined}>
                  {memory && (
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
          </tbody>
          {total !== undefined && (
            <tfoot>
              <tr>
                {memory && <td className="pin" />}
                {cells(total)}
              </tr>
            </tfoot>
          )}
        </table>
      </div>
      {drawn.length < shown.length && (
        <button type="button" className="more" onClick={() => setComplete(true)}>
          Show all {shown.length} rows
        </button>
      )}
    </div>
  );
}
