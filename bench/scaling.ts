/**
 * How training scales: steps a second on 1, 2 and 4 ranks with the parts of a step; all-reduces by messages, encrypted messages and shared memory, the prices
 * of the model of cost that explain them (cost_model.ts), how far it is off where it was not fitted, and what it predicts for 8 to 4,096 ranks.
 *
 *     deno run -A bench/scaling.ts [--rounds 2] [--steps 200] [--parts steps,model] [--all] [--save FILE] [--from FILE] [--plot FILE.svg]
 *
 * Programs run in turn, round after round; of all-reduces and of steps the best round counts, of the parts of a step the medians over steps. `--save` keeps the
 * measured all-reduces, `--from` fits to those that were kept. Of what was not fitted to, a choice is shown, or with `--all` everything. `--plot` draws the predictions.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as vega from "npm:vega@6.4.0";
import { compile } from "npm:vega-lite@6.5.0";
import { type AllReduceSetup, measureAllReduce } from "./all_reduce_program.ts";
import { fitPrice, hierarchicalWork, inPlaceWork, ringWork, secondsOf, sharedWork, treeWork } from "./cost_model.ts";
import {
  ALGORITHMS,
  hierarchicalSeconds,
  NETWORKS,
  parametersWithin,
  predictGradients,
  type Prices,
} from "./scaling_predictions.ts";
import { tableHead, tableRow } from "./markdown_table.ts";
import type { RankSteps } from "./scaling_program.ts";

/** A measured all-reduce. */
interface Row {
  setup: string;
  ranks: number;
  /** Floats. */
  size: number;
  ms: number;
}

const RING_SIZES = [1, 1024, 16_384, 79_510, 1 << 20, 1 << 22, 1 << 24];
const TREE_SIZES = [1, 1024, 16_384, 79_510, 1 << 18];
const IN_PLACE_SIZES = [1 << 18, 1 << 19, 1 << 20, 1 << 22, 1 << 23, 1 << 24], HOSTS = ["a", "a", "b", "b"];
/** Not fitted to: these sizes, four ranks, and all that is hierarchical. */
const LEFT_OUT = { sizes: [79_510, 1 << 22], ranks: 4 };
/** Of what was not fitted to, shown in any case. */
const SHOWN = [79_510, 1 << 24];
/** What is fitted, by the name of its prices; a row's setup begins with the one, and ends with the form. */
const FITTED = { "messages": "messages", "encrypted": "encrypted", "shared": "shared", "in place": "inPlace" } as const;
const FORMS: Record<string, typeof ringWork> = {
  "ring": ringWork,
  "tree": treeWork,
  "shared": sharedWork,
  "in place": inPlaceWork,
};
const CORES = navigator.hardwareConcurrency, WORLDS = [8, 16, 64, 256, 1024, 4096], GRADIENTS = 100e6;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "2" },
    steps: { type: "string", default: "200" },
    parts: { type: "string", default: "steps,model" },
    save: { type: "string" },
    from: { type: "string" },
    plot: { type: "string" },
    all: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
console.log(
  `${Deno.build.target}, ${CORES} cores, Deno ${Deno.version.deno}` +
    (CORES < 4 ? `; 4 ranks share ${CORES} cores: what all of them do at once takes that much longer` : ""),
);
if (options.parts.includes("steps")) { for (const model of ["perceptron", "wide"]) await showSteps(model); }
if (options.parts.includes("model")) {
  const rows: Row[] = options.from ? JSON.parse(await Deno.readTextFile(options.from)) : await measureAll();
  if (options.save) await Deno.writeTextFile(options.save, JSON.stringify(rows));
  const prices = showFit(rows);
  showPredictions(prices);
  if (options.plot) await Deno.writeTextFile(options.plot, await plot(prices));
}

async function showSteps(model: string): Promise<void> {
  tableHead([
    `${model}, 100 samples a rank`,
    "steps/s",
    "samples/s",
    "compute",
    "readback",
    "reduce",
    "wait",
    "update",
  ]);
  const seen = new Map<number, RankSteps[][]>([[1, []], [2, []], [4, []]]);
  for (let round = 0; round < rounds; round++) {
    for (const [ranks, runs] of seen) runs.push(await runSteps(model, ranks));
  }
  for (const [ranks, runs] of seen) {
    const best = runs.toSorted((a, b) => a[0].plainMs - b[0].plainMs)[0];
    // What a rank waits longer than the one that waits least, it waits for that one.
    const steps = best[0].parts.map((_, i) => {
      const all = best.map(({ parts }) => parts[i]), reduce = Math.min(...all.map(([, , both]) => both));
      const mean = (of: (part: RankSteps["parts"][0]) => number) => all.reduce((sum, one) => sum + of(one), 0) / ranks;
      return [mean((p) => p[0]), mean((p) => p[1]), reduce, mean((p) => p[2]) - reduce, mean((p) => p[3])];
    });
    const parts = [0, 1, 2, 3, 4].map((part) => median(steps.map((step) => step[part])).toFixed(2));
    const perSecond = 1000 / best[0].plainMs;
    tableRow([
      `${ranks} rank${ranks > 1 ? "s" : ""}`,
      perSecond.toFixed(0),
      (100 * ranks * perSecond).toFixed(0),
      ...parts,
    ]);
  }
}

