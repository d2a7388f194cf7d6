import assert from "node:assert/strict";
import { tensorflowLibrary, tensorflowTest } from "./only_with_tensorflow.ts";

const start = new URL("../../../runtime/accelerators/tensorflow/start.ts", import.meta.url).href;
const configure = new URL("../../../runtime/tensorflow_library/configure.ts", import.meta.url).href;

/** What a program begins with: a binding, and a function that keeps all of TensorFlow's threads busy. */
const PRELUDE = `
const { configureTensorflow } = await import(${JSON.stringify(configure)});
const configuration = { libraryDirectory: ${JSON.stringify(tensorflowLibrary?.directory)} };
const threads = Number(Deno.args[0]);
configureTensorflow(threads ? { ...configuration, intraOpThreads: threads, interOpThreads: threads } : configuration);
const { startTensorflow } = await import(${JSON.stringify(start)});
const { binding } = await startTensorflow("cpu");
function compute() {
  const id = binding.createTensor([300, 300], 1, new Float32Array(90000).fill(0.01));
  const attributes = [{ name: "T", type: 4, value: 1 }];
  for (let i = 0; i < 20; i++) binding.deleteTensor(binding.executeOp("MatMul", attributes, [id, id], 1)[0].id);
  return binding.tensorDataSync(id)[0];
}
`;

/** Runs a program in a process of its own. */
async function run(program: string, options: { signal?: Deno.Signal; args?: string[] } = {}) {
  const { signal, args = [] } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--ext=ts", "-", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(PRELUDE + program));
  await writer.close();
  let stdout = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += text;
      if (signal && stdout.includes("ready")) child.kill(signal);
    }
  })();
  const [{ code, signal: endedBy }, stderr] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
    reading,
  ]);
  return { code, endedBy, stdout, stderr };
}

tensorflowTest("a process that computed ends cleanly, and TensorFlow has said nothing", async () => {
  const { code, endedBy, stdout, stderr } = await run(`console.log(compute().toFixed(2));`);
  assert.deepEqual({ code, endedBy, stdout, stderr }, { code: 0, endedBy: null, stdout: "0.01\n", stderr: "" });
});

tensorflowTest("TensorFlow starts as many threads as it is told to", async () => {
  if (Deno.build.os !== "linux") return void console.log("skipped: threads are counted in /proc");
  const count = async (threads: number) => {
    const { stdout } = await run(`compute(); console.log([...Deno.readDirSync("/proc/self/task")].length);`, {
      args: [String(threads)],
    });
    return Number(stdout);
  };
  const [one, nine] = [await count(1), await count(9)];
  assert.ok(nine >= one + 8, `${one} threads where it was told to start 1, and ${nine} where it was told 9`);
});

tensorflowTest("Deno.exit in the middle keeps its code, and an uncaught error is one", async () => {
  const exit = await run(`compute(); Deno.exit(7);`);
  assert.deepEqual([exit.code, exit.endedBy], [7, null]);
  const thrown = await run(`compute(); throw new Error("mine");`);
  assert.deepEqual([thrown.code, thrown.endedBy], [1, null]);
  assert.match(thrown.stderr, /mine/);
});

tensorflowTest(
  "a process that ends in whatever way while an op runs later ends as it is told, and by no crash",
  async () => {
    const busy = `
    const size = 1500;
    const id = binding.createTensor([size, size], 1, new Float32Array(size * size).fill(0.01));
    for (let i = 0; i < 2; i++) {
      binding.executeLater("MatMul", {
        attributes: [{ name: "T", type: 4, value: 1 }],
        inputs: [binding.handleOf(id), binding.handleOf(id)],
        numOutputs: 1,
      });
    }
  `;
    const ends: Record<string, number> = {
      "": 0,
      "Deno.exit(7);": 7,
      "throw new Error('mine');": 1,
      "Promise.reject(new Error('mine')); await new Promise((resolve) => setTimeout(resolve));": 1,
      "setTimeout(() => { throw new Error('mine'); });": 1,
    };
    for (const [how, expected] of Object.entries(ends)) {
      const { code, endedBy } = await run(busy + how);
      assert.deepEqual({ how, code, endedBy }, { how, code: expected, endedBy: null });
    }
  },
);

tensorflowTest("a process that is told to end while it computes ends by that signal and by no crash", async () => {
  const { endedBy } = await run(`setInterval(compute, 1); console.log("ready");`, { signal: "SIGTERM" });
  assert.equal(endedBy, "SIGTERM");
});

tensorflowTest("a worker may compute, end or be ended, and the process goes on and ends cleanly", async () => {
  const worker = `data:application/typescript,${
    encodeURIComponent(
      PRELUDE + `
      self.onmessage = ({ data }) => { self.postMessage(compute()); if (data === "close") self.close(); };
      self.postMessage("ready");
    `,
    )
  }`;
  const { code, endedBy, stdout, stderr } = await run(`
    for (const how of ["close", "terminate"]) {
      const worker = new Worker(${JSON.stringify(worker)}, { type: "module" });
      const next = () => new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(event.message);
      });
      console.log(await next());
      worker.postMessage(how);
      console.log((await next()).toFixed(2));
      worker.terminate();
      compute();
    }
    console.log("end");
  `);
  assert.deepEqual([code, endedBy, stderr], [0, null, ""]);
  assert.deepEqual(stdout.trim().split("\n"), ["ready", "0.01", "ready", "0.01", "end"]);
});
