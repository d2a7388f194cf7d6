const LIBC = {
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Of Linux, in asm-generic/socket.h. */
const SOL_SOCKET = 1, SO_BINDTODEVICE = 25, SO_ACCEPTCONN = 30;
const AF_INET = 2, AF_INET6 = 10;
/** How many file descriptors are looked at. */
const DESCRIPTORS = 65_536;

/**
 * Lets sockets of this process that listen on a TCP port of all interfaces accept connections of this host alone, by tying them to the loopback device. For
 * servers of libraries that cannot be told where to listen. Connections that were made before stay.
 * @returns how many sockets listen there
 * @throws Error if the system does not tie them
 */
export function closeToNetwork(port: number): number {
  const library = Deno.dlopen("libc.so.6", LIBC), { symbols } = library;
  try {
    const loopback = new TextEncoder().encode("lo\0");
    let found = 0;
    for (let fd = 3; fd < DESCRIPTORS; fd++) {
      if (!listensOn(symbols, fd, port)) continue;
      found++;
      if (symbols.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, loopback, loopback.length) === 0) continue;
      throw new Error(`the system does not tie the server on port ${port} to the loopback device (SO_BINDTODEVICE)`);
    }
    return found;
  } finally {
    library.close();
  }
}

function listensOn(libc: Deno.DynamicLibrary<typeof LIBC>["symbols"], fd: number, port: number): boolean {
  const value = new Int32Array(1);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, Uint32Array.of(4)) !== 0 || value[0] !== 1) return false;
  const address = new DataView(new ArrayBuffer(128));
  if (libc.getsockname(fd, new Uint8Array(address.buffer), Uint32Array.of(128)) !== 0) return false;
  const family = address.getUint16(0, true);
  return (family === AF_INET || family === AF_INET6) && address.getUint16(2) === port;
}
