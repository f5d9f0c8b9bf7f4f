import { Type } from '@sinclair/typebox'

const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER)

/** An integer of 64 bits as JSON carries it exactly to every client: beyond 2^53-1 as a string of digits. */
export function exactInteger (value: bigint): number | string {
  return value > MAX_EXACT || value < -MAX_EXACT ? value.toString() : Number(value)
}

/** The schema of such an integer. */
export function exactIntegerSchema (description: string) {
  return Type.Union([Type.Integer(), Type.String({ pattern: '^-?[0-9]+$' })], {
    description: `${description} Beyond 2^53-1, which only other clients can store, it is a string of digits.`
  })
}
