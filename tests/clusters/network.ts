import { fileURLToPath } from "node:url";
import { RunningLauncher, type StartLauncherOptions } from "../launcher/run_launcher.ts";
import { type Ended, missingPrograms, runProgram } from "./programs.ts";
import type { WireOptions, WireOrder } from "./scripts/wire.ts";

/** Why there can be no network of hosts here; undefined if there can. */
export function noNetwork(): string | undefined {
  const missing = missingPrograms(["ip", "unshare", "nsenter"]);
  if (Deno.build.os !== "linux") return "this is not Linux";
  if (missing.length > 0) return `there is no ${missing.join(", ")} here (Debian: iproute2, util-linux)`;
  if (Deno.uid() !== 0) return "network namespaces need root";
  try {
    Deno.statSync("/dev/net/tun");
  } catch {
    return "this kernel has no TUN devices";
  }
  const { success } = new Deno.Command("unshare", { args: ["--net", "true"], stderr: "null" }).outputSync();
  return success ? undefined : "this machine allows no network namespaces";
}

/** Networks that this process has made. */
let networks = 0;

/** A few hosts, each a network namespace with an address and a name of its own, and the wire between them. */
export class Network implements AsyncDisposable {
  readonly #namespaces: readonly string[];
  readonly #devices: readonly string[];
  readonly #wire: Deno.ChildProcess;
  readonly #control: WritableStreamDefaultWriter<Uint8Array>;
  readonly #words: ReadableStreamDefaultReader<string>;
  /** The hosts' addresses. */
  readonly addresses: readonly string[];

  private constructor(namespaces: string[], hosts: WireOptions["hosts"], wire: Deno.ChildProcess) {
    this.#namespaces = namespaces;
    this.#devices = hosts.map(({ device }) => device);
    this.addresses = hosts.map(({ address }) => address);
    this.#wire = wire;
    this.#control = wire.stdin.getWriter();
    this.#words = wire.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Makes hosts called `host0`, `host1`, …. @param options how long packets take one way, and how many are lost; default: 0 */
  static async start(count: number, options: Partial<WireOptions> = {}): Promise<Network> {
    // Names are the machine's, and each has to be of one network; addresses are of one host alone.
    const name = `${Deno.pid}-${networks++}`;
    const subnet = `10.${100 + Deno.pid % 100}.${(Deno.pid >> 7) % 250}`;
    const hosts = Array.from({ length: count }, (_, host) => ({
      device: `w${name}-${host}`,
      address: `${subnet}.${host + 1}`,
    }));
    const namespaces = hosts.map((_, host) => `weft-${name}-${host}`);
    const wireOptions: WireOptions = { delayMs: 0, loss: 0, seed: 1, ...options, hosts };
    const wire = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", fileURLToPath(new URL("scripts/wire.ts", import.meta.url)), JSON.stringify(wireOptions)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const network = new Network(namespaces, hosts, wire);
    try {
      const { value } = await network.#words.read();
      if (!value?.startsWith("ready")) throw new Error("the wire between the hosts did not start");
      for (const [host, name] of namespaces.entries()) {
        const { device, address } = hosts[host];
        await ip("netns", "add", name);
        await writeHostsFile(name, hosts.map(({ address }, other) => other === host ? "127.0.1.1" : address));
        await ip("link", "set", device, "netns", name);
        await ip("-n", name, "address", "add", `${address}/24`, "dev", device);
        await ip("-n", name, "link", "set", device, "up");
        await ip("-n", name, "link", "set", "lo", "up");
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** When it resolves, nothing gets to these hosts or away from them any more, and all that goes between others does. */
  async cut(...hosts: number[]): Promise<void> {
    await this.#ask(hosts);
  }

  /** When it resolves, only what goes to or from this port gets through between hosts. */
  async cutAllBut(port: number): Promise<void> {
    await this.#ask(port);
  }

  /** How many bytes have gone from host to host, with all that TCP and IP add. */
  async bytes(): Promise<number> {
    return Number(await this.#ask("bytes"));
  }

  async #ask(order: WireOrder): Promise<string | undefined> {
    await this.#control.write(new TextEncoder().encode(JSON.stringify(order) + "\n"));
    return (await this.#words.read()).value;
  }

  /** The processes that run on the hosts, by their command lines. */
  async processes(): Promise<string[]> {
    const found = await Promise.all(this.#namespaces.map(async (name, host) => {
      const { stdout } = await runProgram("ip", ["netns", "pids", name]);
      const commands = stdout.split("\n").filter(Boolean).map((pid) =>
        // One that ended in the meantime is none.
        Deno.readTextFile(`/proc/${pid}/cmdline`).then(
          (line) => [`${pid} on host${host}: ${line.replaceAll("\0", " ").slice(0, 60)}`],
          () => [],
        )
      );
      return (await Promise.all(commands)).flat();
    }));
    return found.flat();
  }

  /** What a command line begins with so that it runs on a host. */
  prefix(host: number): string[] {
    const name = this.#namespaces[host];
    // As `ip netns exec` does it, which however also hides the control groups that Slurm's daemons look for.
    const named = `mount --bind /etc/netns/${name}/hosts /etc/hosts && hostname host${host} && exec "$0" "$@"`;
    return ["nsenter", `--net=/run/netns/${name}`, "unshare", "--uts", "--mount", "sh", "-c", named];
  }

  /** Runs a program on a host to its end. */
  run(host: number, command: string[], env: Record<string, string> = {}): Promise<Ended> {
    const [program, ...args] = [...this.prefix(host), ...command];
    return runProgram(program, args, { env });
  }

  /** The ports at which a host's processes listen for other hosts. */
  async openPorts(host: number): Promise<string[]> {
    const { stdout } = await this.run(host, ["cat", "/proc/net/tcp", "/proc/net/tcp6"]);
    // Address and port, in hexadecimal digits; 0A means that somebody listens there.
    const listening = [...stdout.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm)];
    return listening.filter(([, address]) => !address.endsWith("7F")).map(([, , port]) => String(parseInt(port, 16)));
  }

  /** Starts a launcher on a host. */
  launch(host: number, args: string[], options: StartLauncherOptions = {}): RunningLauncher {
    return new RunningLauncher(args, { ...options, prefix: this.prefix(host) });
  }

  /** What is still there of it after it was disposed of: namespaces and devices. */
  remains(): string[] {
    const exists = (path: string) => {
      try {
        return Deno.lstatSync(path) !== undefined;
      } catch {
        return false;
      }
    };
    const devices = this.#devices.map((device) => `/sys/class/net/${device}`);
    const namespaces = this.#namespaces.flatMap((name) => [`/run/netns/${name}`, `/etc/netns/${name}`]);
    return [...devices, ...namespaces].filter(exists);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control.close().catch(() => {});
    await this.#words.cancel().catch(() => {});
    await this.#wire.status;
    for (const name of this.#namespaces) {
      await runProgram("ip", ["netns", "delete", name]);
      await Deno.remove(`/etc/netns/${name}`, { recursive: true }).catch(() => {});
    }
  }
}

/** What the hosts call each other. Each knows itself by a loopback address, as Debian sets it up. */
async function writeHostsFile(namespace: string, addresses: string[]): Promise<void> {
  await Deno.mkdir(`/etc/netns/${namespace}`, { recursive: true });
  const lines = ["127.0.0.1 localhost", ...addresses.map((address, host) => `${address} host${host}`)];
  await Deno.writeTextFile(`/etc/netns/${namespace}/hosts`, lines.join("\n") + "\n");
}

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await runProgram("ip", args);
  if (code !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}
