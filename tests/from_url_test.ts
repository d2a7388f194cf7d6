import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** Serves the repository as a web server would, on loopback. */
function serveRepository(): { origin: string; server: Deno.HttpServer } {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL("." + new URL(request.url).pathname, root);
    if (!path.href.startsWith(root.href)) return new Response("outside", { status: 403 });
    try {
      const type = path.pathname.endsWith(".ts") ? "text/typescript" : "text/plain";
      return new Response(await Deno.readFile(path), { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  return { origin: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`, server };
}

/** Runs Deno in an empty folder, with `script` in it, and returns what it printed. */
async function runInEmptyFolder(script: string, args: (path: string) => string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/script.ts`;
    await Deno.writeTextFile(path, script);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", ...args(path)],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const training = (origin: string) => `
import { crossEntropy, Fabric, MNIST, DataLoader, seed_everything, tf } from "${origin}/mod.ts";
seed_everything(1);
const fabric = new Fabric({ strategy: "dp" });
await fabric.launch();
const loader = fabric.setupDataloaders(new DataLoader(await MNIST.load({ train: false }), { batchSize: 100, shuffle: true }));
const net = tf.sequential({ layers: [tf.layers.dense({ inputShape: [784], units: 10 })] });
const [model, optimizer] = await fabric.setup(net, tf.train.sgd(0.1));
let steps = 0;
for await (const [x, y] of loader) {
  optimizer.zeroGrad();
  await fabric.backward(crossEntropy(model.forward(x), y));
  optimizer.step();
  if (++steps === 3) break;
}
console.log("trained", steps, "steps of rank", fabric.globalRank, "of", fabric.worldSize);
await fabric.close();
`;

Deno.test("a script in an empty folder trains with mod.ts imported from a URL", async () => {
  const { origin, server } = serveRepository();
  try {
    const output = await runInEmptyFolder(training(origin), (path) => [path]);
    assert.match(output, /trained 3 steps of rank 0 of 1/);
  } finally {
    await server.shutdown();
  }
});

Deno.test("the launcher runs from a URL and starts ranks that import from there", async () => {
  const { origin, server } = serveRepository();
  try {
    const output = await runInEmptyFolder(
      training(origin),
      (path) => [`${origin}/launcher/main.ts`, "--devices", "2", path],
    );
    for (const rank of [0, 1]) {
      assert.match(output, new RegExp(`\\[rank ${rank}\\] trained 3 steps of rank ${rank} of 2`));
    }
  } finally {
    await server.shutdown();
  }
});

Deno.test("a script with `devices: 2` in its code, imported from a URL, starts its own ranks", async () => {
  const { origin, server } = serveRepository();
  try {
    const script = training(origin).replace('{ strategy: "dp" }', '{ strategy: "dp", devices: 2 }');
    const output = await runInEmptyFolder(script, (path) => [fileURLToPath(new URL(`file://${path}`))]);
    for (const rank of [0, 1]) assert.match(output, new RegExp(`\\[rank ${rank}\\] trained 3 steps`));
  } finally {
    await server.shutdown();
  }
});
