// SPDX-License-Identifier: MIT
// client_redis.js - a program that uses the store through the npm package redis: HOST
'use strict';
const assert = require('assert');
const { createClient, commandOptions } = require('redis');

async function main() {
	const client = createClient({ url: `redis://${process.argv[2]}:6379`, name: 'node' });
	client.on('error', (error) => { console.log(error); process.exit(1); });
	await client.connect();
	assert.strictEqual(await client.ping(), 'PONG');
	assert.strictEqual(await client.clientGetName(), 'node');
	assert.strictEqual(await client.set('node:k', 'v', { EX: 100 }), 'OK');
	assert.strictEqual(await client.get('node:k'), 'v');
	assert.ok(await client.ttl('node:k') > 90);
	assert.strictEqual(await client.set('node:k', 'w', { NX: true }), null);
	assert.strictEqual(await client.set('node:k', 'w', { GET: true }), 'v');
	const bytes = Buffer.from([0, 13, 10, 255]);
	await client.set('node:bytes', bytes);
	assert.deepStrictEqual(
		await client.get(commandOptions({ returnBuffers: true }), 'node:bytes'), bytes);
	assert.strictEqual(await client.mSet({ 'node:a': '1', 'node:b': '2' }), 'OK');
	assert.deepStrictEqual(await client.mGet(['node:a', 'node:none', 'node:b']), ['1', null, '2']);
	const counts = await Promise.all(
		Array.from({ length: 500 }, () => client.incr('node:count')));
	assert.deepStrictEqual(counts, Array.from({ length: 500 }, (_, i) => i + 1));
	const keys = new Set();
	for await (const key of client.scanIterator({ MATCH: 'node:*' })) keys.add(key);
	assert.deepStrictEqual([...keys].sort(),
		['node:a', 'node:b', 'node:bytes', 'node:count', 'node:k']);
	assert.strictEqual(await client.del([...keys]), 5);
	await assert.rejects(client.lPush('node:list', 'x'), /unknown command/);
	await client.quit();
	console.log('right');
}

main().catch((error) => { console.log(error); process.exit(1); });
