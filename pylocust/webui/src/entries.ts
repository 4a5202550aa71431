// The rows of the table of requests.
import type { Entry, Phases } from "./types";

export const PHASES = ["dns", "connect", "tls", "queue", "first_byte", "transfer"] as const;

type Row = [string, string, number, number, number, number, number, number, number, number, number, number, number, number[], ([number, number] | null)[]];

/** What /stats/table answers; a row is as lib/report/rows.h says. */
export interface TableAnswer {
  percentiles: number[];
  rows: Row[];
}

function phasesOf(row: Row): Phases {
  const phases: Phases = {};
  PHASES.forEach((phase, place) => {
    const times = row[14][place];
    if (times) {
      phases[phase] = { average: times[0], max: times[1] };
    }
  });
  return phases;
}

/** An entry that reads what is asked for from its row: of thousands only few are ever drawn. */
class RowEntry {
  constructor(private readonly row: Row) {}
  get method() {
    return this.row[0];
  }
  get name() {
    return this.row[1];
  }
  get num_requests() {
    return this.row[2];
  }
  get num_failures() {
    return this.row[3];
  }
  get median_response_time() {
    return this.row[4];
  }
  get avg_response_time() {
    return this.row[5];
  }
  get min_response_time() {
    return this.row[6];
  }
  get max_response_time() {
    return this.row[7];
  }
  get avg_content_length() {
    return this.row[8];
  }
  get current_rps() {
    return this.row[9];
  }
  get current_fail_per_sec() {
    return this.row[10];
  }
  get total_rps() {
    return this.row[11];
  }
  get total_fail_per_sec() {
    return this.row[12];
  }
  get phases() {
    return phasesOf(this.row);
  }
  percentile(place: number) {
    return this.row[13][place];
  }
}

/** A class whose entries have the percentiles of an answer as attributes. */
function entryClass(percentiles: number[]): new (row: Row) => Entry {
  const made = class extends RowEntry {};
  percentiles.forEach((part, place) => {
    Object.defineProperty(made.prototype, `response_time_percentile_${part}`, {
      get(this: RowEntry) {
        return this.percentile(place);
      },
    });
  });
  return made as unknown as new (row: Row) => Entry;
}

/** Makes entries of answers. They are sorted by name; the order is kept as long as the names are. */
export class Entries {
  private names: string[] = [];
  private order: number[] = [];
  private key = "";
  private made = entryClass([]);

  /** The last one is the aggregate. */
  take({ percentiles, rows }: TableAnswer): Entry[] {
    if (this.key !== percentiles.join()) {
      this.key = percentiles.join();
      this.made = entryClass(percentiles);
    }
    const count = Math.max(0, rows.length - 1);
    if (count !== this.names.length || rows.some((row, place) => place < count && row[1] !== this.names[place])) {
      this.names = rows.slice(0, count).map((row) => row[1]);
      this.order = this.names.map((_, place) => place);
      this.order.sort((one, other) => {
        const [a, b] = [rows[one], rows[other]];
        return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : a[0] < b[0] ? -1 : 1;
      });
    }
    const entries = this.order.map((place) => new this.made(rows[place]));
    if (rows.length > 0) {
      entries.push(new this.made(rows[count]));
    }
    return entries;
  }
}
