import { fileURLToPath } from "node:url";
import { RunningLauncher, type StartLauncherOptions } from "../launcher/run_launcher.ts";
import { type Ended, missingPrograms, runProgram } from "./programs.ts";
import type { WireOptions } from "./scripts/wire.ts";

/** Why there can be no network of hosts here; undefined if there can. */
export function noNetwork(): string | undefined {
  const missing = missingPrograms(["ip", "unshare"]);
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

/** A few hosts, each a network namespace with an address and a name of its own, and the wire between them. */
export class Network implements AsyncDisposable {
  readonly #namespaces: readonly string[];
  readonly #wire: Deno.ChildProcess;
  readonly #control: WritableStreamDefaultWriter<Uint8Array>;
  readonly #words: ReadableStreamDefaultReader<string>;
  /** The hosts' addresses. */
  readonly addresses: readonly string[];

  private constructor(namespaces: string[], addresses: string[], wire: Deno.ChildProcess) {
    this.#namespaces = namespaces;
    this.addresses = addresses;
    this.#wire = wire;
    this.#control = wire.stdin.getWriter();
    this.#words = wire.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Makes hosts called `host0`, `host1`, …. @param options how long packets take one way, and how many are lost; default: 0 */
  static async start(count: number, options: Partial<WireOptions> = {}): Promise<Network> {
    const subnet = `10.${100 + Deno.pid % 100}.${(Deno.pid >> 7) % 250}`;
    const hosts = Array.from({ length: count }, (_, host) => ({
      device: `weft${Deno.pid}x${host}`.slice(-15),
      address: `${subnet}.${host + 1}`,
    }));
    const namespaces = hosts.map((_, host) => `weft-${Deno.pid}-${host}`);
    const wireOptions: WireOptions = { delayMs: 0, loss: 0, seed: 1, ...options, hosts };
    const wire = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", fileURLToPath(new URL("scripts/wire.ts", import.meta.url)), JSON.stringify(wireOptions)],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const network = new Network(namespaces, hosts.map(({ address }) => address), wire);
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

  /** From now on nothing gets to these hosts or away from them. */
  async cut(...hosts: number[]): Promise<void> {
    await this.#control.write(new TextEncoder().encode(JSON.stringify(hosts) + "\n"));
  }

  /** From now on only what goes to or from this port gets through between hosts. */
  async cutAllBut(port: number): Promise<void> {
    await this.#control.write(new TextEncoder().encode(`${port}\n`));
  }

  /** How many bytes have gone from host to host, with all that TCP and IP add. */
  async bytes(): Promise<number> {
    await this.#control.write(new TextEncoder().encode('"bytes"\n'));
    return Number((await this.#words.read()).value);
  }

  /** What a command line begins with so that it runs on a host. */
  prefix(host: number): string[] {
    const named = ["unshare", "--uts", "sh", "-c", `hostname host${host} && exec "$0" "$@"`];
    return ["ip", "netns", "exec", this.#namespaces[host], ...named];
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
