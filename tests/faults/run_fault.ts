import type { ErrorReport } from "../../launcher/error_report.ts";
import { expectedOf } from "./expected.ts";
import type { Fault } from "./fault.ts";
import { HANGS_MS, launch } from "./launch.ts";
import { leftBehind } from "./left_behind.ts";
import { now } from "./now.ts";
import { smallDisk } from "./small_disk.ts";

/** What came of a run with a fault. */
export interface FaultResult {
  readonly fault: Fault;
  /** What was not as it must be; empty if all was well. */
  readonly problems: readonly string[];
  /** From the harm to the launcher's word about it, of several the last one's, in milliseconds; undefined where nothing is to be detected. */
  readonly detectedMs?: number;
  /** All that was printed. */
  readonly output: string;
}

/** Runs a program with a fault under the launcher, and looks at everything that is left. @param reference what an undisturbed run ends with */
export async function runFault(fault: Fault, reference: (fault: Fault) => Promise<Uint8Array>): Promise<FaultResult> {
  const folder = await Deno.makeTempDir({ prefix: "fault-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.mkdir(`${folder}/tmp`);
  await Deno.mkdir(`${folder}/checkpoints`);
  if (fault.kind === "disk") cleanup.defer(await smallDisk(`${folder}/checkpoints`));
  const run = await launch(fault, folder);
  const toldAt = fault.kind === "launcher" && fault.hosts === 1 ? now() : run.toldAt;

  const problems = [...run.left, ...await leftBehind(folder, fault.kind === "launcher" ? 10_000 : 0)];
  if (run.hangs) problems.push(`it did not end within ${HANGS_MS / 1000} s`);
  for (const [host, code] of run.codes.entries()) {
    const expected = expectedOf(fault, host), who = fault.hosts > 1 ? `host ${host}: ` : "";
    const isRight = expected.exitCodes.includes(code) && (code === run.codes[0] || expected.exitCodes.length === 1);
    if (!run.hangs && !isRight) problems.push(`${who}exit code ${code}, not ${expected.exitCodes.join(" or ")}`);
    const report = await readReport(`${folder}/report${host}.json`);
    if (!report && code !== 0 && fault.kind !== "launcher") problems.push(`${who}no report`);
    problems.push(...expected.check(report).map((problem) => who + problem));
  }
  if (run.codes[0] === 0) {
    const result = await Deno.readFile(`${folder}/result`).catch(() => undefined);
    const same = result && isSame(result, await reference(fault));
    if (!same) problems.push(result ? "the result differs from an undisturbed run's" : "there is no result");
  }
  const harmAt = Number(await Deno.readTextFile(`${folder}/harm`).catch(() => "NaN"));
  if (Number.isNaN(harmAt) && fault.kind !== "disk") problems.push("no harm was done");
  const detectedMs = toldAt === undefined || Number.isNaN(harmAt) ? undefined : toldAt - harmAt;
  return { fault, problems, detectedMs, output: run.output };
}

async function readReport(path: string): Promise<ErrorReport | undefined> {
  const text = await Deno.readTextFile(path).catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
