import t from 'tap'
import { checkCases } from './support.ts'

const rule = 'architecture/no-cycles'

// The other files of a circle are those of src/: ended.ts imports errors.ts, messages/index.ts exports raw.ts.
checkCases(t, [
  {
    rule,
    title: 'two files that import each other',
    file: 'src/streams/errors.ts',
    text: "import { errorOf } from './ended.ts'\n",
    report: 'This import closes a circle: streams/errors -> streams/ended -> streams/errors.'
  },
  {
    rule,
    title: 'a circle of types alone',
    file: 'src/streams/errors.ts',
    text: "import type { Ended } from './ended.ts'\n",
    report: 'This import closes a circle: streams/errors -> streams/ended -> streams/errors.'
  },
  {
    rule,
    title: 'a circle within a room, over re-exports',
    file: 'src/messages/raw.ts',
    text: "export * from './index.ts'\n",
    report: 'This import closes a circle: messages/raw -> messages/index -> messages/raw.'
  },
  {
    rule,
    title: 'a circle over several files',
    file: 'src/streams/common/logger.ts',
    text: "import { Broker } from '../broker.ts'\n",
    report: 'This import closes a circle: streams/common/logger -> streams/broker -> '
  },
  {
    rule,
    title: 'a file that imports itself',
    file: 'src/streams/errors.ts',
    text: "import { StreamsError } from './errors.ts'\n",
    report: 'This import closes a circle: streams/errors -> streams/errors.'
  },
  {
    rule,
    title: 'a circle outside of src/',
    file: 'scripts/setup/say.mjs',
    text: "import { run } from './process.mjs'\n",
    report: 'This import closes a circle: scripts/setup/say -> scripts/setup/process -> '
  },
  {
    rule,
    title: 'two ways to the same file',
    file: 'src/streams/ended.ts',
    text: "import { classify } from './classify.ts'\nimport { StreamsError } from './errors.ts'\n"
  },
  {
    rule,
    title: 'a file that does not exist',
    file: 'src/streams/errors.ts',
    text: "import { a } from './nowhere.ts'\n"
  }
])
