import { ENTRY_LENGTH_BYTES, fieldText } from '../../streams/index.ts'

// Of the W3C: https://www.w3.org/TR/trace-context/. What does not look so is left out: it may hold anything.
const TRACEPARENT = { key: Buffer.from('traceparent'), pattern: /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/ }
const TRACESTATE = { key: Buffer.from('tracestate'), pattern: /^[\x20-\x7e]{1,512}$/ }

/** The headers that continue the trace a message belongs to, from its application properties. */
export function traceHeaders (
  { data, start, end }: { readonly data: Buffer, readonly start: number, readonly end: number }
): Readonly<Record<string, string>> {
  // The length of the message stands first.
  const from = start + ENTRY_LENGTH_BYTES
  const find = ({ key, pattern }: typeof TRACEPARENT): string | undefined => {
    const text = fieldText(data, from, end, { in: 'applicationProperties', key })
    return text !== undefined && pattern.test(text) ? text : undefined
  }
  const traceparent = find(TRACEPARENT)
  if (traceparent === undefined) return {}
  const tracestate = find(TRACESTATE)
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}
