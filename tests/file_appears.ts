/** Resolves when a file is there, in a folder that is. */
export async function fileAppears(path: string): Promise<void> {
  const watcher = Deno.watchFs(path.slice(0, path.lastIndexOf("/")));
  const exists = () => Deno.stat(path).then(() => true, () => false);
  if (await exists()) return watcher.close();
  for await (const _ of watcher) if (await exists()) break;
}
