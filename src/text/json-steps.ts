const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e
const LOWER_U = 0x75
const OBJECT = 1
const ARRAY = 0

// How many bytes are checked between two pauses, well under a millisecond.
const STEP_BYTES = 64 * 1024
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'))
const LITERALS: ReadonlyMap<number, Buffer> = new Map(['true', 'false', 'null'].map((text) => {
  const bytes = Buffer.from(text)
  return [bytes.readUInt8(0), bytes]
}))

/**
 * Whether the bytes are one JSON value (RFC 8259), as `JSON.parse` says, but without making values and in small steps:
 * whoever asks may do something else after each. UTF-8 is not checked.
 *
 * @returns by the last step, whether they are
 */
export function * jsonSteps (bytes: Uint8Array): Generator<void, boolean> {
  const end = bytes.length
  const open = new BitStack()
  let pauseAt = STEP_BYTES
  let at = afterSpace(bytes, 0)
  for (;;) {
    if (at >= pauseAt) {
      yield
      pauseAt = at + STEP_BYTES
    }
    // A value begins here.
    const first = bytes[at] ?? 0
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      open.push(first === OPEN_OBJECT ? OBJECT : ARRAY)
      at = afterSpace(bytes, at + 1)
      if (bytes[at] !== (first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        if (first === OPEN_OBJECT) at = yield * afterKey(bytes, at)
        if (at < 0) return false
        continue
      }
    } else {
      at = first === QUOTE ? yield * afterString(bytes, at + 1) : afterScalar(bytes, at, first)
      if (at < 0) return false
    }
    // A value has ended here, and perhaps the objects and arrays around it.
    at = afterSpace(bytes, at)
    while (open.depth > 0 && bytes[at] === (open.top === OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY)) {
      open.pop()
      at = afterSpace(bytes, at + 1)
      if (at >= pauseAt) {
        yield
        pauseAt = at + STEP_BYTES
      }
    }
    if (open.depth === 0) return at === end
    if (bytes[at] !== COMMA) return false
    at = afterSpace(bytes, at + 1)
    if (open.top === OBJECT) at = yield * afterKey(bytes, at)
    if (at < 0) return false
  }
}

/** Which brackets are open, a bit for each: a text of 16 MiB may open as many. */
class BitStack {
  #bits = new Uint8Array(16)
  depth = 0
  /** The innermost one. */
  top = 0

  push (bit: number): void {
    const index = this.depth >> 3
    if (index === this.#bits.length) {
      const longer = new Uint8Array(index * 2)
      longer.set(this.#bits)
      this.#bits = longer
    }
    const mask = 1 << (this.depth & 7)
    this.#bits[index] = bit === 1 ? (this.#bits[index] ?? 0) | mask : (this.#bits[index] ?? 0) & ~mask
    this.depth++
    this.top = bit
  }

  pop (): void {
    this.depth--
    const last = this.depth - 1
    this.top = last < 0 ? 0 : ((this.#bits[last >> 3] ?? 0) >> (last & 7)) & 1
  }
}

// Each of these returns the position after its part, or -1.

function afterSpace (bytes: Uint8Array, start: number): number {
  let at = start
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[at]) at++
  return at
}

function * afterKey (bytes: Uint8Array, start: number): Generator<void, number> {
  if (bytes[start] !== QUOTE) return -1
  const end = yield * afterString(bytes, start + 1)
  if (end < 0) return -1
  const at = afterSpace(bytes, end)
  return bytes[at] === COLON ? afterSpace(bytes, at + 1) : -1
}

function * afterString (bytes: Uint8Array, start: number): Generator<void, number> {
  for (let at = start; at < bytes.length;) {
    const end = Math.min(at + STEP_BYTES, bytes.length)
    const stop = endOfPlain(bytes, at, end)
    if (stop === end) {
      at = end
      yield
      continue
    }
    if (bytes[stop] === QUOTE) return stop + 1
    if (bytes[stop] !== BACKSLASH) return -1
    at = afterEscape(bytes, stop + 1)
    if (at < 0) return -1
  }
  return -1
}

function endOfPlain (bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) return at
  }
  return at
}

function afterEscape (bytes: Uint8Array, start: number): number {
  const kind = bytes[start] ?? 0
  if (kind !== LOWER_U) return ESCAPED.has(kind) ? start + 1 : -1
  for (let at = start + 1; at < start + 5; at++) if (!isHexDigit(bytes[at] ?? 0)) return -1
  return start + 5
}

function afterScalar (bytes: Uint8Array, start: number, first: number): number {
  const literal = LITERALS.get(first)
  if (literal === undefined) return first === MINUS || isDigit(first) ? afterNumber(bytes, start) : -1
  return literal.every((byte, index) => bytes[start + index] === byte) ? start + literal.length : -1
}

function afterNumber (bytes: Uint8Array, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start
  let at = afterDigits(bytes, first)
  if (at === first || (bytes[first] === 0x30 && at > first + 1)) return -1
  if (bytes[at] === POINT) {
    const fraction = at + 1
    at = afterDigits(bytes, fraction)
    if (at === fraction) return -1
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const exponent = bytes[at + 1] === PLUS || bytes[at + 1] === MINUS ? at + 2 : at + 1
    at = afterDigits(bytes, exponent)
    if (at === exponent) return -1
  }
  return at
}

function afterDigits (bytes: Uint8Array, start: number): number {
  let at = start
  while (isDigit(bytes[at] ?? 0)) at++
  return at
}

function isDigit (byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isHexDigit (byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)
}
