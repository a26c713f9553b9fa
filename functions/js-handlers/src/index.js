'use strict';
/** The Lambda function: a delivery in, `{ code, msg }` out. */

const fs = require('node:fs');
const path = require('node:path');
const { sessions } = require('./current');
const { deliver } = require('./deliver');
const { DynamoDb } = require('./dynamodb');
const { install } = require('./framework');

const FOLDER = path.join(__dirname, '..', 'pay-notify');

/** The handlers of a folder, by type: `recharge.js` is that of `recharge`. */
function handlersIn(folder) {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith('.js'));
  const known = new Map(files.map((file) => [path.basename(file, '.js'), path.join(folder, file)]));
  return (type) => {
    const file = known.get(type);
    return file && (() => require(file));
  };
}

/** `router=shop-router,mail=arn:aws:lambda:…`: the Lambda functions that handlers call by a uniCloud name. */
function functionsOf(text) {
  const parts = text.split(',').map((part) => part.trim()).filter(Boolean);
  return new Map(
    parts.map((part) => {
      const [, name, target] = /^([^=]+)=(.+)$/.exec(part) ?? [];
      if (!target) throw new Error(`PAY_CALL_FUNCTIONS: ${part} is not name=function`);
      return [name.trim(), target.trim()];
    }),
  );
}

/** Calls a Lambda function, and waits for what it returns. */
function invoker() {
  let client;
  return async (FunctionName, payload, abortSignal) => {
    const { InvokeCommand, LambdaClient } = require('@aws-sdk/client-lambda');
    // No repetition: the function may have done its work. The delivery comes again.
    client ??= new LambdaClient({ maxAttempts: 1 });
    const command = new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload) });
    const answer = await client.send(command, { abortSignal });
    const text = Buffer.from(answer.Payload ?? []).toString('utf8');
    const result = text === '' ? null : JSON.parse(text);
    const error = answer.FunctionError && `${answer.FunctionError}: ${result?.errorMessage ?? ''}`;
    return { error, payload: result, requestId: answer.$metadata.requestId };
  };
}

/** `notifyKey` itself, or `ssm:` and the name of the parameter that has it. */
async function notifyKeyOf(text) {
  if (!text?.startsWith('ssm:')) return text || undefined;
  const { GetParameterCommand, SSMClient } = require('@aws-sdk/client-ssm');
  const input = { Name: text.slice('ssm:'.length), WithDecryption: true };
  return (await new SSMClient({}).send(new GetParameterCommand(input))).Parameter.Value;
}

/** What is done when a promise of a handler was rejected, and nobody waited for it: its delivery fails, else all that run. */
function rejected(running) {
  // Lambda's own runtime ends the process as well. Nothing is committed then, either.
  return (reason) => {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    console.error({ message: 'a promise of a handler was rejected, and nobody waited for it', stack: error.stack });
    const own = sessions.getStore();
    for (const session of own ? [own] : running) session.fault ??= error;
  };
}

/** The handler of a Lambda function with this environment. */
function start(environment = process.env, folder = FOLDER) {
  const prefix = environment.PAY_TABLE_PREFIX ?? '';
  const running = new Set();
  const options = {
    handlers: handlersIn(folder),
    storage: new DynamoDb(),
    marks: environment.PAY_JS_DELIVERIES || `${prefix}js-deliveries`,
    prefix,
    reserved: environment.PAY_TABLE ? [environment.PAY_TABLE] : [],
    running,
  };
  install({ functions: functionsOf(environment.PAY_CALL_FUNCTIONS ?? ''), invoke: invoker() });
  process.on('unhandledRejection', rejected(running));
  let key;
  return async (event, context) => {
    key ??= notifyKeyOf(environment.PAY_NOTIFY_KEY).then((notifyKey) => install({ notifyKey }));
    try {
      await key;
    } catch (error) {
      key = undefined;
      throw error;
    }
    return await deliver(event, { ...options, timeLeft: () => context.getRemainingTimeInMillis() });
  };
}

let handle;

exports.handler = (event, context) => {
  handle ??= start();
  return handle(event, context);
};
exports.start = start;
exports.handlersIn = handlersIn;
exports.functionsOf = functionsOf;
exports.invoker = invoker;
exports.rejected = rejected;
