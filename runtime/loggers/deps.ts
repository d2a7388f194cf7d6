export { parse as parseCsv } from "npm:csv-parse@7.0.3/sync";
export { stringify as stringifyCsv } from "npm:csv-stringify@6.9.0/sync";
export { stringify as stringifyYaml } from "npm:yaml@2.9.1";
export { PbfWriter } from "npm:pbf@5.1.2";
