/**
 * A pattern for `t.match`: an array of these elements and no more. To `t.match` an array as a pattern is only the
 * beginning of an array: `[]` matches any array, and `['a']` matches `['a', 'a']`.
 */
export function exactly (...elements: unknown[]): object {
  return { ...elements, length: elements.length }
}
