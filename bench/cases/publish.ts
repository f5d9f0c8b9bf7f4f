import { freePorts } from '../../scripts/setup/ports.mjs'
import type { Bench } from '../bench.ts'
import { compare, type Amount, type Side } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import type { BareRouteConfig } from '../workers/bare-route.ts'
import type { JsClientConfig } from '../workers/js-client.ts'
import type { Load, RepeatLoad } from '../workers/load.ts'
import type { ProtocolClientConfig } from '../workers/protocol-client.ts'
import { ratioGoal, type Case, type CaseResult } from './case.ts'

const BATCH_CONNECTIONS = 32
/** For one message a request. */
const SINGLE_CONNECTIONS = 64
// The work for the broker alone keeps a process from the goal: docs/performance.md shows why.
const PUBLISH_ONE_GUARD = 0.25

/** A request that publishes messages. */
export type Batch = Pick<RepeatLoad, 'headers' | 'body' | 'messagesPerRequest'> & {
  readonly path: string
  readonly bodyBytes: number
}

/** A body of lines. */
export function lines (count: number, bodyBytes: number): Batch {
  return {
    path: 'messages/lines',
    headers: { 'content-type': 'text/plain' },
    body: `${'x'.repeat(bodyBytes)}\n`.repeat(count),
    messagesPerRequest: count,
    bodyBytes
  }
}

/** A body of JSON envelopes. The body of each message is JSON, `bodyBytes` long. */
export function envelopes (count: number, bodyBytes: number): Batch {
  const message = { body: jsonOf(bodyBytes) }
  return {
    path: 'messages',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: Array.from({ length: count }, () => message) }),
    messagesPerRequest: count,
    bodyBytes
  }
}

/** An object that looks like a message; its JSON has exactly this many bytes. */
export function jsonOf (bytes: number): Record<string, unknown> {
  const json = { id: 4711, type: 'order', isPaid: true, total: 12.5, note: '' }
  return { ...json, note: 'x'.repeat(bytes - JSON.stringify(json).length) }
}

/** A gateway under load, which publishes to these streams in turn. */
export async function publishSide (
  bench: Bench, gateway: BenchGateway, streams: string | readonly string[], batch: Batch,
  connections = BATCH_CONNECTIONS
): Promise<Side> {
  const { bodyBytes, path, ...request } = batch
  const load = await bench.worker('load', {
    kind: 'repeat',
    port: gateway.port,
    connections,
    method: 'POST',
    ...request,
    paths: [streams].flat().map((stream) => `/v1/streams/${stream}/${path}`),
    status: 200,
    answer: `{"confirmed":${batch.messagesPerRequest},"duplicates":0}`
  } satisfies Load)
  return {
    processes: { gateway: gateway.pid, broker: bench.broker.pid, load: load.pid },
    pid: gateway.pid,
    round: (seconds) => load.round(seconds)
  }
}

/** A gateway under load, which publishes one message a request, to a stream of its own unless one is given. */
export async function singlesSide (
  bench: Bench, gateway: BenchGateway,
  { stream, headers = {} }: { readonly stream?: string, readonly headers?: Readonly<Record<string, string>> } = {}
): Promise<Side> {
  const batch = envelopes(1, 100)
  const request = { ...batch, headers: { ...batch.headers, ...headers } }
  return await publishSide(bench, gateway, stream ?? await bench.stream(gateway), request, SINGLE_CONNECTIONS)
}

/** The JavaScript client in a process of its own. */
export async function jsClientSide (bench: Bench, options: Omit<JsClientConfig, 'streamPort'>): Promise<Side> {
  const config: JsClientConfig = { streamPort: bench.streamPort, ...options }
  const client = await bench.worker('js-client', config)
  return {
    processes: { client: client.pid, broker: bench.broker.pid },
    pid: client.pid,
    round: (seconds) => client.round(seconds)
  }
}

/** The gateway's own protocol client in a process of its own. */
export async function protocolClientSide (
  bench: Bench, options: Omit<ProtocolClientConfig, 'streamPort'>
): Promise<Side> {
  const config: ProtocolClientConfig = { streamPort: bench.streamPort, ...options }
  const client = await bench.worker('protocol-client', config)
  return {
    processes: { client: client.pid, broker: bench.broker.pid },
    pid: client.pid,
    round: (seconds) => client.round(seconds)
  }
}

