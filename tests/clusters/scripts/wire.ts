/**
 * `wire.ts OPTIONS`: the network between hosts that are network namespaces. Makes a TUN device for each, prints `ready`, and passes
 * packets on by their IPv4 destination, late and not all of them; which are lost follows from the seed. Each line on standard input is
 * an order, as JSON, and is answered by a line when it is carried out.
 *
 * In user space, because the kernels of small virtual machines lack `netem`, which would do the same.
 */
import { createInterface } from "node:readline";
import process from "node:process";

/** Options of the wire. */
export interface WireOptions {
  /** The devices' names and addresses, by host. */
  hosts: { device: string; address: string }[];
  /** How long a packet is on its way, in milliseconds. */
  delayMs: number;
  /** The share of packets that do not arrive. */
  loss: number;
  seed: number;
}

/** Hosts: they are cut off from now on, the others are not. A port: TCP gets through to and from this one alone. `bytes`: asks how many have passed, lost ones too. */
export type WireOrder = readonly number[] | number | "bytes";

const TUNSETIFF = 0x400454can, IFF_TUN = 1, IFF_NO_PI = 0x1000, O_RDWR = 2;
/** No packet is longer. */
const PACKET_BYTES = 65_536;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
});

function openDevice(name: string): number {
  const fd = libc.open(new TextEncoder().encode("/dev/net/tun\0"), O_RDWR);
  const request = new Uint8Array(40);
  request.set(new TextEncoder().encode(name));
  new DataView(request.buffer).setUint16(16, IFF_TUN | IFF_NO_PI, true);
  if (fd < 0 || libc.ioctl(fd, TUNSETIFF, request) !== 0) throw new Error(`cannot make the device ${name}`);
  return fd;
}

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const { hosts, delayMs, loss, seed }: WireOptions = JSON.parse(Deno.args[0]);
const random = randomNumbers(seed), cutOff = new Set<number>();
const devices = hosts.map(({ device }) => openDevice(device));
const byAddress = new Map(hosts.map(({ address }, host) => [address, host]));
const underway: { packet: Uint8Array<ArrayBuffer>; from: number; to: number; atMs: number }[] = [];
let isWaiting = false, bytes = 0, onlyPort = 0;

function deliver(): void {
  const now = performance.now();
  while (underway.length > 0 && underway[0].atMs <= now) {
    const { packet, from, to } = underway.shift()!;
    if (!cutOff.has(from) && !cutOff.has(to)) libc.write(devices[to], packet, BigInt(packet.length));
  }
  isWaiting = underway.length > 0;
  if (isWaiting) setTimeout(deliver, Math.max(0, underway[0].atMs - now));
}

/** From and to which port an IPv4 packet goes. */
function portsOf(packet: Uint8Array): number[] {
  const at = (packet[0] & 15) * 4;
  return [packet[at] << 8 | packet[at + 1], packet[at + 2] << 8 | packet[at + 3]];
}

async function listen(from: number): Promise<void> {
  const buffer = new Uint8Array(PACKET_BYTES);
  for (;;) {
    const length = Number(await libc.read(devices[from], buffer, BigInt(buffer.length)));
    if (length < 0) throw new Error(`cannot read from ${hosts[from].device}`);
    const packet = buffer.slice(0, length), to = byAddress.get(packet.subarray(16, 20).join("."));
    if (packet[0] >> 4 !== 4 || to === undefined) continue;
    bytes += length;
    if (random() < loss || onlyPort > 0 && !portsOf(packet).includes(onlyPort)) continue;
    underway.push({ packet, from, to, atMs: performance.now() + delayMs });
    if (!isWaiting) deliver();
  }
}

for (let from = 0; from < devices.length; from++) void listen(from);
createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as WireOrder;
  if (typeof order === "number") onlyPort = order;
  else if (order !== "bytes") {
    cutOff.clear();
    for (const host of order) cutOff.add(host);
  }
  console.log(bytes);
}).on("close", () => Deno.exit(0));
console.log("ready");
