// A heart rate strap on bleno, for tests: the device that bleno.yaml describes.
// It opens the serial port that BLETEST_HCI_PORT names.

'use strict';

process.env.BLENO_ADVERTISING_INTERVAL = '20'; // ms; bleno reads it when it is loaded

const { withBindings } = require('@stoprocent/bleno');

const bleno = withBindings('hci', {
  hciDriver: 'uart',
  bindParams: { uart: { port: process.env.BLETEST_HCI_PORT, baudRate: 1000000 } },
});
const { Characteristic, Descriptor, PrimaryService } = bleno;

const LONGEST = 512;
const EVERY_MS = 150;
const CONTROL_POINT_NOT_SUPPORTED = 0x80;

// A value that can be read and written, in pieces too.
function store(initial) {
  let value = Buffer.from(initial);
  return {
    onReadRequest(connection, offset, callback) {
      if (offset > value.length) callback(Characteristic.RESULT_INVALID_OFFSET);
      else callback(Characteristic.RESULT_SUCCESS, value.subarray(offset));
    },
    onWriteRequest(connection, data, offset, withoutResponse, callback) {
      if (offset > value.length) {
        callback(Characteristic.RESULT_INVALID_OFFSET);
      } else if (offset + data.length > LONGEST) {
        callback(Characteristic.RESULT_INVALID_ATTRIBUTE_LENGTH);
      } else {
        value = Buffer.concat([value.subarray(0, offset), data]);
        callback(Characteristic.RESULT_SUCCESS);
      }
    },
  };
}

// A value that goes to every subscriber by itself.
function ticking(next) {
  const timers = new Map();
  const stop = (connection) => {
    clearInterval(timers.get(connection));
    timers.delete(connection);
  };
  return {
    onSubscribe(connection, length, update) {
      stop(connection);
      timers.set(connection, setInterval(() => update(next()), EVERY_MS));
    },
    onUnsubscribe: stop,
  };
}

let rate = 60;
function measurement() {
  rate = rate < 180 ? rate + 1 : 60;
  return Buffer.from([0x06, rate]);
}

let step = 0;
function steps() {
  step = (step + 1) % 256;
  return Buffer.from([step]);
}

const services = [
  new PrimaryService({
    uuid: '180d',
    characteristics: [
      new Characteristic({ uuid: '2a37', properties: ['notify'], ...ticking(measurement) }),
      new Characteristic({ uuid: '2a38', properties: ['read'], value: Buffer.from([0x01]) }),
      new Characteristic({
        uuid: '2a39',
        properties: ['write'],
        onWriteRequest(connection, data, offset, withoutResponse, callback) {
          if (data.length !== 1) callback(Characteristic.RESULT_INVALID_ATTRIBUTE_LENGTH);
          else if (data[0] !== 1) callback(CONTROL_POINT_NOT_SUPPORTED);
          else callback(Characteristic.RESULT_SUCCESS);
        },
      }),
    ],
  }),
  new PrimaryService({
    uuid: '6f2b000190d54a2c8c3e0d1f2e3a4b5c',
    characteristics: [
      new Characteristic({
        uuid: '6f2b000290d54a2c8c3e0d1f2e3a4b5c',
        properties: ['read', 'write', 'writeWithoutResponse'],
        descriptors: [new Descriptor({ uuid: '2901', value: 'memory' })],
        ...store('hello'),
      }),
      new Characteristic({
        uuid: '6f2b000390d54a2c8c3e0d1f2e3a4b5c',
        properties: ['indicate'],
        ...ticking(steps),
      }),
    ],
  }),
];

bleno.on('stateChange', async (state) => {
  console.log(`state ${state}`);
  if (state !== 'poweredOn') return;
  await bleno.setServicesAsync(services);
  await bleno.startAdvertisingAsync('Bleno', ['180d']);
  console.log('advertising');
});
bleno.on('accept', (address) => console.log(`connected to ${address}`));
bleno.on('disconnect', () => console.log('disconnected'));
