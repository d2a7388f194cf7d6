/** What this host is called; undefined without the permission to ask (`--allow-sys`). */
export function hostName(): string | undefined {
  return Deno.permissions.querySync({ name: "sys", kind: "hostname" }).state === "granted"
    ? Deno.hostname()
    : undefined;
}
