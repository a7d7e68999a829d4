// A central on noble, for tests: it connects to the strap, and prints what it finds as JSON lines.
// It opens the serial port that BLETEST_HCI_PORT names.

'use strict';

const { withBindings } = require('@stoprocent/noble');

const noble = withBindings('hci', {
  hciDriver: 'uart',
  bindParams: { uart: { port: process.env.BLETEST_HCI_PORT, baudRate: 1000000 } },
});

const NOTIFICATIONS = 2;

function say(what, detail) {
  console.log(JSON.stringify({ [what]: detail }));
}

async function find(name) {
  await noble.startScanningAsync(['180d'], true);
  for await (const peripheral of noble.discoverAsync()) {
    if (peripheral.advertisement.localName !== name) continue;
    await noble.stopScanningAsync();
    return peripheral;
  }
  throw new Error('scanning ended');
}

async function main() {
  await noble.waitForPoweredOnAsync(5000);
  const strap = await find('HR-Strap');
  say('found', {
    address: strap.address,
    type: strap.addressType,
    services: strap.advertisement.serviceUuids,
    manufacturer: strap.advertisement.manufacturerData.toString('hex'),
    rssi: strap.rssi,
  });
  await strap.connectAsync();
  const { services, characteristics } = await strap.discoverAllServicesAndCharacteristicsAsync();
  say('mtu', strap.mtu);
  say('services', services.map((service) => service.uuid));
  say('characteristics', characteristics.map((one) => [one.uuid, one.properties]));
  const by = (uuid) => characteristics.find((one) => one.uuid === uuid);

  for (const uuid of ['2a38', '2a19', '2a29', '2a50']) {
    say(uuid, (await by(uuid).readAsync()).toString('hex'));
  }
  await by('2a39').writeAsync(Buffer.from([1]), false);
  say('2a39', 'written');

  const measurement = by('2a37');
  const heard = new Promise((resolve) => {
    const values = [];
    measurement.on('data', (value) => {
      values.push(value.toString('hex'));
      if (values.length === NOTIFICATIONS) resolve(values);
    });
  });
  await measurement.subscribeAsync();
  say('2a37', await heard);
  await measurement.unsubscribeAsync();
  await strap.disconnectAsync();
  say('done', true);
}

main().then(
  () => setInterval(() => {}, 1000), // stay: to end is to be stopped
  (error) => {
    console.log(error);
    process.exit(1);
  },
);
