import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { Agent, request as httpRequest } from 'undici'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { testManagementUrl, testStreamUrl } from './broker.ts'
import { OpenapiCheck, type CheckedAnswer } from './openapi-check.ts'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  bytes: Buffer
  text: string
  /** The parsed body; undefined when it is not JSON. */
  json: unknown
}

export interface RequestOptions {
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is. */
  body?: string | Buffer | AsyncIterable<Buffer>
  signal?: AbortSignal
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH' | 'HEAD'

/** A gateway in this process and a client of it that holds every answer against the OpenAPI document. */
export interface Gateway {
  app: FastifyInstance
  url: string
  port: number
  /** Lines of its log, parsed. */
  log: Array<Record<string, unknown>>
  request: (method: Method, path: string, options?: RequestOptions) => Promise<Answer>
  get: (path: string, headers?: Record<string, string>) => Promise<Answer>
  /** Publishes JSON messages whose bodies are these. */
  publish: (stream: string, ...bodies: unknown[]) => Promise<Answer>
  /** Creates a stream of its own for a test; it is deleted with the test. */
  newStream: (t: Test, args?: object) => Promise<string>
}

/** What a client of a gateway with TLS trusts, and what it shows of itself. */
export interface ClientTls { ca: string, cert?: string, key?: string }

/**
 * Starts a gateway on a free port against the RabbitMQ of the tests. It is closed with the test.
 *
 * @param env settings other than the defaults
 */
export async function startGateway (
  t: Test,
  env: Record<string, string> = {},
  tls?: ClientTls
): Promise<Gateway> {
  const log: Gateway['log'] = []
  const app = await buildGateway(env, log)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const agent = new Agent({ headersTimeout: 90_000, ...(tls && { connect: { ...tls } }) })
  t.teardown(async () => {
    await agent.destroy()
    await app.close()
  })
  const check = new OpenapiCheck(app.swagger())

  const request: Gateway['request'] = async (method, path, { headers = {}, json, body, signal } = {}) => {
    const response = await httpRequest(address + path, {
      method,
      headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
      body: json !== undefined ? JSON.stringify(json) : isStreamed(body) ? Readable.from(body) : body,
      signal,
      dispatcher: agent
    })
    const bytes = Buffer.from(await response.body.arrayBuffer())
    const { statusCode: status, headers: answerHeaders } = response
    const answer = { status, headers: answerHeaders, bytes, text: bytes.toString(), json: parsed(bytes) }
    const faults = method === 'HEAD' ? [] : check.faults(method, path.split('?', 1)[0] ?? '', checked(answer))
    if (faults.length > 0) {
      const what = `${method} ${path} answered ${status}, against the OpenAPI document`
      throw new Error(`${what}: ${faults.join('; ')}\n${answer.text}`)
    }
    if (typeof answer.headers['x-request-id'] !== 'string') {
      throw new Error(`${method} ${path} answered without x-request-id`)
    }
    return answer
  }

  return {
    app,
    url: address,
    port: Number(new URL(address).port),
    log,
    request,
    get: async (path, headers) => await request('GET', path, { ...(headers && { headers }) }),
    publish: async (stream, ...bodies) => {
      const messages = bodies.map((body) => ({ body }))
      return await request('POST', `/v1/streams/${stream}/messages`, { json: { messages } })
    },
    async newStream (t, args) {
      const stream = `test-${randomUUID()}`
      const { status, text } = await request('PUT', `/v1/streams/${stream}`, { ...(args && { json: args }) })
      if (status !== 201) throw new Error(`the stream could not be created: ${text}`)
      t.teardown(async () => { await request('DELETE', `/v1/streams/${stream}`).catch(() => {}) })
      return stream
    }
  }
}

/** The application with the settings of the tests, not listening. */
export async function buildGateway (
  env: Record<string, string> = {},
  log: Gateway['log'] = []
): Promise<FastifyInstance> {
  const { config } = loadConfig({
    RABBITMQ_STREAM_URL: testStreamUrl(),
    RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
    ...env
  }, (path) => readFileSync(path, 'utf8'))
  const logger = pino({ level: 'info' }, { write: (line: string) => { log.push(JSON.parse(line)) } })
  return await buildApp(config, logger)
}

function checked ({ status, headers, text }: Omit<Answer, 'json'>): CheckedAnswer {
  return { status, contentType: String(headers['content-type'] ?? ''), text }
}

function isStreamed (body: RequestOptions['body']): body is AsyncIterable<Buffer> {
  return typeof body === 'object' && !Buffer.isBuffer(body)
}

function parsed (bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}
