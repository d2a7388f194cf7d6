import assert from "node:assert/strict";
import { DDPStrategy } from "../../strategies/ddp.ts";
import type { ClusterInfo } from "../../runtime/environments/cluster_info.ts";
import { detectCluster } from "../../runtime/environments/detect_cluster.ts";
import { type FabricOptions, resolveFabricOptions } from "../../runtime/fabric/options.ts";

const local: ClusterInfo = detectCluster({});
const resolve = (options: FabricOptions, settings = {}) =>
  resolveFabricOptions(options, { silencedWarnings: [], ...settings }, local);

Deno.test("the command line fills in what the code leaves open", () => {
  const config = resolve({ precision: "32-true" }, { accelerator: "wasm", devices: "2", strategy: "dp" });
  assert.equal(config.accelerator, "wasm");
  assert.equal(config.devices, "2");
  assert.equal(config.strategy, "dp");
  assert.equal(config.precision, "32-true");
});

Deno.test("`auto` in the code gives way to the command line", () => {
  assert.equal(resolve({ accelerator: "auto", devices: "auto" }, { accelerator: "wasm", devices: "2" }).devices, "2");
});

Deno.test("code and command line may say the same", () => {
  assert.equal(resolve({ devices: 2 }, { devices: "2" }).devices, 2);
});

Deno.test("code and command line that contradict each other are an error that names both", () => {
  assert.throws(() => resolve({ devices: 4 }, { devices: "2" }), /devices: 4.*--devices 2.*Remove it/s);
  assert.throws(() => resolve({ accelerator: "webgpu" }, { accelerator: "wasm" }), /--accelerator wasm/);
});

Deno.test("the command line's process group counts where the code names none", () => {
  const tensorflow = { processGroup: "tensorflow" };
  assert.equal(resolve({}).processGroup, "zeromq");
  assert.equal(resolve({}, tensorflow).processGroup, "tensorflow");
  assert.equal(resolve({ strategy: new DDPStrategy({ bucketCapMiB: 1 }) }, tensorflow).processGroup, "tensorflow");
  assert.equal(
    resolve({ strategy: new DDPStrategy({ processGroup: "tensorflow" }) }, tensorflow).processGroup,
    "tensorflow",
  );
  assert.equal(resolve({ strategy: new DDPStrategy({ processGroup: "zeromq" }) }).processGroup, "zeromq");
  assert.throws(
    () => resolve({ strategy: new DDPStrategy({ processGroup: "zeromq" }) }, tensorflow),
    /processGroup: "zeromq".*--process-group tensorflow.*Remove it/s,
  );
});

Deno.test("a misspelt option is an error that names the one meant", () => {
  assert.throws(
    () => resolve({ acelerator: "wasm" } as FabricOptions),
    /no option `acelerator`; did you mean `accelerator`/,
  );
});

Deno.test("options of the wrong kind are an error that says what belongs there", () => {
  const wrong: [unknown, RegExp][] = [
    [5, /takes its options as an object.*got number 5/],
    [null, /takes its options as an object.*got null/],
    [{ accelerator: 5 }, /`accelerator` must be a name such as "auto", but got 5/],
    [{ strategy: {} }, /`strategy` must be a name such as "ddp".*got \{\}/],
    [{ loggers: "csv" }, /`loggers` takes objects such as `new CSVLogger\("logs"\)`, but got "csv"/],
    [{ loggers: [{}] }, /`loggers`.*got \{\}/],
    [{ callbacks: [undefined] }, /`callbacks`.*got undefined/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => resolve(options as FabricOptions),
      (error: Error) => error instanceof TypeError && message.test(error.message),
    );
  }
});

Deno.test("numNodes must be a positive integer", () => {
  for (const numNodes of [0, -1, 1.5, NaN]) assert.throws(() => resolve({ numNodes }), /positive integer/);
});

Deno.test("one callback or logger is a list of one", () => {
  const callback = {};
  assert.deepEqual(resolve({ callbacks: callback }).callbacks, [callback]);
  assert.deepEqual(resolve({}).loggers, []);
});
