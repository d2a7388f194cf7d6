import { runProgram } from "./programs.ts";

/** The programs of Debian's slurm-wlm and munge that a cluster of one machine needs. */
export const SLURM_PROGRAMS = ["munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scancel"];

/**
 * A Slurm of this machine alone, in a folder of its own, on loopback: munged, slurmctld and slurmd as children of this process, none
 * of the system's files. Needs root. When it is disposed of, its jobs are cancelled and nothing is left.
 */
export class Slurm implements AsyncDisposable {
  /** What `srun` and `sbatch` need in their environment. */
  readonly env: Record<string, string>;
  readonly #folder: string;
  readonly #daemons: Daemon[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
    this.env = { SLURM_CONF: `${folder}/slurm.conf` };
  }

  /** Resolves when a job can be started. @throws Error with what a daemon wrote, if it ends instead */
  static async start(): Promise<Slurm> {
    const slurm = new Slurm(await Deno.makeTempDir({ prefix: "weft-slurm-" }));
    await using undo = new AsyncDisposableStack();
    undo.use(slurm);
    const folder = slurm.#folder;
    const key = crypto.getRandomValues(new Uint8Array(128));
    await Deno.writeFile(`${folder}/munge.key`, key, { mode: 0o600 });
    for (const name of ["state", "spool"]) await Deno.mkdir(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/slurm.conf`, configuration(folder));
    const files = ["key-file=munge.key", "socket=munge.socket", "pid-file=munge.pid", "seed-file=munge.seed"];
    // --force: the folder is root's alone, which munged takes for a mistake.
    await slurm.#run("munged", [
      "--foreground",
      "--force",
      ...files.map((file) => `--${file.replace("=", `=${folder}/`)}`),
      `--log-file=${folder}/munge.log`,
    ], /Created \d+ work thread/);
    await slurm.#run("slurmctld", ["-D", "-f", `${folder}/slurm.conf`], /Running as primary controller/);
    await slurm.#run("slurmd", ["-D", "-f", `${folder}/slurm.conf`], /slurmd started on/);
    undo.move();
    return slurm;
  }

  async #run(program: string, args: string[], ready: RegExp): Promise<void> {
    const daemon = new Daemon(program, args);
    this.#daemons.push(daemon);
    await daemon.says(ready);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemons.length === 3) await this.#cancelJobs();
    for (const daemon of this.#daemons.reverse()) await daemon.end();
    await Deno.remove(this.#folder, { recursive: true });
  }

  /** A job is listed until the processes that watched over its tasks have ended; nothing else tells. */
  async #cancelJobs(): Promise<void> {
    const { env } = this;
    await runProgram("scancel", ["--user", "root"], { env });
    while ((await runProgram("squeue", ["--noheader"], { env })).stdout.trim() !== "") {
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

  constructor(name: string, args: string[]) {
    this.#name = name;
    const path = `${Deno.env.get("PATH")}:/usr/sbin:/sbin`;
    this.#process = new Deno.Command(name, { args, env: { PATH: path }, stdout: "null", stderr: "piped" }).spawn();
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

function configuration(folder: string): string {
  const host = Deno.hostname().split(".")[0];
  return `ClusterName=weft
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${freePort()}
SlurmdPort=${freePort()}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.socket
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
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
NodeName=${host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=${host} Default=YES State=UP
`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
