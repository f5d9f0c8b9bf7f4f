import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'

/** The app, or a scope of it, as functions that add routes get it: types of requests follow from their schemas. */
export type ApiApp = Parameters<FastifyPluginAsyncTypebox>[0]
