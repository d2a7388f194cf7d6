import { tensorflowConfiguration } from "./configure.ts";

/** The permission to learn where the user's home folder is, and with it the cache that `deno task setup` fills. */
export const CACHE_PERMISSION = "--allow-sys=homedir";

/** Whether it may be looked for the cache: it may if `XDG_CACHE_HOME` tells where that is. */
export async function mayFindCache(): Promise<boolean> {
  if (tensorflowConfiguration().cacheHome) return true;
  return (await Deno.permissions.query({ name: "sys", kind: "homedir" })).state === "granted";
}

/** The flags that this process would need to find and open a TensorFlow that has been set up. Asks for nothing. */
export async function missingPermissions(): Promise<string[]> {
  const flags = [];
  if ((await Deno.permissions.query({ name: "ffi" })).state !== "granted") flags.push("--allow-ffi");
  if (!tensorflowConfiguration().libraryDirectory && !await mayFindCache()) flags.push(CACHE_PERMISSION);
  return flags;
}
