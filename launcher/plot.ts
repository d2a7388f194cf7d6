/**
 * Draws loss and accuracy over epochs from a metrics.csv: writes loss.svg, loss.png, accuracy.svg and accuracy.png.
 * Run: deno run -A launcher/plot.ts logs/MNIST/version_0/metrics.csv [--out DIR]
 */
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "npm:csv-parse@7.0.3/sync";
// The package is imported so that its files are fetched; the font itself is read by path.
import "npm:dejavu-fonts-ttf@2.37.3/package.json" with { type: "json" };
import { initWasm, Resvg } from "npm:@resvg/resvg-wasm@2.6.2";
import * as vega from "npm:vega@6.4.0";
import { compile, type TopLevelSpec } from "npm:vega-lite@6.5.0";

const USAGE = `Draws loss and accuracy over epochs from a metrics.csv.

Usage: deno run -A launcher/plot.ts METRICS_CSV [--out DIR]

  --out DIR   where loss.svg, loss.png, accuracy.svg and accuracy.png go (default: beside METRICS_CSV)
  --help      this text`;

/** One value of one metric. */
export interface Point {
  /** The epoch, or the step where no epoch was logged. */
  x: number;
  metric: string;
  value: number;
}

/** What {@linkcode readPoints} found. */
export interface Points {
  readonly xName: "epoch" | "step";
  readonly points: readonly Point[];
}

/**
 * The values of every metric of a metrics.csv by epoch; values of one epoch are averaged. Of a metric that was logged by step and by
 * epoch (`loss_step`, `loss_epoch`) the latter is taken, as `loss`. Without a column `epoch` they go by `step`.
 * @throws Error if the text holds no rows, or neither column
 */
export function readPoints(csv: string): Points {
  const rows = parse(csv, { columns: true, bom: true, relax_column_count: true, skip_empty_lines: true }) as Record<
    string,
    string
  >[];
  if (rows.length === 0) throw new Error("it has no rows");
  const columns = Object.keys(rows[0]);
  const xName = (["epoch", "step"] as const).find((name) => columns.includes(name));
  if (!xName) throw new Error(`it has neither a column \`epoch\` nor \`step\`, only: ${columns.join(", ")}`);
  const sums = new Map<string, { x: number; metric: string; sum: number; count: number }>();
  for (const column of columns) {
    if (column === "epoch" || column === "step") continue;
    if (column.endsWith("_step") && columns.includes(column.replace(/_step$/, "_epoch"))) continue;
    const metric = column.replace(/_epoch$/, "");
    for (const row of rows) {
      const [x, value] = [row[xName], row[column]];
      if (!x || !value || !Number.isFinite(Number(x)) || !Number.isFinite(Number(value))) continue;
      const key = `${metric} ${Number(x)}`;
      const sum = sums.get(key) ?? { x: Number(x), metric, sum: 0, count: 0 };
      sum.sum += Number(value);
      sum.count++;
      sums.set(key, sum);
    }
  }
  const points = [...sums.values()].map(({ x, metric, sum, count }) => ({ x, metric, value: sum / count }));
  return { xName, points: points.sort((a, b) => a.x - b.x) };
}

/** A line chart as SVG, one line a metric. */
export async function lineChart(points: Points, title: string): Promise<string> {
  const metrics = [...new Set(points.points.map(({ metric }) => metric))].sort();
  const spec: TopLevelSpec = {
    data: { values: [...points.points] },
    width: 480,
    height: 300,
    background: "white",
    config: { font: "DejaVu Sans" },
    mark: { type: "line", point: points.points.length <= 100 * metrics.length },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        title: points.xName,
        scale: { zero: false, nice: false },
        axis: { format: "d", tickMinStep: 1, grid: false },
      },
      y: { field: "value", type: "quantitative", title, scale: { zero: false } },
      color: { field: "metric", type: "nominal", title: null, sort: metrics },
    },
  };
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

let ready: Promise<Uint8Array> | undefined;

/** A chart's SVG as a PNG of twice its size. */
export async function toPng(svg: string): Promise<Uint8Array> {
  const read = (specifier: string) => Deno.readFile(new URL(import.meta.resolve(specifier)));
  ready ??= (async () => {
    await initWasm(await read("npm:@resvg/resvg-wasm@2.6.2/index_bg.wasm"));
    return await read("npm:dejavu-fonts-ttf@2.37.3/ttf/DejaVuSans.ttf");
  })();
  const font = { fontBuffers: [await ready], defaultFontFamily: "DejaVu Sans", loadSystemFonts: false };
  const renderer = new Resvg(svg, { fitTo: { mode: "zoom", value: 2 }, font });
  try {
    return renderer.render().asPng();
  } finally {
    renderer.free();
  }
}

/**
 * Writes the pictures and returns their paths.
 * @param out default: the folder of the CSV file
 * @throws Error if the file cannot be read, or none of its columns has `loss` or `acc` in its name
 */
export async function plot(csvPath: string, out: string = dirname(csvPath)): Promise<string[]> {
  let points: Points;
  try {
    points = readPoints(await Deno.readTextFile(csvPath));
  } catch (cause) {
    throw new Error(`Could not read the metrics in ${csvPath}: ${(cause as Error).message}`, { cause });
  }
  const written: string[] = [];
  for (const [name, pattern] of [["loss", /loss/i], ["accuracy", /acc/i]] as const) {
    const chosen = points.points.filter(({ metric }) => pattern.test(metric));
    if (chosen.length === 0) continue;
    const svg = await lineChart({ ...points, points: chosen }, name);
    await Deno.mkdir(out, { recursive: true });
    await Deno.writeTextFile(join(out, `${name}.svg`), svg);
    await Deno.writeFile(join(out, `${name}.png`), await toPng(svg));
    written.push(join(out, `${name}.svg`), join(out, `${name}.png`));
  }
  if (written.length === 0) {
    const metrics = [...new Set(points.points.map(({ metric }) => metric))];
    throw new Error(
      `Nothing to draw in ${csvPath}: no metric has \`loss\` or \`acc\` in its name${
        metrics.length > 0 ? `, only: ${metrics.join(", ")}` : ""
      }`,
    );
  }
  return written;
}

/** The command line; returns the exit code. */
async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { out: { type: "string" }, help: { type: "boolean" } },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length !== 1) {
      throw new Error(`Expected one metrics.csv, got ${positionals.length}. See --help`);
    }
    for (const path of await plot(positionals[0], values.out)) console.log(path);
    return 0;
  } catch (error) {
    console.error(`plot: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
