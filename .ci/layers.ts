/**
 * Holds the direction of imports: a folder imports from the layers left of it and from itself, nothing else.
 * Run: deno run --allow-read .ci/layers.ts
 */

/** Left to right. Folders of one layer do not import each other. docs/architecture.md tells what each holds. */
const LAYERS: readonly (readonly string[])[] = [
  ["runtime/core"],
  [
    "runtime/devices",
    "runtime/environments",
    "runtime/comm",
    "runtime/tensor",
    "runtime/progress",
    "runtime/tensorflow_library",
  ],
  ["launcher", "runtime/nn", "runtime/precision", "runtime/seed", "runtime/checkpoint", "runtime/loggers"],
  ["runtime/accelerators", "runtime/data", "runtime/metrics", "runtime/optim"],
  ["strategies"],
  ["runtime/compile"],
  ["runtime/fabric"],
  ["runtime/trainer"],
  ["mod.ts"],
  ["examples", "tests", "bench"],
];

/** The launcher starts in a blink and runs where no tensor library is: it may not load one, not even through a neighbour. */
const FORBIDDEN: readonly { from: string; to: string; why: string }[] = [
  { from: "launcher", to: "runtime/tensor", why: "the launcher never loads tfjs" },
  { from: "runtime/comm", to: "runtime/tensor", why: "collectives know typed arrays and bytes only" },
  { from: "runtime/trainer", to: "strategies", why: "the Trainer is a client of Fabric" },
  { from: "runtime/trainer", to: "launcher", why: "the Trainer is a client of Fabric" },
  { from: "runtime/trainer", to: "runtime/comm", why: "the Trainer is a client of Fabric" },
  ...["runtime", "strategies", "launcher"].map((to) => ({ from: "examples", to, why: "examples import mod.ts alone" })),
];

const root = new URL("../", import.meta.url);

function layerOf(path: string): { index: number; name: string } | undefined {
  for (const [index, names] of LAYERS.entries()) {
    const name = names.find((name) => path === name || path.startsWith(name + "/"));
    if (name) return { index, name };
  }
  return undefined;
}

async function* sources(folder = ""): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder || ".", root))) {
    const path = folder + entry.name;
    if (entry.isDirectory && !entry.name.startsWith(".") && entry.name !== "node_modules") yield* sources(path + "/");
    else if (/\.(ts|tsx|js|mjs)$/.test(entry.name)) yield path;
  }
}

const problems: string[] = [];
let files = 0, imports = 0;
for await (const path of sources()) {
  const from = layerOf(path);
  if (!from) {
    problems.push(`${path} lies in no layer: name its folder in .ci/layers.ts or move the file`);
    continue;
  }
  files++;
  const text = (await Deno.readTextFile(new URL(path, root))).replace(/\/\*[\s\S]*?\*\//g, "");
  for (const [, specifier] of text.matchAll(/(?:from|import|import\()\s*["']([^"'\n]+)["']/g)) {
    if (specifier.startsWith("jsr:")) problems.push(`${path} imports ${specifier}: no jsr: imports (docs/decisions)`);
    if (!specifier.startsWith(".")) continue;
    imports++;
    const target = new URL(specifier, new URL(path, root)).href.slice(root.href.length);
    const to = layerOf(target);
    if (!to) continue;
    const rule = FORBIDDEN.find((rule) => layerStartsWith(from.name, rule.from) && layerStartsWith(to.name, rule.to));
    if (rule) problems.push(`${path} imports ${target}: ${rule.why}`);
    else if (to.name !== from.name && to.index >= from.index && from.index !== LAYERS.length - 1) {
      problems.push(`${path} imports ${target}: ${from.name} is not right of ${to.name}`);
    }
  }
}

function layerStartsWith(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(prefix + "/");
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  console.error(`\n${problems.length} imports against the direction of docs/architecture.md`);
  Deno.exit(1);
}
console.log(`layers: ${imports} imports of ${files} files point one way`);
