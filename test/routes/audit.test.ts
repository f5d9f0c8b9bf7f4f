import t from 'tap'
import { AUDITED_OPERATIONS } from '../../src/access/audit/audited-operations.ts'
import { OPERATIONS } from '../../src/access/operations.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

function auditLines ({ log }: Gateway): Array<Record<string, unknown>> {
  return log.filter(({ audit }) => audit === true)
}

function linesOf (gateway: Gateway, event: string): Array<Record<string, unknown>> {
  return auditLines(gateway).filter((line) => line.event === event)
}

t.test('every operation that changes something is audited', async (t) => {
  const gateway = await startGateway(t)
  const { paths } = JSON.parse(JSON.stringify(gateway.app.swagger()))
  const changing = Object.values<Record<string, { operationId?: string }>>(paths).flatMap((methods) => {
    return Object.entries(methods).flatMap(([method, { operationId }]) => {
      return method === 'get' || method === 'head' || operationId === undefined ? [] : [operationId]
    })
  })
  t.ok(changing.length >= 7)
  for (const operationId of [...changing, 'readAsConsumer']) t.ok(operationId in AUDITED_OPERATIONS, operationId)
  for (const operationId of Object.keys(AUDITED_OPERATIONS)) t.ok(operationId in OPERATIONS, operationId)
})

t.test('by default the lines tell who created, deleted and reset what', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  const consumer = `/v1/streams/${stream}/consumers/my-app/offset`
  await gateway.request('PUT', `/v1/streams/${stream}`)
  await gateway.publish(stream, 1, 2, 3)
  await gateway.request('POST', `${consumer}/reset`, { json: { to: 'next' }, headers: { 'x-request-id': 'first' } })
  await gateway.request('PUT', consumer, { json: { offset: 2 } })
  await gateway.request('POST', `${consumer}/reset`, { json: { to: { offset: 1 } } })
  await gateway.request('DELETE', `/v1/streams/${stream}`)
  await gateway.request('DELETE', `/v1/streams/${stream}`)
  await until('all lines are there', () => auditLines(gateway).length >= 4)
  const address = '127.0.0.1'
  t.match(auditLines(gateway), exactly(
    { event: 'stream.created', stream, status: 201, address, operationId: 'createStream' },
    { event: 'offset.reset', stream, consumer: 'my-app', from: null, to: 2, status: 200, reqId: 'first', address },
    { event: 'offset.reset', from: 2, to: 0, status: 200 },
    { event: 'stream.deleted', stream, status: 204 }
  ))
})

t.test('AUDIT_LOG=all has counts of publishes and stored offsets too', async (t) => {
  const gateway = await startGateway(t, { AUDIT_LOG: 'all' })
  const stream = await gateway.newStream(t)
  const messages = `/v1/streams/${stream}/messages`
  const consumer = `/v1/streams/${stream}/consumers/my-app`
  await gateway.publish(stream, 'a secret body', 2)
  await gateway.request('POST', `${messages}/lines?publisher=p&firstPublishingId=1`, { body: 'a\nb\n' })
  await gateway.request('POST', `${messages}/lines?publisher=p&firstPublishingId=1`, { body: 'a\nb\n' })
  await gateway.request('POST', `${messages}/raw`, { body: 'a secret body' })
  await gateway.request('POST', messages, { body: '{', headers: { 'content-type': 'application/json' } })
  await gateway.request('PUT', `${consumer}/offset`, { json: { offset: 0 } })
  await gateway.get(`${consumer}/messages?commit=1&limit=1`)
  await gateway.get(`${consumer}/messages?autoCommit=true`)
  await gateway.get(`${consumer}/messages`)
  await gateway.get(messages)
  await until('all lines are there', () => linesOf(gateway, 'offset.stored').length >= 3)
  t.match(linesOf(gateway, 'publish'), exactly(
    { stream, confirmed: 2, duplicates: 0, status: 200 },
    { stream, publisher: 'p', confirmed: 2, duplicates: 0 },
    { stream, publisher: 'p', confirmed: 0, duplicates: 2 },
    { operationId: 'publishRaw', confirmed: 1 },
    { operationId: 'publishMessages', status: 400 }
  ))
  t.match(linesOf(gateway, 'offset.stored'), exactly(
    { operationId: 'storeOffset', to: 0 }, { operationId: 'readAsConsumer', to: 1 }, { operationId: 'readAsConsumer' }
  ))
  t.notMatch(JSON.stringify(auditLines(gateway)), /secret/)
})

t.test('AUDIT_LOG=off has no line, and nothing is added to a request', async (t) => {
  const gateway = await startGateway(t, { AUDIT_LOG: 'off' })
  await gateway.newStream(t)
  t.same(auditLines(gateway), [])
})