async function runSteps(model: string, ranks: number): Promise<RankSteps[]> {
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", path("../launcher/main.ts"), "--devices", `${ranks}`, "--accelerator", "cpu"],
      ...[path("./scaling_program.ts"), model, `${ranks}`, options.steps],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const said = [...new TextDecoder().decode(stdout).matchAll(/\{"rank".*\}/g)].map(([json]) => JSON.parse(json));
  return said.sort((a: RankSteps, b: RankSteps) => a.rank - b.rank);
}

/** How all-reduces are measured: thresholds moved so that one algorithm does all sizes. */
function setups(ranks: number): Record<string, AllReduceSetup> {
  const hosts = Array.from({ length: ranks }, (_, rank) => `host${rank}`);
  return {
    "messages, ring": { sizes: RING_SIZES, group: { transport: "tcp", smallBytes: 0 } },
    "messages, tree": { sizes: TREE_SIZES, group: { transport: "tcp", smallBytes: 1 << 20 } },
    "encrypted, ring": { sizes: RING_SIZES, hosts, group: { smallBytes: 0 } },
    "encrypted, tree": { sizes: TREE_SIZES, hosts, group: { smallBytes: 1 << 20 } },
    "shared": { sizes: RING_SIZES, group: { sharedFromBytes: 0 } },
    "in place": { sizes: IN_PLACE_SIZES, sharedArrays: true },
    ...ranks === 4 && {
      "hierarchical": { sizes: RING_SIZES, hosts: HOSTS },
      "hierarchical, in place": { sizes: RING_SIZES, hosts: HOSTS, sharedArrays: true },
    },
  };
}

async function measureAll(): Promise<Row[]> {
  const rows: Row[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const ranks of [2, 3, 4]) {
      for (const [name, setup] of Object.entries(setups(ranks))) {
        for (const { size, ms } of await measureAllReduce(ranks, setup)) rows.push({ setup: name, ranks, size, ms });
      }
    }
  }
  return rows;
}

