-- The second half of layout 2, after the rows were carried over.

DROP TABLE event_1;
CREATE INDEX event_kind ON event (kind, number);
CREATE INDEX event_subject ON event (subject, number);
CREATE INDEX event_raises ON event (number) WHERE raises = 1;

DROP TABLE device_1;
CREATE UNIQUE INDEX device_serial ON device (serial, product) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX device_mac ON device (mac) WHERE mac IS NOT NULL;
CREATE UNIQUE INDEX device_external_id ON device (external_id) WHERE external_id IS NOT NULL;

DROP TABLE credential_1;
CREATE INDEX credential_device ON credential (device);
CREATE UNIQUE INDEX credential_key ON credential (key_thumbprint);
CREATE UNIQUE INDEX credential_thumbprint ON credential (certificate_thumbprint)
    WHERE certificate_thumbprint IS NOT NULL;
CREATE UNIQUE INDEX credential_serial ON credential (certificate_serial, certificate_issuer)
    WHERE certificate_serial IS NOT NULL;

-- Who holds much is asked about little of it: what is compared stands in the index.
DROP INDEX bond_holder;
DROP INDEX bond_target;
CREATE INDEX bond_holder ON bond (holder, state, target) WHERE state <> 'ended';
CREATE INDEX bond_target ON bond (target, state) WHERE state <> 'ended';
