import { StreamsError } from '../errors.ts'

/** @throws StreamsError `expectation_failed` unless what is stored is what was expected */
export function refuseUnexpected (current: bigint | undefined, expected: number | bigint | null | undefined): void {
  if (expected === undefined || current === (expected === null ? undefined : BigInt(expected))) return
  const stored = current === undefined ? 'no offset is stored' : `the stored offset is ${current}`
  throw new StreamsError('expectation_failed', `${stored}, which is not the expected one`, {
    details: { storedOffset: current ?? null }
  })
}

/** @throws StreamsError `offset_goes_back` when a later offset is stored */
export function refuseGoingBack (current: bigint | undefined, offset: number): void {
  if (current === undefined || BigInt(offset) >= current) return
  throw new StreamsError(
    'offset_goes_back',
    `the stored offset is ${current} already; only a reset goes back`,
    { details: { storedOffset: current } }
  )
}
