/** An export of a module, by name, so that another thread can import it too. */
export interface ModuleReference {
  /** The module's URL, e.g. `new URL("./my_dataset.ts", import.meta.url)`. */
  module: string | URL;
  /** The export's name. Default: `"default"`. */
  export: string;
  /** What it is called or constructed with; must be cloneable by `structuredClone`. Default: none. */
  args?: unknown[];
}
