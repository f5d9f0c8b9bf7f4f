import { sectionsOf, type MessageBatch } from '../streams/index.ts'
import type { FilterValue } from './filter-value.ts'
import type { TraceContext } from './trace-context.ts'

const JSON_TYPE = 'application/json'
const JSON_SECTIONS = sectionsOf({ properties: { contentType: JSON_TYPE } })
const [TAB, CR, SPACE] = [0x09, 0x0d, 0x20]

/** Adds a line of JSON, byte for byte and not parsed, with the content type `application/json`. */
export function addJsonLine (
  line: Buffer, publishingId: number | undefined, batch: MessageBatch, filterValue?: FilterValue, trace?: TraceContext
): void {
  const sections = filterValue?.sections(JSON_TYPE) ?? JSON_SECTIONS
  batch.addData(line, publishingId, trace?.after(sections) ?? sections, filterValue?.bytes)
}

/** Whether a line has nothing but white space of JSON: writers of NDJSON end a body with such lines. */
export function isBlank (line: Buffer): boolean {
  for (let at = 0; at < line.length; at++) {
    const byte = line[at]
    if (byte !== SPACE && byte !== CR && byte !== TAB) return false
  }
  return true
}
