import { CODE, fixedWidth } from './codes.ts'

/** Where something of an encoded message is: it is not there. */
export const ABSENT = -1

/** The position after the value at `at`, which is not looked at; ABSENT when it does not end before `end`. */
export function skipped (data: Buffer, at: number, end: number): number {
  let next = at
  // A described value is a descriptor and a value.
  for (let values = 1; values > 0; values--) {
    const code = data[next++] ?? 0
    if (code === CODE.described) values += 2
    else next += lengthAfter(code, data, next, end)
    if (!(next <= end)) return ABSENT
  }
  return next
}

/** A number of four bytes; Infinity where the bytes end before. */
export function u32 (data: Buffer, at: number, end: number): number {
  return at + 4 <= end ? data.readUInt32BE(at) : Infinity
}

// How many bytes follow a constructor, by the high half of its byte: see `CODE`.
function lengthAfter (code: number, data: Buffer, at: number, end: number): number {
  switch (code >>> 4) {
    case 0xa: case 0xc: case 0xe: return 1 + (data[at] ?? 0)
    case 0xb: case 0xd: case 0xf: return 4 + u32(data, at, end)
    default: return fixedWidth(code) ?? Infinity
  }
}
