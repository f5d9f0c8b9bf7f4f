import { fastify } from 'fastify'
import t from 'tap'
import errors from '../../src/plugins/errors.ts'
import proxies from '../../src/plugins/proxies.ts'
import requests from '../../src/plugins/requests.ts'
import { RequestError } from '../../src/api/problems.ts'
import { sendPublished, withOutcome } from '../../src/routes/publish/answer.ts'
import { StreamsError, type PublishFailure, type PublishResult } from '../../src/streams/index.ts'
import { exactly } from '../support/exactly.ts'

interface Answer {
  statusCode: number
  headers: object
  json: () => unknown
}

// Outcomes that a healthy broker does not have, through the real error handling.
async function answerTo (result: PublishResult, error?: unknown): Promise<Answer> {
  const app = fastify()
  await app.register(proxies, { pathPrefix: '', trustedProxies: [] })
  await app.register(requests)
  await app.register(errors, { pathPrefix: '' })
  app.get('/', async (_request, reply) => {
    if (error !== undefined) throw withOutcome(error, result)
    return await sendPublished(reply, result)
  })
  const answer = await app.inject('/')
  await app.close()
  return answer
}

const outcome = (result: Partial<PublishResult>): PublishResult => {
  return { confirmed: 0, duplicates: 0, failures: [], ...result }
}

const failure = (index: number, status: PublishFailure['status'], code: StreamsError['code']): PublishFailure => {
  return { index, status, error: new StreamsError(code, `${code} happened`) }
}

t.test('when some messages failed, the answer is 207 and names those', async (t) => {
  const failures = [failure(1, 'failed', 'message_too_large'), failure(4, 'unknown', 'confirm_timeout')]
  const answer = await answerTo(outcome({ confirmed: 2, duplicates: 1, failures }))
  t.equal(answer.statusCode, 207)
  t.same(answer.json(), {
    confirmed: 2,
    duplicates: 1,
    results: [
      { index: 1, status: 'failed', code: 'payload_too_large' },
      { index: 4, status: 'unknown', code: 'confirm_timeout' }
    ]
  })
})

t.test('when all failed for one reason, the answer is that problem', async (t) => {
  const timeouts = [0, 1].map((index) => failure(index, 'unknown', 'confirm_timeout'))
  const timeout = await answerTo(outcome({ failures: timeouts }))
  t.match(timeout.json(), {
    status: 504,
    code: 'confirm_timeout',
    detail: 'confirm_timeout happened',
    retryable: true,
    sideEffects: 'possible'
  })
  const losses = [failure(0, 'failed', 'broker_unavailable'), failure(1, 'unknown', 'broker_unavailable')]
  const lost = await answerTo(outcome({ failures: losses }))
  const problem = { status: 503, code: 'broker_unavailable', sideEffects: 'possible' }
  t.match(lost.json(), problem, 'one message that may be stored is enough')
  t.match(lost.headers, { 'retry-after': '1' })
  const refused = await answerTo(outcome({ failures: [failure(0, 'failed', 'stream_not_available')] }))
  t.match(refused.json(), { status: 503, code: 'stream_not_available', sideEffects: 'none' })
})

t.test('when all failed for several reasons, the answer is 207', async (t) => {
  const failures = [failure(0, 'failed', 'overloaded'), failure(1, 'unknown', 'confirm_timeout')]
  const answer = await answerTo(outcome({ failures }))
  t.match(answer, { statusCode: 207 })
  t.match(answer.json(), { confirmed: 0, duplicates: 0, results: { length: 2 } })
})

t.test('an error that ends a streamed publish says what became of the messages before it', async (t) => {
  const overloaded = new StreamsError('overloaded', 'too much', { details: { limitBytes: 5 } })
  const before = await answerTo(outcome({}), overloaded)
  t.match(before.json(), { status: 503, code: 'overloaded', retryable: true, sideEffects: 'none', limitBytes: 5 })
  t.notHas(before.json(), { published: {} })
  const partly = await answerTo(outcome({ confirmed: 3 }), overloaded)
  t.match(partly.json(), {
    status: 503,
    code: 'overloaded',
    retryable: true,
    sideEffects: 'possible',
    limitBytes: 5,
    published: { confirmed: 3, duplicates: 0 }
  })
  const repeated = await answerTo(outcome({ duplicates: 3 }), overloaded)
  t.match(repeated.json(), { sideEffects: 'none', published: { duplicates: 3 } }, 'duplicates change nothing')
  const bad = new RequestError('validation_failed', 'bad', { errors: [{ pointer: '/2', message: 'is bad' }] })
  const failed = await answerTo(outcome({ failures: [failure(1, 'failed', 'overloaded')] }), bad)
  t.match(failed.json(), {
    status: 400,
    sideEffects: 'none',
    errors: exactly({ pointer: '/2' }),
    published: { results: exactly({ index: 1, status: 'failed', code: 'overloaded' }) }
  })
  const unknown = await answerTo(outcome({ failures: [failure(1, 'unknown', 'confirm_timeout')] }), bad)
  t.match(unknown.json(), { status: 400, sideEffects: 'possible' })
})

t.test('an unexpected error shows nothing of itself', async (t) => {
  const answer = await answerTo({ confirmed: 1, duplicates: 0, failures: [] }, new Error('s3cret'))
  t.match(answer.json(), { status: 500, code: 'internal_error', sideEffects: 'possible' })
  t.notMatch(JSON.stringify(answer.json()), 's3cret')
})
