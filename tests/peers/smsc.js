// An SMSC on the npm package "smpp", with faults on demand. User "me", password "secret".
// It prints its port when it listens, and then every PDU that it hears, as a line of JSON.
// A destination that ends in 0 is refused, one that ends in 9 is taken and then undelivered; the text "MO" is
// answered by a long message from the phone. Options are arguments, name=value; N counts submits, from 1.
const options = {
  ids: 'padded', // of answers: dec, hex, padded (hexadecimal with leading zeros), uuid
  receipt_ids: 'stripped,upper', // of receipts, made of those: same, dec-of-hex, hex-of-dec, upper, stripped
  receipts: 'text', // where a receipt says what it says: text, tlv, payload
  receipts_first: '', // yes: before the answer to the submit
  accepted_first: '', // yes: the receipt comes after one that says ACCEPTD
  throttle: 0, // every Nth submit
  throttle_first: 0, // the first N submits
  queue_full: 0, // every Nth
  nack: 0, // every Nth gets a generic_nack
  silent: 0, // every Nth gets no answer
  drop_after: 0, // the Nth ends the connection without an answer
  unbind_after: 0, // after the Nth the SMSC says goodbye
  late_ms: 0, // how long an answer takes
  tls: '', // the file of a certificate and its key
  enquire_link: '', // yes: the SMSC asks after the bind
  unknown: '', // yes: commands and TLVs that no specification knows
  pieces: '', // yes: what is written comes in pieces that hold no PDU whole, and in others that hold several
};
for (const argument of process.argv.slice(2)) {
  const [name, value] = argument.split(/=(.*)/s);
  if (!(name in options)) throw new Error(`no option ${name}`);
  options[name] = value;
}

const crypto = require('crypto');
const fs = require('fs');
const smpp = require('smpp');

const receivers = []; // the sessions that take receipts
let submits = 0;
let lastId = 0xabbf;

// ---- what is heard

const message = smpp.tlvs.message_payload.filter; // of short_message, too
const decode = message.decode;
message.decode = function (octets, skipUdh) {
  return Object.defineProperty(decode.call(this, octets, skipUdh), 'octets', { value: octets });
};

function tell(pdu) {
  const told = { command: pdu.command, sequence: pdu.sequence_number, status: pdu.command_status, tlvs: {} };
  const parameters = (smpp.commands[pdu.command] || {}).params || {};
  for (const [name, value] of Object.entries(pdu)) {
    if (name in parameters) told[name] = shown(value);
    else if (name in smpp.tlvs) told.tlvs[name] = shown(value);
    else if (/^\d+$/.test(name)) told.tlvs[name] = value.toString('hex');
  }
  const texts = [pdu.short_message, pdu.message_payload].filter((text) => text && text.octets);
  told.text = texts.map((text) => text.message).join('');
  told.octets = texts.map((text) => text.octets.toString('hex')).join('');
  console.log(JSON.stringify(told));
}

function shown(value) {
  return Buffer.isBuffer(value) ? value.toString('hex') : value;
}

// ---- ids and receipts

const makeId = {
  dec: () => String(++lastId),
  hex: () => (++lastId).toString(16),
  padded: () => '0000' + (++lastId).toString(16),
  uuid: () => crypto.randomUUID(),
};

const change = {
  same: (id) => id,
  'dec-of-hex': (id) => String(parseInt(id, 16)),
  'hex-of-dec': (id) => Number(id).toString(16),
  upper: (id) => id.toUpperCase(),
  stripped: (id) => id.replace(/^0+/, ''),
};

function receipt(submit, id, state) {
  const reported = options.receipt_ids.split(',').reduce((form, name) => change[name](form), id);
  const failed = state === 'UNDELIV';
  const text = `id:${reported} sub:001 dlvrd:${failed ? '000' : '001'} submit date:2501010000 done date:2501010001`
    + ` stat:${state} err:${failed ? '001' : '000'} text:`;
  const states = { DELIVRD: 2, UNDELIV: 5, ACCEPTD: 6 };
  const said = {
    text: { short_message: text },
    payload: { message_payload: { message: text } },
    tlv: { receipted_message_id: reported, message_state: states[state] },
  }[options.receipts];
  return new smpp.PDU('deliver_sm', {
    source_addr_ton: submit.dest_addr_ton,
    source_addr_npi: submit.dest_addr_npi,
    source_addr: submit.destination_addr,
    dest_addr_ton: submit.source_addr_ton,
    dest_addr_npi: submit.source_addr_npi,
    destination_addr: submit.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    ...said,
  });
}

function report(submit, id) {
  if (!submit.registered_delivery) return;
  const final = submit.destination_addr.endsWith('9') ? 'UNDELIV' : 'DELIVRD';
  for (const state of options.accepted_first ? ['ACCEPTD', final] : [final]) {
    deliver(receipt(submit, id, state));
  }
}

