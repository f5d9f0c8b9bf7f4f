import { connect, type Socket } from 'node:net'

/** An answer. Its body is kept only when it is small. */
export interface Answer {
  readonly status: number
  /** Status line and headers. */
  readonly head: string
  readonly bodyBytes: number
  /** The body, if it is small and arrived in one piece with the headers; otherwise ''. */
  readonly text: string
}

const READ_BUFFER_BYTES = 512 * 1024
const HEAD_END = '\r\n\r\n'
const MAX_TEXT_BYTES = 4096

/**
 * One HTTP/1.1 connection that sends requests made beforehand and counts answers. It costs a tenth of what an HTTP
 * client for general use costs, so that the load generator is not what is measured. All bodies are read into one
 * buffer, each over the one before.
 */
export class HttpConnection {
  readonly #socket: Socket
  readonly #waiting: Array<(answer: Answer) => void> = []
  #partialHead = ''
  #bodyLeft = 0
  #answer: Answer | undefined

  private constructor (socket: Socket) {
    this.#socket = socket
  }

  static async open (port: number): Promise<HttpConnection> {
    return await new Promise((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES),
          callback (bytes, buffer) {
            connection.#received(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
            return true
          }
        }
      })
      const connection = new HttpConnection(socket)
      socket.once('connect', () => { resolve(connection) })
      socket.once('error', reject)
      socket.once('close', () => {
        if (connection.#waiting.length > 0) throw new Error('the server closed a connection before it had answered')
      })
    })
  }

  /** Sends a request; `answered` is called with its answer. Several requests may be in flight. */
  send (request: Buffer, answered: (answer: Answer) => void): void {
    if (this.#socket.destroyed) throw new Error('the server has closed the connection')
    this.#waiting.push(answered)
    this.#socket.write(request)
  }

  async request (request: Buffer): Promise<Answer> {
    return await new Promise((resolve) => { this.send(request, resolve) })
  }

  close (): void {
    this.#waiting.length = 0
    this.#socket.destroy()
  }

  #received (bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#answer === undefined) at = this.#readHead(bytes, at)
      const taken = Math.min(this.#bodyLeft, bytes.length - at)
      at += taken
      this.#bodyLeft -= taken
      if (this.#answer !== undefined && this.#bodyLeft === 0) {
        const answer = this.#answer
        this.#answer = undefined
        this.#waiting.shift()?.(answer)
      }
    }
  }

  #readHead (bytes: Buffer, at: number): number {
    const end = bytes.indexOf(HEAD_END, at)
    // A head seldom arrives in pieces, so this may cost more: the pieces are joined as text and searched again.
    if (end === -1 || this.#partialHead !== '') return this.#readCutHead(bytes, at)
    const bodyStart = end + HEAD_END.length
    this.#begin(bytes.toString('latin1', at, end), bytes, bodyStart)
    return bodyStart
  }

  #readCutHead (bytes: Buffer, at: number): number {
    const before = this.#partialHead.length
    const text = this.#partialHead + bytes.toString('latin1', at)
    const end = text.indexOf(HEAD_END)
    if (end === -1) {
      this.#partialHead = text
      return bytes.length
    }
    this.#partialHead = ''
    const bodyStart = at + end + HEAD_END.length - before
    this.#begin(text.slice(0, end), bytes, bodyStart)
    return bodyStart
  }

  #begin (head: string, bytes: Buffer, bodyStart: number): void {
    const bodyBytes = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? NaN)
    if (Number.isNaN(bodyBytes)) throw new Error(`an answer without a length: ${head}`)
    const isHere = bodyBytes <= MAX_TEXT_BYTES && bodyStart + bodyBytes <= bytes.length
    this.#bodyLeft = bodyBytes
    this.#answer = {
      status: Number(head.slice(9, 12)),
      head,
      bodyBytes,
      text: isHere ? bytes.toString('latin1', bodyStart, bodyStart + bodyBytes) : ''
    }
  }
}

/** A header of an answer. */
export function headerOf ({ head }: Answer, name: string): string | undefined {
  const start = head.indexOf(`\r\n${name}: `)
  if (start === -1) return undefined
  const from = start + name.length + 4
  const end = head.indexOf('\r\n', from)
  return head.slice(from, end === -1 ? undefined : end)
}

/** The bytes of a request. */
export function requestBytes (method: string, path: string, headers: Record<string, string> = {}, body = ''): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  ]
  if (method !== 'GET') lines.push(`content-length: ${Buffer.byteLength(body)}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}
