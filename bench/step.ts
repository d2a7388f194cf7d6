/**
 * Milliseconds a training step takes (batch 100 and Adam unless said otherwise, the batch handed over from memory in every step), ours and the peers' in turn, in one run.
 *
 *     deno run -A bench/step.ts [--peer-python PATH] [--models perceptron,convnet,transformer] [--steps 200] [--rounds 5]
 *
 * The models: a perceptron 784-100-10; two 3×3 convolutions of 16 and 32 channels with pooling and a dense layer; the character transformer of
 * the examples (2 blocks, 4 heads, width 64, 32 texts of 76 characters, AdamW). The best round of each
 * program, since others only wait for the machine. `ratio` is PyTorch's eager time over the program's. A peer that the Python lacks is left out,
 * with a line that says so.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { peerPython } from "./peer_python.ts";

interface Program {
  name: string;
  command: string;
  args: string[];
  /** How much slower than the fastest it is known to be: it runs that many steps fewer. */
  slowness?: number;
}

const { values: options } = parseArgs({
  options: {
    "peer-python": { type: "string" },
    models: { type: "string", default: "perceptron,convnet,transformer" },
    steps: { type: "string", default: "200" },
    rounds: { type: "string", default: "5" },
  },
});
const python = await peerPython(options["peer-python"]);
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const threads = navigator.hardwareConcurrency;

const programs = (model: string): Program[] => {
  const ours = (name: string, accelerator: string, compile: string, slowness = 1): Program => ({
    name,
    command: Deno.execPath(),
    args: ["run", "-A", path("./step_program.ts"), model, accelerator, compile],
    slowness,
  });
  const torch = (how: string): Program => ({
    name: `PyTorch, ${how}`,
    command: python,
    args: [path("./peers/torch_step.py"), model, how, `${threads}`],
  });
  return [
    torch("eager"),
    torch("compile"),
    ...(model === "perceptron" ? [{ name: "JAX, jitted", command: python, args: [path("./peers/jax_step.py")] }] : []),
    ours("cpu, compiled, auto", "cpu", "auto"),
    ours("cpu, compiled, graph", "cpu", "graph"),
    ours("cpu, compiled, XLA", "cpu", "xla"),
    ours("cpu, compiled, exact", "cpu", "exact"),
    ours("cpu, op by op", "cpu", "false", 4),
    ours("wasm", "wasm", "false", 4),
  ];
};

console.log(
  `${Deno.build.target}, ${threads} cores, Deno ${Deno.version.deno}, ${await run(python, [
    "-c",
    "import sys, torch; print('Python', sys.version.split()[0] + ', PyTorch', torch.__version__)",
  ])}`,
);
for (const model of options.models.split(",")) {
  const best = new Map<string, number>();
  let left = programs(model);
  // Each program runs twice, the others in between: a machine that slows down slows all of them.
  for (let turn = 0; turn < 2; turn++) {
    for (const program of left) {
      const steps = Math.max(1, Math.round(Number(options.steps) / (program.slowness ?? 1)));
      try {
        const lines = await run(program.command, [...program.args, `${steps}`, options.rounds]);
        const times = [...lines.matchAll(/\{"ms": ?([\d.e-]+)\}/g)].map(([, ms]) => Number(ms));
        best.set(program.name, Math.min(best.get(program.name) ?? Infinity, ...times));
      } catch (error) {
        console.log(`${program.name} left out: ${lastLine(error)}`);
        left = left.filter((other) => other !== program);
      }
    }
  }
  const eager = best.get("PyTorch, eager");
  console.log(`\n| ${model} | ms a step | ratio |\n| --- | --- | --- |`);
  for (const [name, ms] of best) {
    console.log(`| ${name} | ${ms.toFixed(2)} | ${eager ? (eager / ms).toFixed(2) : "-"} |`);
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, env: { NO_COLOR: "1" } }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

function lastLine(error: unknown): string {
  return (error as Error).message.trim().split("\n").at(-1) ?? "";
}