function deliver(pdu) {
  const session = receivers[0];
  if (session && options.unknown) session.sequence += writeStrange(session, pdu, session.sequence + 1);
  else if (session) session.send(pdu);
}

// A message from the phone in two parts, in UCS-2.
function reply(submit) {
  for (const [number, text] of ['Привіт, ', 'світе'].entries()) {
    deliver(new smpp.PDU('deliver_sm', {
      source_addr_ton: 1,
      source_addr_npi: 1,
      source_addr: submit.destination_addr,
      destination_addr: submit.source_addr,
      data_coding: 8,
      short_message: { udh: Buffer.from([5, 0, 3, 0x17, 2, number + 1]), message: text },
    }));
  }
}

// ---- strange octets

// The PDU with a TLV that is of no specification, behind a command that is of none. Gives how many sequence
// numbers they took.
function writeStrange(session, pdu, sequence) {
  pdu.sequence_number = sequence + 1;
  const known = pdu.toBuffer();
  const tlv = Buffer.from([0x3f, 0xff, 0, 3, 1, 2, 3]);
  known.writeUInt32BE(known.length + tlv.length, 0);
  const strange = Buffer.from([0, 0, 0, 20, 0, 2, 0, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
  strange.writeUInt32BE(sequence, 12);
  session.socket.write(Buffer.concat([strange, known, tlv]));
  return 2;
}

// What is written in a turn is joined, and leaves in pieces of seven octets and then of a hundred.
function inPieces(socket) {
  let waiting = Buffer.alloc(0);
  let busy = false;
  const write = socket.write.bind(socket);
  function next(size) {
    busy = waiting.length > 0;
    if (!busy) return;
    const piece = waiting.subarray(0, size);
    waiting = waiting.subarray(size);
    write(piece, () => setTimeout(next, 1, size === 7 ? 100 : 7));
  }
  socket.setNoDelay();
  socket.write = (data, done) => {
    waiting = Buffer.concat([waiting, data]);
    if (!busy) {
      busy = true;
      setTimeout(next, 20, 7);
    }
    if (done) process.nextTick(done);
    return true;
  };
}

// ---- what is answered

const isNth = (n) => Number(n) > 0 && submits % Number(n) === 0;

function fault(submit) {
  if (submits <= Number(options.throttle_first) || isNth(options.throttle)) return smpp.ESME_RTHROTTLED;
  if (isNth(options.queue_full)) return smpp.ESME_RMSGQFUL;
  if (submit.destination_addr.endsWith('0')) return smpp.ESME_RINVDSTADR;
  return smpp.ESME_ROK;
}

function answer(session, submit) {
  submits++;
  if (Number(options.drop_after) === submits) return session.destroy();
  if (isNth(options.silent)) return undefined;
  if (isNth(options.nack)) {
    const nack = { sequence_number: submit.sequence_number, command_status: smpp.ESME_RINVCMDID };
    return session.generic_nack(nack);
  }
  const status = fault(submit);
  if (status) return session.send(submit.response({ command_status: status }));
  const id = makeId[options.ids]();
  if (options.receipts_first) report(submit, id);
  return setTimeout(() => take(session, submit, id), Number(options.late_ms));
}

function take(session, submit, id) {
  session.send(submit.response({ message_id: id }));
  if (!options.receipts_first) report(submit, id);
  if (submit.short_message.message === 'MO') reply(submit);
  if (Number(options.unbind_after) === submits) session.unbind({}, () => session.close());
}

function bind(session, pdu) {
  const known = pdu.system_id === 'me' && pdu.password === 'secret';
  const status = known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD;
  session.send(pdu.response({ command_status: status, system_id: 'node' }));
  if (!known) return;
  if (pdu.command !== 'bind_transmitter') receivers.push(session);
  if (options.enquire_link) session.enquire_link();
}

function serve(session) {
  if (options.pieces) inPieces(session.socket);
  session.on('error', () => {});
  session.on('close', () => receivers.splice(0, receivers.length, ...receivers.filter((one) => one !== session)));
  session.on('pdu', tell);
  for (const kind of ['transceiver', 'transmitter', 'receiver']) {
    session.on(`bind_${kind}`, (pdu) => bind(session, pdu));
  }
  session.on('submit_sm', (submit) => answer(session, submit));
  session.on('enquire_link', (enquiry) => session.send(enquiry.response()));
  session.on('unbind', (goodbye) => {
    session.send(goodbye.response());
    session.close();
  });
}

const certificate = options.tls ? fs.readFileSync(options.tls) : undefined;
const server = smpp.createServer(certificate ? { key: certificate, cert: certificate } : {}, serve);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
