import type { Network } from "./network.ts";
import { type Ended, missingPrograms, runProgram } from "./programs.ts";

/** The programs of Debian's slurm-wlm and munge that a cluster needs. */
const SLURM_PROGRAMS = ["munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scancel"];

/** Why there can be no Slurm here; undefined if there can. */
export function noSlurm(): string | undefined {
  const missing = missingPrograms(SLURM_PROGRAMS);
  if (Deno.build.os !== "linux") return "this is not Linux";
  if (missing.length > 0) return `there is no ${missing.join(", ")} here (Debian: slurm-wlm, munge)`;
  return Deno.uid() === 0 ? undefined : "its daemons need root";
}

/** A machine of the cluster. */
interface Machine {
  readonly name: string;
  readonly address: string;
  /** What a command line begins with so that it runs there. */
  readonly prefix: readonly string[];
}

/**
 * A Slurm in a folder of its own: munged, slurmctld and slurmd as children of this process, none of the system's files. It has one node, this
 * machine, on loopback; or those of a network, of which the first host has no tasks but slurmctld, and is where jobs are submitted. Needs root.
 * When it is disposed of, its jobs are cancelled and nothing is left.
 */
export class Slurm implements AsyncDisposable {
  readonly #env: Record<string, string>;
  readonly #main: Machine;
  readonly #folder: string;
  readonly #daemons: Daemon[] = [];
  #isReady = false;

  private constructor(folder: string, main: Machine) {
    this.#folder = folder;
    this.#main = main;
    this.#env = { SLURM_CONF: `${folder}/slurm.conf` };
  }

  /** Resolves when a job can be started. @param network its nodes. Default: this machine @throws Error with what a daemon wrote, if it ends instead */
  static async start(network?: Network): Promise<Slurm> {
    const [main, ...others] = network ? machinesOf(network) : [thisMachine()], nodes = network ? others : [main];
    const slurm = new Slurm(await Deno.makeTempDir({ prefix: "weft-slurm-" }), main);
    await using undo = new AsyncDisposableStack();
    undo.use(slurm);
    const folder = slurm.#folder;
    const key = crypto.getRandomValues(new Uint8Array(128));
    await Deno.writeFile(`${folder}/munge.key`, key, { mode: 0o600 });
    await Deno.mkdir(`${folder}/state`);
    for (const { name } of nodes) await Deno.mkdir(`${folder}/spool/${name}`, { recursive: true });
    await Deno.writeTextFile(`${folder}/slurm.conf`, configuration(folder, main, nodes));
    const files = ["key-file=munge.key", "socket=munge.socket", "pid-file=munge.pid", "seed-file=munge.seed"];
    // --force: the folder is root's alone, which munged takes for a mistake.
    await slurm.#run(undefined, "munged", [
      "--foreground",
      "--force",
      ...files.map((file) => `--${file.replace("=", `=${folder}/`)}`),
      `--log-file=${folder}/munge.log`,
    ], /Created \d+ work thread/);
    await slurm.#run(main, "slurmctld", ["-D", "-f", `${folder}/slurm.conf`], /Running as primary controller/);
    for (const node of nodes) {
      await slurm.#run(node, "slurmd", ["-D", "-N", node.name, "-f", `${folder}/slurm.conf`], /slurmd started on/);
    }
    slurm.#isReady = true;
    undo.move();
    return slurm;
  }

  /** Runs one of Slurm's programs to its end, where jobs are submitted. */
  run(program: string, args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<Ended> {
    const [first, ...rest] = [...this.#main.prefix, program, ...args];
    return runProgram(first, rest, { cwd: options.cwd, env: { ...this.#env, ...options.env } });
  }

  /**
   * Submits a batch script, and waits until the job has ended, however often it was put into the queue again. `sbatch --wait` would do that too, but looks only after 10 s, and then every 32 s.
   * @returns the job's exit code, and what `sbatch` said
   */
  async batch(args: string[], options: { cwd: string; env?: Record<string, string> }): Promise<Omit<Ended, "stdout">> {
    const { code, stdout, stderr } = await this.run("sbatch", ["--parsable", ...args], options);
    if (code !== 0) return { code, stderr };
    for (;;) {
      const { stdout: told } = await this.run("scontrol", ["show", "job", "--oneliner", stdout.trim()]);
      const [, state, exitCode] = /JobState=(\w+) .* ExitCode=(\d+):/.exec(told) ?? [];
      if (/^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY)$/.test(state)) {
        return { code: Number(exitCode), stderr };
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #run(machine: Machine | undefined, program: string, args: string[], ready: RegExp): Promise<void> {
    const daemon = new Daemon(program, [...machine?.prefix ?? [], program, ...args]);
    this.#daemons.push(daemon);
    await daemon.says(ready);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isReady) await this.#cancelJobs();
    for (const daemon of this.#daemons.reverse()) await daemon.end();
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** A job is listed until the processes that watched over its tasks have ended; nothing else tells. */
  async #cancelJobs(): Promise<void> {
    await this.run("scancel", ["--user", "root"]);
    while ((await this.run("squeue", ["--noheader"])).stdout.trim() !== "") {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** A daemon in the foreground, whose standard error is listened to. */
class Daemon {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  #written = "";
  #onText = () => {};

  constructor(name: string, [first, ...args]: string[]) {
    this.#name = name;
    const path = `${Deno.env.get("PATH")}:/usr/sbin:/sbin`;
    this.#process = new Deno.Command(first, { args, env: { PATH: path }, stdout: "null", stderr: "piped" }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.#written += text;
      this.#onText();
    }
  }

  /** Resolves when it has written a text. @throws Error with what it wrote instead, when it ends */
  async says(text: RegExp): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#onText = () => text.test(this.#written) && resolve(true);
    this.#onText();
    if (await Promise.race([promise, this.#reading.then(() => text.test(this.#written))])) return;
    throw new Error(`${this.#name} ended before it wrote ${text}:\n${this.#written}`);
  }

  async end(): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
    await this.#reading;
  }
}

function thisMachine(): Machine {
  return { name: Deno.hostname().split(".")[0], address: "127.0.0.1", prefix: [] };
}

function machinesOf(network: Network): Machine[] {
  return network.addresses.map((address, host) => ({ name: `host${host}`, address, prefix: network.prefix(host) }));
}

function configuration(folder: string, main: Machine, nodes: readonly Machine[]): string {
  const lines = nodes.map(({ name, address }) => `NodeName=${name} NodeAddr=${address} CPUs=2 State=UNKNOWN`);
  return `ClusterName=weft
SlurmctldHost=${main.name}(${main.address})
SlurmctldPort=${freePort()}
SlurmdPort=${freePort()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.socket
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
${lines.join("\n")}
PartitionName=all Nodes=${nodes.map(({ name }) => name).join(",")} Default=YES State=UP
`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
