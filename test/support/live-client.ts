import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { until } from './until.ts'

/** An event of a live answer; `name` is undefined for messages. */
export interface LiveEvent {
  readonly name: string | undefined
  readonly id: string | undefined
  readonly data: unknown
}

/** A client of a live answer. It keeps everything that it got. */
export class LiveClient {
  readonly response: IncomingMessage
  readonly events: LiveEvent[] = []
  readonly retries: number[] = []
  text = ''
  isClosed = false
  /** The answer ended as HTTP has it. */
  isWhole = false

  constructor (response: IncomingMessage) {
    this.response = response
    const parser = createParser({
      onEvent: ({ event, id, data }: EventSourceMessage) => {
        this.events.push({ name: event, id, data: JSON.parse(data) })
      },
      onRetry: (retry) => { this.retries.push(retry) }
    })
    const isSse = response.headers['content-type'] === 'text/event-stream'
    let line = ''
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      this.text += text
      if (isSse) {
        parser.feed(text)
        return
      }
      const lines = (line + text).split('\n')
      line = lines.pop() ?? ''
      for (const whole of lines) if (whole !== '') this.events.push(eventOfLine(whole))
    })
    response.on('error', () => {})
    response.on('close', () => {
      this.isClosed = true
      this.isWhole = response.complete
    })
  }

  /** Opens a live answer, whatever its status. It is cut with the test. */
  static async open (t: Test, url: string, headers: Record<string, string> = {}): Promise<LiveClient> {
    const request = httpRequest(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false })
    t.teardown(() => { request.destroy() })
    request.on('error', () => {})
    request.end()
    const [response] = await once(request, 'response')
    return new LiveClient(response)
  }

  get messages (): LiveEvent[] {
    return this.events.filter(({ name }) => name === undefined || name === 'message')
  }

  get offsets (): number[] {
    return this.messages.map(({ data }) => Number(fieldOf(data, 'offset')))
  }

  get lastId (): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id
  }

  named (name: string): unknown[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data)
  }

  async until (what: string, isDone: (client: this) => boolean, timeoutMs = 15_000): Promise<void> {
    try {
      await until(what, () => isDone(this), timeoutMs)
    } catch (error) {
      throw new Error(`in vain: ${what}; got ${this.text.slice(-500)}`, { cause: error })
    }
  }

  close (): void {
    this.response.destroy()
  }
}

function eventOfLine (line: string): LiveEvent {
  const data: unknown = JSON.parse(line)
  const [name = ''] = Object.keys(Object(data))
  return name.startsWith('$')
    ? { name: name.slice(1), id: undefined, data: fieldOf(data, name) }
    : { name: undefined, id: undefined, data }
}

/** A member of an object. */
export function fieldOf (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
