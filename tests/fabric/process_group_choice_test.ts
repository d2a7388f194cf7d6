import assert from "node:assert/strict";
import { tensorflowTest } from "../accelerators/tensorflow/only_with_tensorflow.ts";
import { runLauncher } from "../launcher/run_launcher.ts";

const SCRIPT = new URL("scripts/show_process_group.ts", import.meta.url).pathname;
const BY_TENSORFLOW = /Distributed: 2 ranks on 1 host, strategy ddp, gradients reduced by TensorFlow/;

interface Shown {
  rank: number;
  sum: number;
  servers: number;
}

/** What the ranks printed, by rank. */
function shown(stdout: string): Shown[] {
  const lines = stdout.split("\n").flatMap((line) => /\{.*\}/.exec(line) ?? []);
  return lines.map((line): Shown => JSON.parse(line)).sort((a, b) => a.rank - b.rank);
}

async function launch(
  options: string[],
  { env, inCode = [] }: { env?: Record<string, string>; inCode?: "tensorflow"[] } = {},
) {
  const { code, stdout, stderr } = await runLauncher(["--devices", "2", ...options, SCRIPT, ...inCode], { env });
  return { code, stderr, ranks: shown(stdout) };
}

const byTensorflow = [0, 1].map((rank) => ({ rank, sum: 3, servers: 1 }));
const byZeromq = [0, 1].map((rank) => ({ rank, sum: 3, servers: 0 }));

tensorflowTest("--process-group tensorflow lets TensorFlow reduce what a script leaves open", async () => {
  const { code, stderr, ranks } = await launch(["--process-group", "tensorflow"]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(ranks, byTensorflow);
  assert.match(stderr, BY_TENSORFLOW);
});

tensorflowTest("--process-group zeromq wins over the variable that says otherwise", async () => {
  const { code, stderr, ranks } = await launch(["--process-group", "zeromq"], {
    env: { WEFT_PROCESS_GROUP: "tensorflow" },
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(ranks, byZeromq);
  assert.doesNotMatch(stderr, BY_TENSORFLOW);
});

tensorflowTest("WEFT_PROCESS_GROUP tells ranks that no launcher of ours started", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }), { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const outputs = await Promise.all([0, 1].map(async (rank) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", SCRIPT],
      env: {
        ...{ RANK: `${rank}`, LOCAL_RANK: `${rank}`, WORLD_SIZE: "2", LOCAL_WORLD_SIZE: "2" },
        ...{ MASTER_ADDR: "127.0.0.1", MASTER_PORT: `${port}`, WEFT_PROCESS_GROUP: "TensorFlow" },
      },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }));
  assert.deepEqual(shown(outputs.join("\n")), byTensorflow);
});

tensorflowTest("a process group in the code needs no option, and one that contradicts it is told at once", async () => {
  const alone = await launch([], { inCode: ["tensorflow"] });
  assert.equal(alone.code, 0, alone.stderr);
  assert.deepEqual(alone.ranks, byTensorflow);
  const both = await launch(["--process-group", "zeromq"], { inCode: ["tensorflow"] });
  assert.notEqual(both.code, 0);
  assert.deepEqual(both.ranks, []);
  assert.match(
    both.stderr,
    /Your code has `processGroup: "tensorflow"` but the launcher was given `--process-group zeromq`\. Remove it/,
  );
});

Deno.test("--process-group tensorflow on an accelerator that is not TensorFlow's says so", async () => {
  const script = `
    import { Fabric } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
    const fabric = new Fabric();
    await fabric.launch();
    await fabric.close();`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, script);
  const options = ["--devices", "2", "--accelerator", "wasm", "--process-group", "tensorflow"];
  const { code, stderr } = await runLauncher([...options, file]);
  await Deno.remove(file);
  assert.notEqual(code, 0);
  assert.match(stderr, /`--process-group tensorflow` needs TensorFlow, but the accelerator in use is wasm.*deno task/);
});
