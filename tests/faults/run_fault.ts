import { fileURLToPath } from "node:url";
import type { ErrorReport } from "../../launcher/error_report.ts";
import { readCheckpoint } from "../../runtime/checkpoint/read_checkpoint.ts";
import { expectedOf } from "./expected.ts";
import type { Fault } from "./fault.ts";

/** What came of a run with a fault. */
export interface FaultResult {
  readonly fault: Fault;
  /** What was not as it must be; empty if all was well. */
  readonly problems: readonly string[];
  /** From the harm to the launcher's word about it, in milliseconds; undefined where nothing is to be detected. */
  readonly detectedMs?: number;
  /** All that was printed. */
  readonly output: string;
}

/** How long a rank may be stopped. Frozen ranks and lost connections are found after it. */
const HEARTBEAT_SECONDS = 1.5;
/** Nothing takes as long unless it hangs, however loaded the machine is. */
const HANGS_MS = 90_000;

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Runs a program with a fault under the launcher, and looks at everything that is left. @param reference what an undisturbed run ends with */
export async function runFault(fault: Fault, reference: (fault: Fault) => Promise<Uint8Array>): Promise<FaultResult> {
  const folder = await Deno.makeTempDir({ prefix: "fault-" });
  const problems: string[] = [];
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.mkdir(`${folder}/tmp`);
  await Deno.mkdir(`${folder}/checkpoints`);
  if (fault.kind === "disk") cleanup.defer(await smallDisk(`${folder}/checkpoints`));
  const run = await launch(fault, folder);
  if (run.hangs) problems.push(`it did not end within ${HANGS_MS / 1000} s`);

  const left = await processesOf(folder, fault.kind === "launcher" ? 10_000 : 0);
  if (left.length > 0) problems.push(`processes are left: ${left.join(", ")}`);
  const files = [...Deno.readDirSync(`${folder}/tmp`)].map(({ name }) => name);
  if (files.length > 0) problems.push(`files are left: ${files.join(", ")}`);
  for (const { name } of Deno.readDirSync(`${folder}/checkpoints`)) {
    if (!name.endsWith(".ckpt")) continue;
    await readCheckpoint(`${folder}/checkpoints/${name}`).catch((error) => problems.push(`${name}: ${error.message}`));
  }
  const report = await readReport(`${folder}/report.json`);
  const expected = expectedOf(fault);
  if (!run.hangs && run.code !== expected.exitCode) problems.push(`exit code ${run.code}, not ${expected.exitCode}`);
  if (expected.check) {
    const failure = report?.earlier[0]?.failure ?? report?.failure;
    if (failure === undefined) problems.push("no failure is reported");
    else problems.push(...expected.check(failure));
  } else if (report) problems.push("a failure is reported where there was none");
  if (expected.exitCode === 0) {
    const result = await Deno.readFile(`${folder}/result`).catch(() => undefined);
    const same = result && isSame(result, await reference(fault));
    if (!same) problems.push(result ? "the result differs from an undisturbed run's" : "there is no result");
  }
  const harmAt = Number(await Deno.readTextFile(`${folder}/harm`).catch(() => "NaN"));
  if (Number.isNaN(harmAt) && fault.kind !== "disk") problems.push("no harm was done");
  const toldAt = fault.kind === "launcher" ? now() : run.toldAt;
  const detectedMs = toldAt === undefined || Number.isNaN(harmAt) ? undefined : toldAt - harmAt;
  return { fault, problems, detectedMs, output: run.output };
}

/** Runs the program and notes when the launcher says what failed. */
export async function launch(
  fault: Fault,
  folder: string,
): Promise<{ code: number; output: string; toldAt?: number; hangs: boolean }> {
  const { program, worldSize, maxRestarts, kind } = fault;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", ...(kind === "memory" ? ["--v8-flags=--max-old-space-size=60"] : [])],
      ...[path("../../launcher/main.ts"), "--devices", String(worldSize)],
      ...["--max-restarts", String(maxRestarts), "--restart-delay", "0.01"],
      ...["--heartbeat-timeout", String(HEARTBEAT_SECONDS), "--error-file", `${folder}/report.json`],
      ...[path(`scripts/${program}.ts`), JSON.stringify(fault)],
    ],
    env: { NO_COLOR: "1", FAULT_FOLDER: folder, TMPDIR: `${folder}/tmp`, WEFT_FAULT: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "", toldAt: number | undefined, hangs = false;
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (/^weft: rank \d+ .*first to fail/m.test(output)) toldAt ??= now();
    }
  };
  const reading = Promise.all([read(process.stdout), read(process.stderr)]);
  const timer = setTimeout(() => {
    hangs = true;
    process.kill("SIGKILL");
  }, HANGS_MS);
  const { code } = await process.status;
  clearTimeout(timer);
  await reading;
  return { code, output, toldAt, hangs };
}

/** Milliseconds that processes of this host agree on. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function readReport(path: string): Promise<ErrorReport | undefined> {
  const text = await Deno.readTextFile(path).catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** The processes of a run that live. @param patienceMs how long they may take to end */
async function processesOf(folder: string, patienceMs: number): Promise<string[]> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const found: string[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const environment = await Deno.readTextFile(`/proc/${name}/environ`);
        const command = await Deno.readTextFile(`/proc/${name}/cmdline`);
        if (environment.includes(`WEFT_FAULT=${folder}`)) {
          found.push(`${name} ${command.replaceAll("\0", " ").slice(0, 60)}`);
        }
      } catch {
        // Ended, or not ours.
      }
    }
    if (found.length === 0 || performance.now() >= end) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Lays a disk over a folder on which one checkpoint fits, but not two. Returns what takes it away. */
async function smallDisk(folder: string): Promise<() => Promise<void>> {
  const run = async (command: string, ...args: string[]) => {
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  };
  await run("mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", folder);
  return () => run("umount", folder);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
