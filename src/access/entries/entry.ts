import type { Limits } from '../caller.ts'
import type { Grant } from '../scopes.ts'

/** A caller as a file of callers has it: who it is, what it may do, and from when until when. */
export interface Entry extends Grant {
  /** Names the entry; no other entry of the file has it. */
  readonly id: string
  /** The caller's id. Several entries may have one name, so that a credential can be replaced by a new one. */
  readonly name: string
  /** RFC 3339. */
  readonly notBefore?: string | undefined
  readonly expires?: string | undefined
  readonly limits?: Limits | undefined
  /** Whether it is refused as if it were not there. */
  readonly disabled?: boolean | undefined
}

const texts = { type: 'array', items: { type: 'string', minLength: 1, maxLength: 1000 } }
const time = { type: 'string', maxLength: 64 }
const rate = { type: 'number', minimum: 0 }

/** The JSON schema of an entry's fields. The `description` of a field ends the sentence "<field> must be". */
export const ENTRY_FIELDS = {
  id: { type: 'string', pattern: '^[0-9a-z]{8}$', description: 'eight small letters and digits' },
  name: {
    type: 'string',
    pattern: '^[^\\p{C}]{1,128}$',
    description: '1 to 128 characters without control characters'
  },
  scopes: texts,
  consumers: texts,
  publishers: texts,
  notBefore: time,
  expires: time,
  limits: {
    type: 'object',
    additionalProperties: false,
    properties: {
      requestsPerSecond: rate,
      publishBytesPerSecond: rate,
      readBytesPerSecond: rate,
      concurrentRequests: { type: 'integer', minimum: 0 }
    }
  },
  disabled: { type: 'boolean' }
} as const

const FIELDS = [...Object.keys(ENTRY_FIELDS), ...Object.keys(ENTRY_FIELDS.limits.properties)]

/** A text that is the same for entries that mean the same, whatever the order of their fields. */
export function meaningOf (entry: Entry): string {
  // An array as the second argument chooses the fields, in this order.
  return JSON.stringify({ ...entry, disabled: entry.disabled === true }, FIELDS)
}
