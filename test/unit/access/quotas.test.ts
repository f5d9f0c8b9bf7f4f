import fc from 'fast-check'
import t from 'tap'
import { addressName } from '../../../src/access/address-name.ts'
import { Bucket } from '../../../src/access/quotas/bucket.ts'
import { limitField, policyField } from '../../../src/access/quotas/fields.ts'
import { limitsOf } from '../../../src/access/quotas/limits.ts'
import { Quota, type Traffic } from '../../../src/access/quotas/quota.ts'
import { Quotas } from '../../../src/access/quotas/quotas.ts'

t.test('an idle caller saves two seconds of its requests and no more', async (t) => {
  const quota = new Quota({ requestsPerSecond: 5 })
  for (const startMs of [0, 1_000_000]) {
    for (let count = 0; count < 10; count++) t.equal(quota.begin('other', startMs), undefined)
    t.same(quota.begin('other', startMs), { quota: 'requests', limit: 5, retryAfterSeconds: 1 })
    t.equal(quota.begin('other', startMs + 200), undefined, 'one is back after a fifth of a second')
    t.ok(quota.begin('other', startMs + 200))
  }
})

t.test('over any time a caller gets its rate and one burst', async () => {
  const steps = fc.array(fc.record({ afterMs: fc.nat(2000), tries: fc.nat(40) }), { maxLength: 60 })
  fc.assert(fc.property(fc.integer({ min: 1, max: 50 }), steps, (perSecond, all) => {
    const quota = new Quota({ requestsPerSecond: perSecond })
    let nowMs = 0
    let begun = 0
    for (const { afterMs, tries } of all) {
      nowMs += afterMs
      for (let attempt = 0; attempt < tries; attempt++) if (quota.begin('other', nowMs) === undefined) begun++
    }
    return begun <= perSecond * 2 + nowMs / 1000 * perSecond + 1e-6
  }))
})

t.test('a request that is refused costs nothing, and may begin after the time that its refusal says', async (t) => {
  const quota = new Quota({ requestsPerSecond: 1 })
  for (let count = 0; count < 2; count++) quota.begin('other', 0)
  for (let count = 0; count < 100; count++) t.match(quota.begin('other', 0), { retryAfterSeconds: 1 })
  t.equal(quota.begin('other', 1000), undefined)
})

t.test('bytes go into debt, which the next request of the same kind pays', async (t) => {
  const quota = new Quota({ readBytesPerSecond: 1000, publishBytesPerSecond: 1000 })
  const begin = (traffic: Traffic, nowMs: number) => quota.begin(traffic, nowMs)
  t.equal(begin('read', 0), undefined)
  quota.chargeRead(7000, 0)
  t.match(begin('read', 0), { quota: 'read-bytes', limit: 1000, retryAfterSeconds: 5 })
  t.equal(begin('publish', 0), undefined, 'a publish has a quota of its own')
  t.equal(begin('other', 0), undefined, 'what moves no bytes is not held up')
  t.ok(begin('read', 4999))
  t.equal(begin('read', 5000), undefined)
  quota.chargePublished(2500, 5000)
  t.equal(quota.secondsUntilPublish(5000), 0.5)
  t.match(begin('publish', 5000), { quota: 'publish-bytes', retryAfterSeconds: 1 })
  t.equal(quota.secondsUntilPublish(5500), 0)
})

t.test('requests at once are counted until they end', async (t) => {
  const quota = new Quota({ concurrentRequests: 2 })
  t.equal(quota.begin('read', 0), undefined)
  t.equal(quota.begin('other', 0), undefined)
  t.same(quota.begin('read', 0), { quota: 'concurrent-requests', limit: 2, retryAfterSeconds: 1 })
  quota.end()
  t.equal(quota.begin('read', 0), undefined)
})

t.test('the limits of a caller go before those of the settings, and 0 lifts them', async (t) => {
  const settings = { requestsPerSecond: 10, readBytesPerSecond: 1000 }
  t.match(limitsOf({}, settings), { requestsPerSecond: 10, readBytesPerSecond: 1000, concurrentRequests: 0 })
  t.match(limitsOf({ requestsPerSecond: 3 }, settings), { requestsPerSecond: 3, readBytesPerSecond: 1000 })
  t.equal(limitsOf({ requestsPerSecond: 0, readBytesPerSecond: 0 }, settings), undefined)
  t.equal(limitsOf({}, {}), undefined)
})

t.test('limits that change take effect at once, and what was used stays used', async (t) => {
  const quotas = new Quotas()
  const before = { requestsPerSecond: 10 }
  const after = { requestsPerSecond: 1 }
  for (let count = 0; count < 20; count++) t.equal(quotas.of('a', before, 0).begin('other', 0), undefined)
  t.ok(quotas.of('a', after, 0).begin('other', 0))
  t.equal(quotas.of('a', after, 1000).begin('other', 1000), undefined)
  t.match(quotas.of('a', after, 1000).begin('other', 1000), { limit: 1 })
})

t.test('the fields are those of the draft', async (t) => {
  const quota = new Quota({
    requestsPerSecond: 200, publishBytesPerSecond: 1024, readBytesPerSecond: 0, concurrentRequests: 10
  })
  quota.begin('publish', 0)
  quota.chargePublished(5120, 0)
  const standings = quota.standings(0)
  t.equal(
    policyField(standings),
    '"requests";q=400;w=2, "publish-bytes";q=2048;qu="content-bytes";w=2, ' +
    '"concurrent-requests";q=10;qu="concurrent-requests"'
  )
  t.equal(limitField(standings), '"requests";r=399;t=1, "publish-bytes";r=0;t=5, "concurrent-requests";r=9')
})

t.test('the memory for callers is bounded, and those that use something are kept', async (t) => {
  const quotas = new Quotas(100)
  const limits = { requestsPerSecond: 1 }
  const busy = quotas.of('busy', limits, 0)
  busy.begin('other', 0)
  for (let index = 0; index < 10_000; index++) quotas.of(`other ${index}`, limits, index / 10)
  t.ok(quotas.size <= 100)
  const kept = new Quotas(100)
  const user = kept.of('user', limits, 0)
  user.begin('other', 0)
  for (let index = 0; index < 150; index++) kept.of(`guest ${index}`, limits, 10_000)
  t.equal(kept.of('user', limits, 10_000), user, 'a request is under way')
})

t.test('an address is its network where one client may have many', async (t) => {
  for (const [address, name] of [
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:0:0:ffff::', '2001:db8:0:0'],
    ['2001:DB8:0000:1:2:3:4:5', '2001:db8:0:1'],
    ['::1', '0:0:0:0'],
    [undefined, 'unknown']
  ] as const) t.equal(addressName(address), name)
})

t.test('a bucket never holds more than its burst', async (t) => {
  const bucket = new Bucket(10)
  t.equal(bucket.remaining(0), 20)
  bucket.charge(5, 0)
  t.equal(bucket.remaining(0), 15)
  t.equal(bucket.remaining(60_000), 20)
  t.equal(bucket.secondsUntil(1000, 0), 0.5, 'more than it can hold is there when it is full')
})
