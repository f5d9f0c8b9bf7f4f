import type { AmqpValue } from './value.ts'

/** The properties section (AMQP 1.0, 3.2.4). Absent fields are undefined, never null. */
export interface AmqpProperties {
  messageId?: AmqpValue
  userId?: Uint8Array
  to?: AmqpValue
  subject?: string
  replyTo?: AmqpValue
  correlationId?: AmqpValue
  contentType?: string
  contentEncoding?: string
  /** Milliseconds since the Unix epoch. */
  absoluteExpiryTime?: bigint
  /** Milliseconds since the Unix epoch. */
  creationTime?: bigint
  groupId?: string
  /** 0 to 2^32-1. */
  groupSequence?: number
  replyToGroupId?: string
}

/** Application properties or annotations: a map in its written order. */
export type AmqpMap = ReadonlyArray<readonly [AmqpValue, AmqpValue]>

export type AmqpBody =
  | { readonly kind: 'data', readonly sections: readonly Uint8Array[] }
  | { readonly kind: 'value', readonly value: AmqpValue }
  | { readonly kind: 'sequence', readonly sections: ReadonlyArray<readonly AmqpValue[]> }
  | { readonly kind: 'none' }

/** A body of AMQP values instead of bytes. */
export type TypedBody = Extract<AmqpBody, { kind: 'value' | 'sequence' }>

/**
 * A decoded message. Header, delivery annotations and footer are checked and then dropped, because nothing reads them.
 */
export interface AmqpMessage {
  readonly messageAnnotations?: AmqpMap
  readonly properties?: AmqpProperties
  readonly applicationProperties?: AmqpMap
  readonly body: AmqpBody
}

/** A message to write. What is absent or empty gets no section. */
export interface OutgoingMessage {
  readonly messageAnnotations?: AmqpMap
  readonly properties?: AmqpProperties
  readonly applicationProperties?: AmqpMap
  /** Bytes become one data section, which every client can read. A value or sequences keep their own sections. */
  readonly body: Uint8Array | TypedBody
}
