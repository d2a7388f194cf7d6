import assert from "node:assert/strict";
import { helpText } from "../../launcher/help.ts";
import { LAUNCHER_OPTIONS } from "../../launcher/options.ts";
import { parseCommandLine } from "../../launcher/parse_command_line.ts";

function parsed(...args: string[]) {
  const line = parseCommandLine(args);
  assert(!line.help);
  return line;
}

Deno.test("what follows the script belongs to the script, whatever it looks like", () => {
  const line = parsed("--devices", "2", "train.ts", "--devices", "9", "--help", "--", "-x", "");
  assert.equal(line.script, "train.ts");
  assert.deepEqual(line.args, ["--devices", "9", "--help", "--", "-x", ""]);
  assert.equal(line.options.devices, "2");
});

Deno.test("values follow after a space or an equals sign, also negative ones", () => {
  assert.equal(parsed("--devices", "-1", "train.ts").options.devices, "-1");
  assert.equal(parsed("--devices=-1", "train.ts").options.devices, "-1");
  assert.equal(parsed("--devices=0,1", "train.ts").options.devices, "0,1");
  assert.equal(parsed("--", "train.ts").script, "train.ts");
});

Deno.test("every option has its default", () => {
  assert.deepEqual({ ...parsed("train.ts").options }, {
    devices: undefined,
    accelerator: undefined,
    strategy: undefined,
    processGroup: undefined,
    precision: undefined,
    numNodes: 1,
    minNodes: 1,
    nodeRank: 0,
    mainAddress: "127.0.0.1",
    mainPort: 0,
    keyFile: undefined,
    maxRestarts: 0,
    logDir: undefined,
    tee: false,
    timeoutSeconds: undefined,
    rendezvousTimeoutSeconds: undefined,
    graceSeconds: undefined,
    heartbeatTimeoutSeconds: undefined,
    restartDelaySeconds: undefined,
    maxTimeSeconds: undefined,
    preemptionSignal: undefined,
    errorFile: undefined,
  });
});

Deno.test("every option can come from its environment variable, and the command line wins", () => {
  const values: Record<string, string> = {
    tee: "1",
    accelerator: "wasm",
    strategy: "ddp",
    "process-group": "TensorFlow",
    "log-dir": "/tmp/x",
    "preemption-signal": "usr2",
  };
  const variables = Object.fromEntries(
    LAUNCHER_OPTIONS.map(({ name, variable }) => [variable, values[name] ?? "3"]),
  );
  const line = parseCommandLine(["train.ts"], variables);
  assert(!line.help);
  const { tee, accelerator, strategy, logDir, mainAddress, keyFile, precision, errorFile, ...rest } = line.options;
  const { preemptionSignal, processGroup, ...numbers } = rest;
  assert.deepEqual(
    { tee, accelerator, strategy, logDir, mainAddress, keyFile, precision, errorFile, preemptionSignal, processGroup },
    {
      tee: true,
      accelerator: "wasm",
      strategy: "ddp",
      logDir: "/tmp/x",
      mainAddress: "3",
      keyFile: "3",
      precision: "3",
      errorFile: "3",
      preemptionSignal: "SIGUSR2",
      processGroup: "tensorflow",
    },
  );
  assert.deepEqual(Object.values(numbers).map(Number), Array(12).fill(3));
  const both = parseCommandLine(["--timeout", "1.5", "train.ts"], variables);
  assert.equal(!both.help && both.options.timeoutSeconds, 1.5);
});

Deno.test("the help names every option and its variable", () => {
  assert.deepEqual(parseCommandLine(["--help"]), { help: true });
  assert.deepEqual(parseCommandLine(["-h"]), { help: true });
  for (const { name, variable } of LAUNCHER_OPTIONS) {
    assert(helpText().includes(`--${name}`) && helpText().includes(`[${variable}]`), name);
  }
});

const WRONG: [string[], RegExp][] = [
  [["--device", "2", "train.ts"], /`--device` is no option of the launcher; did you mean `--devices`\?/],
  [["--acelerator=wasm", "train.ts"], /did you mean `--accelerator`\?/],
  [
    ["--completely-unlike", "train.ts"],
    /`--completely-unlike` is no option of the launcher\. Options of the script follow/,
  ],
  [["-d", "2", "train.ts"], /`-d` is no option/],
  [["--devices"], /`--devices` needs a value/],
  [["--devices", "--tee", "train.ts"], /`--devices` needs a value/],
  [["--devices=", "train.ts"], /`--devices` needs a value/],
  [["--devices", "2"], /No script is given/],
  [[], /No script is given/],
  [["--num-nodes", "two", "train.ts"], /^`--num-nodes two` must be an integer of at least 1/],
  [["--num-nodes", "0", "train.ts"], /`--num-nodes 0` must be an integer of at least 1/],
  [["--main-port", "70000", "train.ts"], /`--main-port 70000` must be an integer from 0 to 65535/],
  [["--max-restarts", "-1", "train.ts"], /`--max-restarts -1` must be an integer/],
  [["--timeout", "NaN", "train.ts"], /`--timeout NaN` must be a positive number of seconds/],
  [["--process-group", "gloo", "train.ts"], /`--process-group gloo` must be one of zeromq, tensorflow/],
  [["--grace", "0", "train.ts"], /`--grace 0` must be a positive number/],
  [["--tee", "train.ts"], /`--tee` .* give --log-dir too/],
];
for (const [args, message] of WRONG) {
  Deno.test(`the command line "${args.join(" ")}" is an error that says what to type`, () => {
    assert.throws(() => parseCommandLine(args), (error: Error) => {
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("a wrong value in an environment variable is an error that names the variable", () => {
  assert.throws(
    () => parseCommandLine(["train.ts"], { WEFT_NODE_RANK: "first" }),
    /The environment variable WEFT_NODE_RANK=first must be an integer/,
  );
});
