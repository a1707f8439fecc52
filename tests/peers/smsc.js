// An SMSC on the npm package "smpp": user "me", password "secret"; prints its port when it listens.
// It gives hexadecimal ids with leading zeros, and sends receipts with the same ids in capitals without them.
// A destination that ends in 0 is refused, one that ends in 9 is taken and then undelivered.
const smpp = require('smpp');
let count = 0xabc0;

function receipt(submit, id) {
  const state = submit.destination_addr.endsWith('9') ? 'UNDELIV err:001' : 'DELIVRD err:000';
  return {
    source_addr: submit.destination_addr,
    destination_addr: submit.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${id.replace(/^0+/, '').toUpperCase()} sub:001 dlvrd:001 stat:${state} text:`,
  };
}

function answer(session, submit) {
  if (submit.destination_addr.endsWith('0')) {
    return session.send(submit.response({ command_status: smpp.ESME_RINVDSTADR }));
  }
  const id = '0000' + (count++).toString(16);
  session.send(submit.response({ message_id: id }));
  if (submit.registered_delivery) session.deliver_sm(receipt(submit, id));
}

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (bind) => {
    const known = bind.system_id === 'me' && bind.password === 'secret';
    session.send(bind.response({ command_status: known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: 'node' }));
  });
  session.on('submit_sm', (submit) => answer(session, submit));
  session.on('enquire_link', (enquiry) => session.send(enquiry.response()));
  session.on('unbind', (goodbye) => {
    session.send(goodbye.response());
    session.close();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
