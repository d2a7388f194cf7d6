import { libzmqFile } from "./libzmq.ts";

/** The C library's, found through libzmq's own dependencies. */
const SYMBOLS = {
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * What only processes share that see the same socket files and memory: the host's name, its boot, and on Linux the network
 * namespace, which tells apart what looks like several hosts on one kernel.
 */
export async function machineName(): Promise<string> {
  const boot = await Deno.readTextFile("/proc/sys/kernel/random/boot_id").catch(() => "");
  const network = Deno.build.os === "linux" ? networkNamespace() : "";
  return [Deno.hostname(), boot.trim(), network].filter(Boolean).join(" ");
}

/** E.g. `net:[4026531833]`; empty if it is not told. Asked by FFI, because Deno lets only processes with all permissions look there. */
function networkNamespace(): string {
  const { readlink } = Deno.dlopen(libzmqFile(), SYMBOLS).symbols, target = new Uint8Array(64);
  const length = readlink?.(new TextEncoder().encode("/proc/self/ns/net\0"), target, BigInt(target.length)) ?? -1n;
  return new TextDecoder().decode(target.subarray(0, Math.max(0, Number(length))));
}
