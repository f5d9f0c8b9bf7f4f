import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { Counter } from 'prom-client'
import { AccessError } from '../access/access-error.ts'
import { addressName } from '../access/address-name.ts'
import type { Limits } from '../access/caller.ts'
import { limitField, policyField } from '../access/quotas/fields.ts'
import { isLimiting, limitsOf } from '../access/quotas/limits.ts'
import { QUOTAS, type Quota, type QuotaName, type Refusal, type Traffic } from '../access/quotas/quota.ts'
import { Quotas } from '../access/quotas/quotas.ts'
import type { Config } from '../config.ts'
import { meterBody } from '../http/body-meter.ts'
import { callerOf } from '../http/caller.ts'
import { whenClosed } from '../http/request-scope.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * What a limited caller has used. Not declared by `decorateRequest`: Fastify would then set it in every request,
     * also without any limit.
     */
    quota?: Quota | undefined
    /** Whether the answer is paid for. */
    paysForAnswer?: boolean | undefined
  }
  interface FastifyInstance {
    /** Where the quotas of the caller stand, as headers of an answer that no hook sees. */
    quotaHeaders: (request: FastifyRequest) => Record<string, string>
  }
}

/** Callers who can have limits of their own. */
const WAYS_WITH_LIMITS: ReadonlySet<string> = new Set(['api-keys', 'mtls'])

/**
 * How much each caller may use. A caller is known by its credential, and without authentication by its address. Where
 * no caller can have limits, there is no hook.
 */
function quotas (app: FastifyInstance, { quotas: settings, access: { ways = [] } }: Config): void {
  const refused = countRefusals(app)
  app.decorate('quotaHeaders', headersOf)
  if (!isLimiting(settings) && !ways.some((way) => WAYS_WITH_LIMITS.has(way))) return
  const all = new Quotas()
  const limits = cachedLimits(settings)

  app.addHook('onRequest', (request, reply, done) => {
    const traffic = trafficOf(request)
    const caller = callerOf(request)
    const limit = traffic === undefined ? undefined : limits(caller.limits)
    if (traffic === undefined || limit === undefined) {
      done()
      return
    }
    const nowMs = performance.now()
    const name = caller.scheme === 'none' ? addressName(app.clientAddress(request)) : `${caller.scheme} ${caller.id}`
    const quota = all.of(name, limit, nowMs)
    request.quota = quota
    const refusal = quota.begin(traffic, nowMs)
    if (refusal !== undefined) {
      refused.inc({ quota: refusal.quota })
      done(toError(refusal))
      return
    }
    whenClosed(reply, () => { quota.end() })
    if (traffic === 'publish') meterBody(request.raw, bodyMeter(quota))
    if (traffic === 'read') request.paysForAnswer = request.method !== 'HEAD'
    done()
  })

  app.addHook('onSend', (request, reply, payload, done) => {
    const { quota } = request
    if (quota !== undefined) {
      if (request.paysForAnswer === true) chargeAnswer(quota, payload, reply.getHeader('content-length'))
      reply.headers(headersOf(request))
    }
    done(null, payload)
  })
}

function headersOf ({ quota }: FastifyRequest): Record<string, string> {
  if (quota === undefined) return {}
  const standings = quota.standings(performance.now())
  return { 'ratelimit-policy': policyField(standings), ratelimit: limitField(standings) }
}

function countRefusals (app: FastifyInstance): Counter<'quota'> {
  const refused = new Counter({
    name: 'rabbitmq_stream_gateway_quota_refusals_total',
    help: 'Requests refused because their caller had used a quota',
    labelNames: ['quota'],
    registers: [app.metrics]
  })
  for (const quota of QUOTAS) refused.inc({ quota }, 0)
  return refused
}

/** The limits of a caller by those that it has of its own: the same object for the same caller. */
function cachedLimits (settings: Limits): (own: Limits) => Limits | undefined {
  const known = new WeakMap<Limits, { readonly limits: Limits | undefined }>()
  return (own) => {
    const found = known.get(own)
    if (found !== undefined) return found.limits
    const limits = limitsOf(own, settings)
    known.set(own, { limits })
    return limits
  }
}

// Undefined: not limited, as health, documents, preflights and paths that do not exist are not.
function trafficOf ({ is404, method, routeOptions: { config: { access } } }: FastifyRequest): Traffic | undefined {
  if (is404 || access === undefined) return undefined
  if (access.type === 'known') return 'other'
  if (access.type !== 'stream') return undefined
  const verbs = 'all' in access ? access.all : []
  if (verbs.includes('write')) return 'publish'
  return verbs.includes('read') && (method === 'GET' || method === 'HEAD') ? 'read' : 'other'
}

function bodyMeter (quota: Quota) {
  return {
    count: (bytes: number) => { quota.chargePublished(bytes, performance.now()) },
    pause: (signal: AbortSignal) =>
      quota.secondsUntilPublish(performance.now()) > 0 ? untilPaid(quota, signal) : undefined
  }
}

// A timer of Node.js that is longer than 24 days fires at once.
const MAX_PAUSE_MS = 60_000

// The timeouts of the connection bound it.
async function untilPaid (quota: Quota, signal: AbortSignal): Promise<void> {
  for (;;) {
    const seconds = quota.secondsUntilPublish(performance.now())
    if (seconds === 0) return
    await delay(Math.min(Math.ceil(seconds * 1000), MAX_PAUSE_MS), undefined, { signal })
  }
}

// An answer without a known length is paid for as it leaves.
function chargeAnswer (quota: Quota, payload: unknown, length: unknown): void {
  const charge = (bytes: number): void => { quota.chargeRead(bytes, performance.now()) }
  if (typeof payload === 'string') charge(Buffer.byteLength(payload))
  else if (payload instanceof Uint8Array) charge(payload.length)
  else if (length !== undefined) charge(Number(length))
  else if (payload instanceof Readable) payload.on('data', (chunk: Buffer | string) => { charge(chunk.length) })
}

const USED: Readonly<Record<QuotaName, (limit: number) => string>> = {
  requests: (limit) => `more than ${limit} requests a second`,
  'publish-bytes': (limit) => `more than ${limit} published bytes a second`,
  'read-bytes': (limit) => `more than ${limit} read bytes a second`,
  'concurrent-requests': (limit) => `more than ${limit} requests at once`
}

function toError ({ quota, limit, retryAfterSeconds }: Refusal): AccessError {
  const message = `the quota of this caller is used up: ${USED[quota](limit)}`
  return new AccessError('too_many_requests', message, { reason: `quota ${quota}`, retryAfterSeconds })
}

export default fp<Config>(async (app, config) => quotas(app, config), {
  name: 'quotas',
  dependencies: ['access', 'metrics', 'compression', 'proxies']
})
