'use strict';
/** DynamoDB, as sessions need it. Items are as DynamoDB has them. */

const {
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
} = require('@aws-sdk/client-dynamodb');
const { HandlerError } = require('./values');

/** The table refused a transaction; `reasons` has DynamoDB's code for each of its writes. */
class Refused extends Error {
  constructor(reasons, says = []) {
    super(`the transaction was refused: ${reasons.join(', ')} ${says.filter(Boolean).join('; ')}`);
    this.reasons = reasons;
  }
}

const OPERATORS = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' };

/** A write of a session as a member of `TransactItems`. */
function memberOf(write) {
  const names = new Map();
  const values = {};
  const name = (attribute) => {
    if (!names.has(attribute)) names.set(attribute, `#${names.size}`);
    return names.get(attribute);
  };
  const value = (attribute) => {
    const placeholder = `:${Object.keys(values).length}`;
    values[placeholder] = attribute;
    return placeholder;
  };
  const conditions = write.conditions.map((condition) => {
    if (condition.op === 'exists') return `attribute_exists(${name(condition.name)})`;
    if (condition.op === 'absent') return `attribute_not_exists(${name(condition.name)})`;
    return `${name(condition.name)} ${OPERATORS[condition.op]} ${value(condition.value)}`;
  });
  const clause = (word, parts) => (parts.length > 0 ? [`${word} ${parts.join(', ')}`] : []);
  const update =
    write.type === 'update' &&
    [
      ...clause('SET', Object.entries(write.set).map(([attribute, to]) => `${name(attribute)} = ${value(to)}`)),
      ...clause('REMOVE', write.remove.map(name)),
      ...clause('ADD', Object.entries(write.add).map(([attribute, by]) => `${name(attribute)} ${value(by)}`)),
    ].join(' ');
  const common = {
    TableName: write.table,
    ConditionExpression: conditions.join(' AND '),
    ExpressionAttributeNames: Object.fromEntries([...names].map(([attribute, placeholder]) => [placeholder, attribute])),
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
  };
  const Key = { _id: { S: write.id } };
  if (write.type === 'put') return { Put: { ...common, Item: write.item } };
  if (write.type === 'delete') return { Delete: { ...common, Key } };
  return { Update: { ...common, Key, UpdateExpression: update } };
}

/** What the handler's author can mend, in words; the rest as it is. */
function explained(error, table) {
  const name = error?.name ?? '';
  if (name === 'ResourceNotFoundException') {
    return new HandlerError(`the table ${table} does not exist; create it with the hash key _id, a text`, { cause: error });
  }
  if (name === 'AccessDeniedException') {
    return new HandlerError(`this function has no right to the table ${table}; give its ARN to the stack, parameter TableArns`, { cause: error });
  }
  return error;
}

/** How long it is taken for granted which indexes a table has, ms: one that is added, or taken away, is soon known. */
const INDEXES_KEPT = 60_000;

class DynamoDb {
  #client;
  #indexes = new Map();

  constructor(options = {}) {
    this.#client = new DynamoDBClient({
      maxAttempts: 3,
      // Without the last it only warns, and waits on.
      requestHandler: { connectionTimeout: 500, requestTimeout: 1500, throwOnRequestTimeout: true },
      ...options,
    });
  }

  async #send(command, table) {
    try {
      return await this.#client.send(command);
    } catch (error) {
      throw explained(error, table);
    }
  }

  async get(table, id) {
    const input = { TableName: table, Key: { _id: { S: id } }, ConsistentRead: true };
    return (await this.#send(new GetItemCommand(input), table)).Item;
  }

  /** The global secondary indexes whose hash key a query may name; kept for a while. */
  async indexes(table) {
    if (!(this.#indexes.get(table)?.until > Date.now())) {
      const { Table } = await this.#send(new DescribeTableCommand({ TableName: table }), table);
      const types = Object.fromEntries(Table.AttributeDefinitions.map((a) => [a.AttributeName, a.AttributeType]));
      const indexes = (Table.GlobalSecondaryIndexes ?? [])
        .filter((index) => index.IndexStatus === undefined || index.IndexStatus === 'ACTIVE')
        .map((index) => {
          const key = (kind) => index.KeySchema.find((one) => one.KeyType === kind)?.AttributeName;
          const [hash, range] = [key('HASH'), key('RANGE')];
          return { name: index.IndexName, hash, type: types[hash], ...(range && { range }) };
        });
      this.#indexes.set(table, { until: Date.now() + INDEXES_KEPT, indexes });
    }
    return this.#indexes.get(table).indexes;
  }

  /** A page of the keys that an index has. */
  async query(table, index, value, start) {
    const input = {
      TableName: table,
      IndexName: index.name,
      KeyConditionExpression: '#hash = :hash',
      ExpressionAttributeNames: { '#hash': index.hash, '#id': '_id' },
      ExpressionAttributeValues: { ':hash': value },
      ProjectionExpression: '#id',
      ExclusiveStartKey: start,
    };
    const page = await this.#send(new QueryCommand(input), `${table}/index/${index.name}`);
    return { items: page.Items, next: page.LastEvaluatedKey };
  }

  /** A page of a table. */
  async scan(table, start) {
    const input = { TableName: table, ConsistentRead: true, ExclusiveStartKey: start };
    const page = await this.#send(new ScanCommand(input), table);
    return { items: page.Items, next: page.LastEvaluatedKey };
  }

  async transact(writes) {
    const tables = [...new Set(writes.map((write) => write.table))].join(' or ');
    try {
      await this.#client.send(new TransactWriteItemsCommand({ TransactItems: writes.map(memberOf) }));
    } catch (error) {
      if (error.name !== 'TransactionCanceledException') throw explained(error, tables);
      const reasons = error.CancellationReasons ?? [];
      throw new Refused(
        reasons.map((reason) => reason.Code ?? 'None'),
        reasons.map((reason) => reason.Code !== 'ConditionalCheckFailed' && reason.Message),
      );
    }
  }
}

module.exports = { DynamoDb, Refused, memberOf };
