import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * The URL of the script that the user named by a path or a URL.
 *
 * @throws Error if there is no such script: a file that does not exist, a folder, an address that answers with an error
 */
export async function resolveScript(script: string): Promise<URL> {
  const url = /^[a-z][a-z0-9+.-]+:/i.test(script) && !isAbsolute(script)
    ? new URL(script)
    : pathToFileURL(resolve(script));
  if (url.protocol === "file:") await checkFile(url, script);
  else if (url.protocol === "http:" || url.protocol === "https:") await checkAddress(url);
  return url;
}

async function checkFile(url: URL, script: string): Promise<void> {
  let stat;
  try {
    stat = await Deno.stat(url);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound) && !(cause instanceof Deno.errors.NotADirectory)) throw cause;
    throw new Error(
      `The script ${script} does not exist (looked for ${
        decodeURI(url.pathname)
      }): give a path from ${Deno.cwd()} or a URL`,
      { cause },
    );
  }
  if (stat.isDirectory) throw new Error(`The script ${script} is a folder: give the file in it that is to run`);
}

async function checkAddress(url: URL): Promise<void> {
  let response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  } catch {
    // Without a network Deno's cache may still have it; if not, the ranks say so.
    return;
  }
  await response.body?.cancel();
  if (!response.ok) {
    throw new Error(`The script ${url} cannot be loaded: the server answers ${response.status}. Check the URL`);
  }
}
