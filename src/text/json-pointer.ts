/** A key as the last part of a JSON pointer (RFC 6901). */
export function pointerTo (parent: string, key: string | number): string {
  if (typeof key === 'number' || !/[~/]/.test(key)) return `${parent}/${key}`
  return `${parent}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