export const publishCases: readonly Case[] = [
  againstJsClient('publish-lines', '1,000 lines of 100 B a request', lines(1000, 100), 1),
  againstJsClient('publish-lines-1k', '500 lines of 1 kB a request', lines(500, 1000), 1.5),
  againstJsClient(
    'publish-json', '1,000 envelopes of 100 B bodies a request', envelopes(1000, 100), 0.6, 'application/json'
  ),
  {
    name: 'publish-one',
    workload: `one envelope of 100 B a request, ${SINGLE_CONNECTIONS} connections`,
    baseline: 'a bare Fastify route, no broker',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const candidate = await singlesSide(bench, gateway)
      const { candidate: figures, baseline, ratio } = await compare(candidate, await bareRouteSide(bench), amount)
      return { candidate: figures, baseline, ratio, goals: [ratioGoal(0.8, ratio, PUBLISH_ONE_GUARD)] }
    }
  },
  {
    name: 'publish-one-management',
    workload: `one envelope of 100 B a request, ${SINGLE_CONNECTIONS} connections`,
    baseline: 'the management API\'s publish',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const candidate = await singlesSide(bench, gateway)
      const baseline = await managementSide(bench, await bench.stream(gateway))
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(15, comparison.ratio)] }
    }
  },
  {
    name: 'ceiling-publish',
    workload: '1,000 lines of 100 B a request',
    baseline: 'our protocol client in process, no HTTP',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const batch = lines(1000, 100)
      const candidate = await publishSide(bench, gateway, await bench.stream(gateway), batch)
      const baseline = await protocolClientSide(bench, {
        kind: 'publish',
        stream: await bench.stream(gateway),
        bodyBytes: batch.bodyBytes,
        frameMessages: batch.messagesPerRequest,
        inFlight: BATCH_CONNECTIONS * batch.messagesPerRequest,
        messages: 0,
        pauseMs: 0
      })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.7, comparison.ratio)] }
    }
  }
]

function againstJsClient (name: string, workload: string, batch: Batch, atLeast: number, contentType?: string): Case {
  return {
    name,
    workload: `${workload}, ${BATCH_CONNECTIONS} connections`,
    baseline: 'the JavaScript client in process, ' +
      `${(BATCH_CONNECTIONS * batch.messagesPerRequest).toLocaleString('en')} unconfirmed`,
    async run (bench: Bench, amount: Amount): Promise<CaseResult> {
      const gateway = await bench.gateway()
      const candidate = await publishSide(bench, gateway, await bench.stream(gateway), batch)
      const baseline = await jsClientSide(bench, {
        kind: 'publish',
        stream: await bench.stream(gateway),
        bodyBytes: batch.bodyBytes,
        inFlight: BATCH_CONNECTIONS * batch.messagesPerRequest,
        messages: 0,
        ...contentType !== undefined && { contentType }
      })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(atLeast, comparison.ratio)] }
    }
  }
}

async function bareRouteSide (bench: Bench): Promise<Side> {
  const [port = 0] = await freePorts(1)
  const server = await bench.worker('bare-route', { port } satisfies BareRouteConfig)
  const { bodyBytes, path, ...request } = envelopes(1, 100)
  const load = await bench.worker('load', {
    kind: 'repeat',
    port,
    connections: SINGLE_CONNECTIONS,
    method: 'POST',
    ...request,
    paths: [`/v1/streams/bench/${path}`],
    status: 200,
    answer: '{"confirmed":1,"duplicates":0}'
  } satisfies Load)
  return { processes: { server: server.pid, load: load.pid }, pid: server.pid, round: (seconds) => load.round(seconds) }
}

async function managementSide (bench: Bench, stream: string): Promise<Side> {
  const { username, password, port } = new URL(bench.broker.managementUrl)
  const load = await bench.worker('load', {
    kind: 'repeat',
    port: Number(port),
    connections: SINGLE_CONNECTIONS,
    method: 'POST',
    paths: ['/api/exchanges/%2F/amq.default/publish'],
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    },
    body: JSON.stringify({
      properties: { content_type: 'application/json' },
      routing_key: stream,
      payload: JSON.stringify(jsonOf(100)),
      payload_encoding: 'string'
    }),
    status: 200,
    answer: '{"routed":true}',
    messagesPerRequest: 1
  } satisfies Load)
  return {
    processes: { broker: bench.broker.pid, load: load.pid },
    pid: bench.broker.pid ?? load.pid,
    round: (seconds) => load.round(seconds)
  }
}
