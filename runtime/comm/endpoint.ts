/** The endpoint of an address and a port, as libzmq wants it: numbers for localhost, brackets around IPv6. */
export function tcpEndpoint(address: string, port: number | "*"): string {
  if (address === "" || /[\s\0/]/.test(address)) {
    throw new TypeError(
      `${JSON.stringify(address)} is no address; give a host name or an IP address, such as 127.0.0.1`,
    );
  }
  const host = address === "localhost" ? "127.0.0.1" : address;
  return `tcp://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

/**
 * Where to listen so that `address` leads there: at the address itself, or, for a name, which the system may know by
 * another address than the other hosts do, at all of this host.
 */
export function listeningEndpoint(address: string, port: number | "*"): string {
  const isName = /[^0-9.]/.test(address) && !address.includes(":") && address !== "localhost";
  const endpoint = tcpEndpoint(address, port);
  return isName ? `tcp://*:${port}` : endpoint;
}
