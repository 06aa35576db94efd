/**
 * SQL for a column of numbers as the text of a JSON array: thousands of values then cost what a row costs otherwise.
 * Without rows it is the empty array.
 */
export function columnText(name: string): string {
  return `concat('[', array_to_string(array_agg(${name}), ','), ']')`;
}
