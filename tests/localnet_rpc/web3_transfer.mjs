// Sends, confirms over websockets and reads back a token transfer with an unmodified @solana/web3.js.
// Arguments as JSON in argv[2]: url, payer (secret key bytes), mint, source, target, receiver, table, amount, decimals.
// Prints one JSON object.
import {
  AddressLookupTableProgram, Connection, Keypair, PublicKey, SendTransactionError, SystemProgram, Transaction,
  TransactionInstruction, TransactionMessage, VersionedTransaction,
} from "@solana/web3.js";

const given = JSON.parse(process.argv[2]);
const connection = new Connection(given.url, "confirmed");
const payer = Keypair.fromSecretKey(Uint8Array.from(given.payer));
const [mint, source, target, receiver] = [given.mint, given.source, given.target, given.receiver].map((key) => new PublicKey(key));
const TOKEN = new PublicKey("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
const ATA = new PublicKey("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
const key = (pubkey, isSigner, isWritable) => ({ pubkey, isSigner, isWritable });

const amount = Buffer.alloc(10);
amount.writeUInt8(12, 0);
amount.writeBigUInt64LE(BigInt(given.amount), 1);
amount.writeUInt8(given.decimals, 9);
const create = new TransactionInstruction({
  programId: ATA,
  keys: [key(payer.publicKey, true, true), key(target, false, true), key(receiver, false, false), key(mint, false, false),
    key(SystemProgram.programId, false, false), key(TOKEN, false, false)],
  data: Buffer.from([1]),
});
const transfer = new TransactionInstruction({
  programId: TOKEN,
  keys: [key(source, false, true), key(mint, false, false), key(target, false, true), key(payer.publicKey, true, false)],
  data: amount,
});

let heard = null;
const listening = connection.onAccountChange(target, (account) => { heard = account.lamports; }, { commitment: "confirmed" });
const table = (await connection.getAddressLookupTable(new PublicKey(given.table))).value;
const latest = await connection.getLatestBlockhash();
const message = new TransactionMessage({
  payerKey: payer.publicKey, recentBlockhash: latest.blockhash, instructions: [create, transfer],
}).compileToV0Message([table]);
const transaction = new VersionedTransaction(message);
transaction.sign([payer]);
const simulated = await connection.simulateTransaction(transaction, { sigVerify: true });
const signature = await connection.sendTransaction(transaction);
const confirmed = await connection.confirmTransaction({ signature, ...latest }, "confirmed");
const options = { commitment: "confirmed", maxSupportedTransactionVersion: 0 };
const parsed = await connection.getParsedTransaction(signature, options);
const plain = await connection.getTransaction(signature, options);
const balance = await connection.getTokenAccountBalance(target);
const held = await connection.getParsedTokenAccountsByOwner(receiver, { mint });
const block = await connection.getBlock(plain.slot, options);

// The legacy way, with the blockhash fetched by the library and the error read from the preflight's logs.
const poor = Keypair.generate();
let refusal = null;
try {
  await connection.sendTransaction(new Transaction().add(
    SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: poor.publicKey, lamports: 2n ** 62n })), [payer]);
} catch (error) {
  refusal = { known: error instanceof SendTransactionError, logs: error.logs ?? null };
}
const airdrop = await connection.requestAirdrop(poor.publicKey, 1_000_000_000);
const dropped = await connection.confirmTransaction({ signature: airdrop, ...(await connection.getLatestBlockhash()) });
for (let tries = 0; heard === null && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
await connection.removeAccountChangeListener(listening);

console.log(JSON.stringify({
  signature, simulated: simulated.value.err, confirmed: confirmed.value.err,
  parsed: parsed.transaction.message.instructions[1].parsed, slot: parsed.slot,
  fromTable: parsed.transaction.message.accountKeys.filter((item) => item.source === "lookupTable").length,
  loaded: plain.meta.loadedAddresses.readonly.length + plain.meta.loadedAddresses.writable.length,
  balance: balance.value.amount, held: held.value[0].account.data.parsed.info.tokenAmount.amount,
  inBlock: block.transactions.some((item) => item.transaction.signatures[0] === signature),
  refusal, dropped: dropped.value.err, heard, tableProgram: AddressLookupTableProgram.programId.toBase58(),
  health: await connection.getVersion(), height: await connection.getBlockHeight(),
  epoch: (await connection.getEpochInfo()).epoch, genesis: await connection.getGenesisHash(),
}));
process.exit(0);
