import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { RedriveList, RedriveSchema, SubscriptionList, SubscriptionSchema } from '../../api/subscription-answers.ts'
import { pauseSubscription, resetSubscription, resumeSubscription, skipMessage } from './actions.ts'
import {
  deleteSubscription, getSubscription, patchSubscription, putSubscription, readPatches
} from './definitions.ts'
import { rotateSecret, testSubscription } from './endpoints.ts'
import { KINDS } from './kinds.ts'
import { listAllSubscriptions, listSubscriptions } from './lists.ts'
import { cancelRedrive, getRedrive, listRedrives, startRedrive } from './redrives.ts'

const ROUTES = [
  listSubscriptions, putSubscription, getSubscription, deleteSubscription, pauseSubscription, resumeSubscription,
  resetSubscription, skipMessage, testSubscription, rotateSecret, startRedrive, listRedrives, getRedrive, cancelRedrive
]

/** Push subscriptions of streams and super streams: what is delivered, and how it goes. */
export const subscriptionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [SubscriptionSchema, SubscriptionList, RedriveSchema, RedriveList]) app.addSchema(schema)
  listAllSubscriptions(app)
  for (const kind of KINDS) for (const route of ROUTES) route(app, kind)
  await app.register(async (scope) => {
    readPatches(scope)
    for (const kind of KINDS) patchSubscription(scope, kind)
  })
}
