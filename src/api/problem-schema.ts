import { Type, type TSchema } from '@sinclair/typebox'
import { MAX_FIELD_ERRORS } from './field-error.ts'
import { PROBLEM_MEMBERS } from './problem-members.ts'
import { PROBLEM_CODES, type ProblemCode } from './problems.ts'

/** The schema of every error. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'A page of this gateway that explains the code.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What is wrong with this request.' }),
    code: Type.Unsafe<ProblemCode>({
      type: 'string',
      title: 'ProblemCode',
      enum: PROBLEM_CODES,
      description: 'Programs decide by this code.'
    }),
    retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    sideEffects: Type.Unsafe<string>({
      type: 'string',
      enum: ['none', 'possible'],
      description: '`possible`: something may have been stored or changed.'
    }),
    requestId: Type.String({ description: 'As in `x-request-id` and in the log.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({
            description: 'JSON pointer into the body, or `/query/...`, `/path/...`, `/headers/...`.'
          }),
          message: Type.String()
        }, { title: 'FieldError', description: 'What is wrong with one field.' }),
        { maxItems: MAX_FIELD_ERRORS, description: 'What is wrong, field by field.' }
      )
    ),
    ...optional(PROBLEM_MEMBERS)
  },
  {
    $id: 'Problem',
    description: 'RFC 9457. Members after `errors` are present only where they apply.'
  }
)

function optional (members: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(members).map(([name, schema]) => [name, Type.Optional(schema)]))
}