function showFit(rows: readonly Row[]): Prices {
  const best = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.setup} ${row.ranks} ${row.size}`, before = best.get(key);
    if (!before || row.ms < before.ms) best.set(key, row);
  }
  const measured = [...best.values()], crowding = (ranks: number) => Math.max(1, ranks / CORES);
  const work = ({ setup, ranks, size }: Row) => FORMS[setup.split(", ").at(-1)!]({ ranks, bytes: 4 * size });
  const isLeftOut = ({ ranks, size }: Row) => ranks === LEFT_OUT.ranks || LEFT_OUT.sizes.includes(size);
  const off = (error: number[]) => error.length > 0 ? `${(100 * median(error.map(Math.abs))).toFixed(0)} %` : "-";

  tableHead([
    "fitted",
    "µs a hop",
    "ns a byte",
    "ns a byte reduced",
    "off: fitted",
    "sizes left out",
    "4 ranks, left out",
  ]);
  const prices: Partial<Record<keyof Prices, ReturnType<typeof fitPrice>>> = {};
  const errors: [Row, number][] = [];
  for (const [title, name] of Object.entries(FITTED)) {
    const own = measured.filter(({ setup }) => setup.startsWith(title));
    const price = prices[name] = fitPrice(
      own.filter((row) => !isLeftOut(row)).map((row) => ({
        work: work(row),
        seconds: row.ms / 1000,
        crowding: crowding(row.ranks),
      })),
    );
    const error = (row: Row) => 1000 * secondsOf(work(row), price, crowding(row.ranks)) / row.ms - 1;
    errors.push(...own.filter(isLeftOut).map((row): [Row, number] => [row, error(row)]));
    const sizes = own.filter((row) => isLeftOut(row) && row.ranks !== LEFT_OUT.ranks);
    tableRow([
      title,
      (price.hop * 1e6).toFixed(0),
      (price.byte * 1e9).toFixed(2),
      (price.reducedByte * 1e9).toFixed(2),
      off(own.filter((row) => !isLeftOut(row)).map(error)),
      off(sizes.map(error)),
      off(own.filter(({ ranks }) => ranks === LEFT_OUT.ranks).map(error)),
    ]);
  }
  const fitted = prices as Prices, far = fitted.encrypted;
  for (const row of measured.filter(({ setup }) => setup.startsWith("hierarchical"))) {
    const inPlace = row.setup.endsWith("in place");
    const work = hierarchicalWork({ hosts: 2, ranksPerHost: 2, bytes: 4 * row.size, inPlace });
    errors.push([row, 1000 * hierarchicalSeconds(work, { ...fitted, far }, crowding(4)) / row.ms - 1]);
  }
  tableHead(["not fitted to", "ranks", "floats", "measured ms", "model ms", "off"]);
  const isShown = ({ setup, ranks, size }: Row) =>
    setup.startsWith("hierarchical") || ranks !== 3 && (SHOWN.includes(size) || setup === "in place" && ranks === 2);
  for (const [row, error] of errors) {
    if (!options.all && !isShown(row)) continue;
    const { setup, ranks, size, ms } = row;
    const percent = `${error > 0 ? "+" : ""}${(100 * error).toFixed(0)} %`;
    tableRow([setup, `${ranks}`, size.toLocaleString("en"), ms.toFixed(2), (ms * (1 + error)).toFixed(2), percent]);
  }
  return fitted;
}

function showPredictions(prices: Prices): void {
  const ms = (seconds: number) => (1000 * seconds).toPrecision(3);
  const show = (seconds: number) => seconds < 1 ? `${Number(ms(seconds))} ms` : `${Number(seconds.toPrecision(3))} s`;
  for (const network of NETWORKS) {
    tableHead([`100 MB, ${network.name}`, ...WORLDS.map((ranks) => `${ranks} ranks`)]);
    for (const algorithm of ALGORITHMS) {
      const cell = (ranks: number) => show(predictGradients(algorithm, { ranks, network, bytes: GRADIENTS }, prices));
      tableRow([algorithm, ...WORLDS.map(cell)]);
    }
  }
  const network = NETWORKS[1], buckets = [64 / 1024, 1, 5, 25, 100];
  tableHead([`buckets of, 100 MB, hierarchical, ${network.name}`, ...buckets.map((mib) => `${mib * 1024} KiB`)]);
  for (const ranks of [64, 1024]) {
    const cell = (mib: number) =>
      show(predictGradients(
        "hierarchical",
        { ranks, network, bytes: GRADIENTS, bucketBytes: mib * 2 ** 20 },
        prices,
      ));
    tableRow([`${ranks} ranks`, ...buckets.map(cell)]);
  }
  tableHead(["parameters averaged within, 64 ranks", "10 ms", "100 ms", "1 s"]);
  const within = (name: string, algorithm: typeof ALGORITHMS[number], network: typeof NETWORKS[number]) =>
    tableRow([
      name,
      ...[0.01, 0.1, 1].map((seconds) => {
        const count = parametersWithin(seconds, algorithm, { ranks: 64, network }, prices);
        return Number(count.toPrecision(2)).toLocaleString("en");
      }),
    ]);
  for (const network of NETWORKS) within(`hierarchical, ${network.name}`, "hierarchical", network);
  within("NCCL, assumed", "NCCL, assumed", NETWORKS[0]);
}

/** The predictions as SVG: a panel for each network, both axes logarithmic. */
async function plot(prices: Prices): Promise<string> {
  const values = NETWORKS.flatMap((network) =>
    ALGORITHMS.flatMap((algorithm) =>
      WORLDS.map((ranks) => ({
        ...{ network: network.name, algorithm, ranks },
        seconds: predictGradients(algorithm, { ranks, network, bytes: GRADIENTS }, prices),
      }))
    )
  );
  const { spec } = compile({
    data: { values },
    background: "white",
    config: { font: "DejaVu Sans" },
    width: 210,
    height: 240,
    mark: { type: "line", point: true },
    encoding: {
      column: { field: "network", sort: NETWORKS.map(({ name }) => name), title: "predicted: 100 MB of gradients" },
      x: { field: "ranks", type: "quantitative", scale: { type: "log", base: 2 }, axis: { values: WORLDS } },
      y: { field: "seconds", type: "quantitative", scale: { type: "log" } },
      color: { field: "algorithm", sort: [...ALGORITHMS], title: null },
    },
  });
  const view = new vega.View(vega.parse(spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
