/** A place in a trace: https://www.w3.org/TR/trace-context/. */
export interface TracePoint {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  readonly isSampled: boolean
  /** As a `traceparent` of version 00. */
  readonly text: string
}

// Nearly all are of this version, and each request that is traced is looked at: no groups, which take an array each.
const VERSION_00 = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/
const VERSION_00_LENGTH = 55
// Later versions may add something, which is left out.
const LATER_VERSION = /^(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
const MAX_LENGTH = 256
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)
const SAMPLED = 1

/** Undefined for what is not a `traceparent`. A later version is read as far as this one goes. */
export function parseTraceparent (text: string | undefined): TracePoint | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined
  const isVersion00 = text.length === VERSION_00_LENGTH && VERSION_00.test(text)
  if (!isVersion00 && !LATER_VERSION.test(text)) return undefined
  const traceId = text.slice(3, 35)
  const spanId = text.slice(36, 52)
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined
  const isSampled = (parseInt(text.slice(53, 55), 16) & SAMPLED) !== 0
  return { traceId, spanId, isSampled, text: isVersion00 ? text : `00-${traceId}-${spanId}-0${Number(isSampled)}` }
}

// The least that everybody has to pass on.
const MAX_STATE_LENGTH = 512
const MAX_STATE_MEMBERS = 32
// What a header may have. Other white space around a member would be trimmed, and then be sent all the same.
const HEADER_TEXT = /^[\t\x20-\x7e]+$/
const KEY = /^(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})$/
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/

/** Whether a text is a `tracestate` of at most 512 characters. Without its `traceparent` it means nothing. */
export function isTracestate (text: string): boolean {
  if (text.length > MAX_STATE_LENGTH || !HEADER_TEXT.test(text)) return false
  const keys = new Set<string>()
  for (const part of text.split(',')) {
    const member = part.trim()
    if (member === '') continue
    const equals = member.indexOf('=')
    const key = member.slice(0, Math.max(equals, 0))
    if (keys.has(key) || !KEY.test(key) || !VALUE.test(member.slice(equals + 1))) return false
    keys.add(key)
  }
  return keys.size > 0 && keys.size <= MAX_STATE_MEMBERS
}
