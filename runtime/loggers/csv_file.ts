import { parseCsv, stringifyCsv } from "./deps.ts";

/** Values of one row by column. */
export type CsvRow = Readonly<Record<string, number>>;

/**
 * A CSV file that grows. Rows are appended; a column that is new makes the file be rewritten beside itself and renamed, with all
 * rows kept. What a file of that name held before stays.
 */
export class CsvFile {
  readonly #path: string;
  #columns: readonly string[] = [];
  /** Bytes of the file that are known good; the next row goes here. -1 before the file was looked at. */
  #size = -1;
  #endsInLine = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** Appends all rows or, if that fails, none. */
  async append(rows: readonly CsvRow[]): Promise<void> {
    const actual = await sizeOf(this.#path);
    if (this.#size < 0 || actual < this.#size) this.#adopt(actual ? await Deno.readTextFile(this.#path) : "");
    this.#size = actual; // also behind what another program appended
    const columns = union(this.#columns, rows);
    if (columns !== this.#columns && this.#size > 0) {
      return this.#replace(columns, withColumns(await Deno.readTextFile(this.#path), columns) + lines(rows, columns));
    }
    const bytes = this.#bytesOf(rows, columns);
    using file = await Deno.open(this.#path, { write: true, create: true });
    try {
      await file.seek(this.#size, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    } catch (error) {
      await file.truncate(this.#size).catch(() => {});
      throw error;
    }
    this.#advance(columns, bytes);
  }

  /** The same at once, while the process ends. Rows of an append() that is still under way may be among these: they land on the same bytes. */
  appendNow(rows: readonly CsvRow[]): void {
    if (this.#size < 0) this.#adopt(readIfThere(this.#path));
    const columns = union(this.#columns, rows);
    if (columns !== this.#columns && this.#size > 0) {
      // Bytes after the known good ones belong to the append under way.
      const known = new TextDecoder().decode(Deno.readFileSync(this.#path).subarray(0, this.#size));
      const text = withColumns(known, columns) + lines(rows, columns);
      Deno.writeTextFileSync(this.#temporary, text);
      Deno.renameSync(this.#temporary, this.#path);
      return;
    }
    const bytes = this.#bytesOf(rows, columns);
    using file = Deno.openSync(this.#path, { write: true, create: true });
    file.seekSync(this.#size, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    this.#advance(columns, bytes);
  }

  get #temporary(): string {
    return `${this.#path}.${Deno.pid}.tmp`;
  }

  async #replace(columns: readonly string[], text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      await Deno.writeFile(this.#temporary, bytes);
      Deno.renameSync(this.#temporary, this.#path);
    } catch (error) {
      await Deno.remove(this.#temporary).catch(() => {});
      throw error;
    }
    this.#size = 0;
    this.#advance(columns, bytes);
  }

  #adopt(text: string): void {
    this.#columns =
      (parseCsv(text, { bom: true, to: 1, relax_column_count: true, relax_quotes: true }) as string[][])[0] ?? [];
    this.#size = new TextEncoder().encode(text).length;
    this.#endsInLine = text === "" || text.endsWith("\n");
  }

  #bytesOf(rows: readonly CsvRow[], columns: readonly string[]): Uint8Array<ArrayBuffer> {
    const before = this.#size === 0 ? stringifyCsv([[...columns]]) : this.#endsInLine ? "" : "\n";
    return new TextEncoder().encode(before + lines(rows, columns));
  }

  #advance(columns: readonly string[], bytes: Uint8Array): void {
    this.#columns = columns;
    this.#size += bytes.length;
    this.#endsInLine = true;
  }
}

/** The columns themselves if the rows need no other, or all in order. */
function union(columns: readonly string[], rows: readonly CsvRow[]): readonly string[] {
  const known = new Set(columns);
  for (const row of rows) for (const key of Object.keys(row)) known.add(key);
  return known.size === columns.length ? columns : [...known].sort();
}

function lines(rows: readonly CsvRow[], columns: readonly string[]): string {
  return stringifyCsv(
    rows.map((row) => columns.map((column) => Object.hasOwn(row, column) ? String(row[column]) : "")),
  );
}

function withColumns(text: string, columns: readonly string[]): string {
  const [header = [], ...rows] = parseCsv(text, {
    bom: true,
    relax_column_count: true,
    relax_quotes: true,
  }) as string[][];
  const places = columns.map((column) => header.indexOf(column));
  return stringifyCsv([[...columns], ...rows.map((row) => places.map((place) => row[place] ?? ""))]);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function readIfThere(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
