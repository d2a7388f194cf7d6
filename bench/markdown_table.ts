/** Prints the head of a table. */
export function tableHead(columns: readonly string[]): void {
  console.log();
  tableRow(columns);
  tableRow(columns.map(() => "---"));
}

/** Prints a row of a table. */
export function tableRow(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
