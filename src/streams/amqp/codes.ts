/**
 * The constructor byte of every primitive encoding (AMQP 1.0, part 1, 1.6). The high half of the byte says what
 * follows: 4 nothing, 5 one byte, 6 two, 7 four, 8 eight, 9 sixteen; A and B a length of one or four bytes and then the
 * content; C to F a size of one or four bytes, a count of the same width, and then the elements.
 */
export const CODE = {
  described: 0x00,
  null: 0x40,
  true: 0x41,
  false: 0x42,
  uint0: 0x43,
  ulong0: 0x44,
  list0: 0x45,
  ubyte: 0x50,
  byte: 0x51,
  smallUint: 0x52,
  smallUlong: 0x53,
  smallInt: 0x54,
  smallLong: 0x55,
  boolean: 0x56,
  ushort: 0x60,
  short: 0x61,
  uint: 0x70,
  int: 0x71,
  float: 0x72,
  char: 0x73,
  decimal32: 0x74,
  ulong: 0x80,
  long: 0x81,
  double: 0x82,
  timestamp: 0x83,
  decimal64: 0x84,
  decimal128: 0x94,
  uuid: 0x98,
  binary8: 0xa0,
  string8: 0xa1,
  symbol8: 0xa3,
  binary32: 0xb0,
  string32: 0xb1,
  symbol32: 0xb3,
  list8: 0xc0,
  map8: 0xc1,
  list32: 0xd0,
  map32: 0xd1,
  array8: 0xe0,
  array32: 0xf0
} as const

/** The sections of a message, by the numbers of their descriptors (AMQP 1.0, part 3, 3.2). */
export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  amqpSequence: 0x76,
  amqpValue: 0x77,
  footer: 0x78
} as const

/** The descriptor of a section may be its number or this symbol. */
export const SECTION_SYMBOLS: ReadonlyMap<string, number> = new Map([
  ['amqp:header:list', SECTION.header],
  ['amqp:delivery-annotations:map', SECTION.deliveryAnnotations],
  ['amqp:message-annotations:map', SECTION.messageAnnotations],
  ['amqp:properties:list', SECTION.properties],
  ['amqp:application-properties:map', SECTION.applicationProperties],
  ['amqp:data:binary', SECTION.data],
  ['amqp:amqp-sequence:list', SECTION.amqpSequence],
  ['amqp:amqp-value:*', SECTION.amqpValue],
  ['amqp:footer:map', SECTION.footer]
])

/** The fewest bytes that follow a constructor, by the high half of its byte. */
const FEWEST_BYTES_BY_CLASS: readonly number[] = [-1, -1, -1, -1, 0, 1, 2, 4, 8, 16, 1, 4, 2, 8, 2, 8]

/** The fewest bytes that follow each constructor; -1 for a byte that is not a primitive constructor. */
export const FEWEST_BYTES: Int8Array = new Int8Array(256).fill(-1)
for (const code of Object.values(CODE)) FEWEST_BYTES[code] = FEWEST_BYTES_BY_CLASS[code >>> 4] ?? -1

/**
 * How deep values may nest: the value of a section is at depth 1, its elements at depth 2. The limit keeps recursive
 * decoding from overflowing the stack.
 */
export const MAX_DEPTH = 64

/**
 * How many array elements without any bytes (an array of nulls) a message may have in total. They cost the writer
 * nothing and the reader memory. No known client writes such arrays.
 */
export const MAX_ZERO_WIDTH_ELEMENTS = 256

/**
 * How many bytes of descriptors a message may save with arrays of described values. Such an array has its descriptor
 * once, and a reader gets it again with every element.
 */
export const MAX_REPEATED_DESCRIPTOR_BYTES = 65_536

/**
 * Values in one message: lists, maps and arrays, what is in them, and sections of data. Decoding and printing as many
 * takes up to 25 ms, during which nothing else is done.
 */
export const MAX_VALUES = 25_000

/** Bytes of strings, symbols and binaries in the values of one message. */
export const MAX_TEXT_BYTES = 1024 * 1024

/** How many bytes follow a constructor whose values have a fixed width; undefined for those that begin with a size. */
export function fixedWidth (code: number): number | undefined {
  switch (code >>> 4) {
    case 0x4: return 0
    case 0x5: return 1
    case 0x6: return 2
    case 0x7: return 4
    case 0x8: return 8
    case 0x9: return 16
    default: return undefined
  }
}
