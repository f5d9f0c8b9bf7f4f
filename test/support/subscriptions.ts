import type { Test } from 'tap'
import { Sealing, sealContext } from '../../src/push/definitions/sealing.ts'
import type { Subscription } from '../../src/push/definitions/definitions.ts'
import type { Gateway } from './gateway.ts'
import { PUSH_ENCRYPTION_KEY } from './push-gateway.ts'

/** A stream with what is needed to subscribe to it. Its error stream is deleted with it. */
export interface Source {
  readonly stream: string
  /** Of its subscriptions. */
  readonly path: string
  /** A subscription as the gateway keeps it. */
  readonly kept: (subscription: string) => Promise<Subscription>
}

export async function newSource (t: Test, gateway: Gateway, args?: object): Promise<Source> {
  const stream = await gateway.newStream(t, args)
  t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${stream}_errors`).catch(() => {}) })
  return {
    stream,
    path: `/v1/streams/${stream}/subscriptions`,
    kept: async (subscription) => {
      const { push } = gateway.app
      if (push === undefined) throw new Error('push is turned off')
      return await push.get({ source: 'stream', stream, subscription })
    }
  }
}

/** What a header or a secret of a subscription is, unsealed. */
export function opened ({ key }: Subscription, sealed = ''): string | undefined {
  return new Sealing([Buffer.from(PUSH_ENCRYPTION_KEY, 'base64')]).open(sealed, sealContext(key))
}
