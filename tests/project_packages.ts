/** Lets programs in a folder outside the project have its packages in its versions, which are there: otherwise Deno asks the registry, which hosts of tests cannot reach. */
export async function useProjectPackages(folder: string): Promise<void> {
  for (const name of ["deno.json", "deno.lock"]) {
    await Deno.copyFile(new URL(`../${name}`, import.meta.url), `${folder}/${name}`);
  }
}
