import type { AmqpValue } from './value.ts'

/**
 * The header section (AMQP 1.0, 3.2.1). Absent fields are undefined. RabbitMQ writes it for every message that comes by
 * AMQP 0.9.1 or 1.0; a stream itself takes no notice of it.
 */
export interface AmqpHeader {
  durable?: boolean
  /** 0 to 255. */
  priority?: number
  /** Milliseconds, 0 to 2^32-1. */
  ttlMs?: number
  firstAcquirer?: boolean
  /** 0 to 2^32-1. */
  deliveryCount?: number
}

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

/** The sections around a body. */
interface AmqpSections {
  readonly header?: AmqpHeader
  readonly deliveryAnnotations?: AmqpMap
  readonly messageAnnotations?: AmqpMap
  readonly properties?: AmqpProperties
  readonly applicationProperties?: AmqpMap
  readonly footer?: AmqpMap
}

/** A decoded message. */
export interface AmqpMessage extends AmqpSections {
  readonly body: AmqpBody
}

/** A message to write. What is absent or empty gets no section. */
export interface OutgoingMessage extends AmqpSections {
  /** Bytes become one data section, which every client can read. A value or sequences keep their own sections. */
  readonly body: Uint8Array | TypedBody
}
