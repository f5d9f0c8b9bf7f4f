/**
 * An AMQP 1.0 value with its type, so that a ubyte 1 differs from a ulong 1 and a value is written back as it was read.
 * Source: OASIS AMQP 1.0, part 1 (Types).
 */
export type AmqpValue =
  | { readonly type: 'null' }
  | { readonly type: 'boolean', readonly value: boolean }
  | { readonly type: 'ubyte' | 'ushort' | 'uint' | 'byte' | 'short' | 'int', readonly value: number }
  | { readonly type: 'float' | 'double', readonly value: number }
  | { readonly type: 'ulong' | 'long', readonly value: bigint }
  /** Milliseconds since the Unix epoch, signed 64 bit. */
  | { readonly type: 'timestamp', readonly value: bigint }
  /** The raw IEEE 754 decimal: 4, 8 or 16 bytes. */
  | { readonly type: 'decimal32' | 'decimal64' | 'decimal128', readonly value: Uint8Array }
  /** A Unicode code point. It is not a string because it may be a lone surrogate. */
  | { readonly type: 'char', readonly value: number }
  /** Lower-case, with dashes. */
  | { readonly type: 'uuid', readonly value: string }
  | { readonly type: 'binary', readonly value: Uint8Array }
  | { readonly type: 'string' | 'symbol', readonly value: string }
  | { readonly type: 'list' | 'array', readonly value: readonly AmqpValue[] }
  | { readonly type: 'map', readonly value: ReadonlyArray<readonly [AmqpValue, AmqpValue]> }
  | { readonly type: 'described', readonly descriptor: AmqpValue, readonly value: AmqpValue }
