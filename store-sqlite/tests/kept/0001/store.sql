-- The store of the first release, thinned to a few devices. Never edited.
BEGIN TRANSACTION;
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation TEXT NOT NULL,
    number INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    time INTEGER NOT NULL
) STRICT;
INSERT INTO head VALUES(1,'EbiVBaYE-cm0FkK_J_kXtw',2051,0,1795279916);
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    time INTEGER NOT NULL,
    raises INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT;
INSERT INTO event VALUES(1,'evt_EbiVBaYE-c1','client.created','maker-registry',1795279837,0,'{"by":"local","name":"Registry of the maker"}');
INSERT INTO event VALUES(2,'evt_EbiVBaYE-c2','product.changed','prd_06gzy12rrf1c4eze3rr8',1795279837,0,'{"by":"maker-registry","change":"created","model":"SPK-2"}');
INSERT INTO event VALUES(3,'evt_EbiVBaYE-c3','product.changed','prd_06gzy12rrf1c4eze3rr8',1795279837,0,'{"by":"maker-registry","change":"device_ca.added","device_ca":"ca_06gzy12rrxy1942hg0gk","thumbprint":"P9EPZO8mbSh-zZQ_G9tBdU89jT4Q2OJxgVDiz5GHqjU"}');
INSERT INTO event VALUES(4,'evt_EbiVBaYE-c4','device.provisioned','dev_06gzy12s2ezs932jhjk7',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000001"}');
INSERT INTO event VALUES(5,'evt_EbiVBaYE-c5','credential.added','crd_06gzy12s2c8h4wc8p590',1795279837,0,'{"device_id":"dev_06gzy12s2ezs932jhjk7","key_thumbprint":"zRBsP0ysE2D_EFmEzjONAk5-h5WGuJrJTpjpBAT1FK8"}');
INSERT INTO event VALUES(8,'evt_EbiVBaYE-c8','device.provisioned','dev_06gzy12s2ghh2ahd0dgn',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000003"}');
INSERT INTO event VALUES(9,'evt_EbiVBaYE-c9','credential.added','crd_06gzy12s2k7hteghzx8t',1795279837,0,'{"device_id":"dev_06gzy12s2ghh2ahd0dgn","key_thumbprint":"FakoPOtAwf1QRnsSz750iiQB-XXPbuSWXwt-iMaQu6M"}');
INSERT INTO event VALUES(12,'evt_EbiVBaYE-c12','device.provisioned','dev_06gzy12s2gdhj9yckvnb',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000005"}');
INSERT INTO event VALUES(13,'evt_EbiVBaYE-c13','credential.added','crd_06gzy12s2gxc29f669xs',1795279837,0,'{"device_id":"dev_06gzy12s2gdhj9yckvnb","key_thumbprint":"Rf5HEB8FnzUbenxbN0iWiy75-gCNkyO6xY1zHPGnhkg"}');
INSERT INTO event VALUES(248,'evt_EbiVBaYE-c248','device.provisioned','dev_06gzy12s889bp0f0gh4r',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000123"}');
INSERT INTO event VALUES(249,'evt_EbiVBaYE-c249','credential.added','crd_06gzy12s8ajfqka4twqd',1795279837,0,'{"device_id":"dev_06gzy12s889bp0f0gh4r","key_thumbprint":"X1UUpGyG8HWizQyr84yX9v8M0-df9EScvK4yrIuh1vQ"}');
INSERT INTO event VALUES(250,'evt_EbiVBaYE-c250','device.provisioned','dev_06gzy12s88vwb2epj5mg',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000124"}');
INSERT INTO event VALUES(251,'evt_EbiVBaYE-c251','credential.added','crd_06gzy12s887pc8hbsgch',1795279837,0,'{"device_id":"dev_06gzy12s88vwb2epj5mg","key_thumbprint":"0b7fOc7_9BVGtANo0gJRsT15DmKOMDBSI-01fOqm7WU"}');
INSERT INTO event VALUES(252,'evt_EbiVBaYE-c252','device.provisioned','dev_06gzy12s899qxrp3abbs',1795279837,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000125"}');
INSERT INTO event VALUES(253,'evt_EbiVBaYE-c253','credential.added','crd_06gzy12s8ah0p3nhw8tv',1795279837,0,'{"device_id":"dev_06gzy12s899qxrp3abbs","key_thumbprint":"OqA6_4l_6WZT9fdQdzEopnHozG8iGAZMjaHkjKJeqKg"}');
INSERT INTO event VALUES(2004,'evt_EbiVBaYE-c2004','device.enrolled','dev_06gzy12s889bp0f0gh4r',1795279838,0,'{"credential_id":"crd_06gzy12s8ajfqka4twqd"}');
INSERT INTO event VALUES(2005,'evt_EbiVBaYE-c2005','device.called_home','dev_06gzy12s889bp0f0gh4r',1795279838,0,'{"credential_id":"crd_06gzy12s8ajfqka4twqd","firmware":"1.4.1","replaced_session_id":null,"session_id":"ds_06gzy12xa4frx52bx9wm","state":"enrolled"}');
INSERT INTO event VALUES(2006,'evt_EbiVBaYE-c2006','user.created','u_06gzy12xeazrq2bcpb3j',1795279838,0,'{"account_id":"acc_06gzy12xeat94rgctejf"}');
INSERT INTO event VALUES(2007,'evt_EbiVBaYE-c2007','account.created','acc_06gzy12xeat94rgctejf',1795279838,0,'{"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2008,'evt_EbiVBaYE-c2008','bond.created','bnd_06gzy12xeamykxhyeq7d',1795279838,0,'{"holder_id":"u_06gzy12xeazrq2bcpb3j","role":"owner","target_id":"acc_06gzy12xeat94rgctejf"}');
INSERT INTO event VALUES(2009,'evt_EbiVBaYE-c2009','session.started','ses_06gzy12xxn9ag6kpt1xy',1795279838,0,'{"methods":["pwd"],"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2010,'evt_EbiVBaYE-c2010','session.ended','ses_06gzy12xxn9ag6kpt1xy',1795279838,1,'{"cause":"signed_out","raised":["s.ses_06gzy12xxn9ag6kpt1xy.1795279838"],"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2011,'evt_EbiVBaYE-c2011','session.started','ses_06gzy12y5jq8n74ep8pq',1795279838,0,'{"methods":["pwd"],"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2012,'evt_EbiVBaYE-c2012','bond.created','bnd_06gzy13j2wh3ghysm6wb',1795279843,0,'{"holder_id":"u_06gzy12xeazrq2bcpb3j","role":"owner","target_id":"ast_06gzy13j2wdq6jky7gwm"}');
INSERT INTO event VALUES(2013,'evt_EbiVBaYE-c2013','device.activated','dev_06gzy12s889bp0f0gh4r',1795279843,0,'{"account_id":"acc_06gzy12xeat94rgctejf","asset_id":"ast_06gzy13j2wdq6jky7gwm"}');
INSERT INTO event VALUES(2014,'evt_EbiVBaYE-c2014','device.paired','dev_06gzy12s889bp0f0gh4r',1795279843,0,'{"asset_id":"ast_06gzy13j2wdq6jky7gwm","bond_id":"bnd_06gzy13j2wh3ghysm6wb","client_id":"dev_06gzy12s889bp0f0gh4r","device_id":"dev_06gzy12s889bp0f0gh4r","family_id":"fam_06gzy13j2znb8rw7z0gk","scope":"cloud:stream","user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2015,'evt_EbiVBaYE-c2015','device.called_home','dev_06gzy12s889bp0f0gh4r',1795279843,1,'{"credential_id":"crd_06gzy12s8ajfqka4twqd","firmware":"1.4.1","raised":["s.ds_06gzy12xa4frx52bx9wm.1795279843"],"replaced_session_id":"ds_06gzy12xa4frx52bx9wm","session_id":"ds_06gzy13j9ctp43f0qz51","state":"active"}');
INSERT INTO event VALUES(2016,'evt_EbiVBaYE-c2016','client.created','app_mobile',1795279843,0,'{"by":"maker-registry","name":"Speaker app"}');
INSERT INTO event VALUES(2017,'evt_EbiVBaYE-c2017','consent.given','u_06gzy12xeazrq2bcpb3j',1795279843,0,'{"client_id":"app_mobile","scope":"openid profile email device:register"}');
INSERT INTO event VALUES(2018,'evt_EbiVBaYE-c2018','asset.registered','ast_06gzy13j2wdq6jky7gwm',1795279843,0,'{"account_id":"acc_06gzy12xeat94rgctejf","actor_claims":{"aud":"https://localhost:37029","cnf":{"jwk":{"crv":"P-256","kty":"EC","x":"ZJx8EJbrRqxE_i3FaFRNafSwAHMLTlck6XYsSteHtTg","y":"pJRog-sIWhXCXru3t6GL5UckIj_66FYkkVNDJDgXDC8"}},"did":"dev_06gzy12s889bp0f0gh4r","exp":1795280143,"iat":1795279843,"iss":"dev_06gzy12s889bp0f0gh4r","jti":"kSrFjeU6FGPaLZpkGBXm9A","model":"SPK-2","name":"Kitchen speaker","serial_number":"SPK-000123","sub":"dev_06gzy12s889bp0f0gh4r"},"asset_id":"ast_06gzy13j2wdq6jky7gwm","asset_name":"Kitchen speaker","client_id":"app_mobile","contact_id":null,"created":false,"device_id":"dev_06gzy12s889bp0f0gh4r","device_key":{"crv":"P-256","kty":"EC","x":"ZJx8EJbrRqxE_i3FaFRNafSwAHMLTlck6XYsSteHtTg","y":"pJRog-sIWhXCXru3t6GL5UckIj_66FYkkVNDJDgXDC8"},"expires_at":1795366243,"possession":"proved","serial_number":"SPK-000123","token_name":"vfGZuTd2QIREE3OPCjrVRw","user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2019,'evt_EbiVBaYE-c2019','client.created','backend-ingest',1795279844,0,'{"by":"maker-registry","name":"Ingest of the maker"}');
INSERT INTO event VALUES(2020,'evt_EbiVBaYE-c2020','device.called_home','dev_06gzy12s889bp0f0gh4r',1795279844,1,'{"credential_id":"crd_06gzy12s8ajfqka4twqd","firmware":"1.4.1","raised":["s.ds_06gzy13j9ctp43f0qz51.1795279844"],"replaced_session_id":"ds_06gzy13j9ctp43f0qz51","session_id":"ds_06gzy13jsd47swcr4tz3","state":"active"}');
INSERT INTO event VALUES(2021,'evt_EbiVBaYE-c2021','bond.ended','bnd_06gzy13j2wh3ghysm6wb',1795279844,0,'{"by":"u_06gzy12xeazrq2bcpb3j","cause":"removed","holder_id":"u_06gzy12xeazrq2bcpb3j","role":"owner","target_id":"ast_06gzy13j2wdq6jky7gwm"}');
INSERT INTO event VALUES(2022,'evt_EbiVBaYE-c2022','asset.released','ast_06gzy13j2wdq6jky7gwm',1795279844,0,'{"account_id":"acc_06gzy12xeat94rgctejf","by":"u_06gzy12xeazrq2bcpb3j","cause":"removed","device_id":"dev_06gzy12s889bp0f0gh4r"}');
INSERT INTO event VALUES(2023,'evt_EbiVBaYE-c2023','device.enrolled','dev_06gzy12s889bp0f0gh4r',1795279844,1,'{"cause":"released","credential_id":null,"raised":["b.bnd_06gzy13j2wh3ghysm6wb.1795279844","as.ast_06gzy13j2wdq6jky7gwm.1795279844"]}');
INSERT INTO event VALUES(2024,'evt_EbiVBaYE-c2024','device.called_home','dev_06gzy12s889bp0f0gh4r',1795279844,1,'{"credential_id":"crd_06gzy12s8ajfqka4twqd","firmware":"1.4.1","raised":["s.ds_06gzy13jsd47swcr4tz3.1795279844"],"replaced_session_id":"ds_06gzy13jsd47swcr4tz3","session_id":"ds_06gzy13k7e1eg1s30mnh","state":"enrolled"}');
INSERT INTO event VALUES(2025,'evt_EbiVBaYE-c2025','client.created','web_shop',1795279844,0,'{"by":"maker-registry","name":"Shop of the maker"}');
INSERT INTO event VALUES(2026,'evt_EbiVBaYE-c2026','session.started','ses_06gzy19p8crtt88yqgjw',1795279894,0,'{"methods":["pwd"],"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2028,'evt_EbiVBaYE-c2028','consent.given','u_06gzy12xeazrq2bcpb3j',1795279894,0,'{"client_id":"web_shop","scope":"openid profile email offline_access"}');
INSERT INTO event VALUES(2029,'evt_EbiVBaYE-c2029','consent.given','u_06gzy12xeazrq2bcpb3j',1795279894,0,'{"client_id":"web_shop","scope":"openid profile email offline_access"}');
INSERT INTO event VALUES(2030,'evt_EbiVBaYE-c2030','family.revoked','fam_06gzy19qdkbengpwjx2h',1795279894,1,'{"cause":"revoked_by_client","client_id":"web_shop","raised":["f.fam_06gzy19qdkbengpwjx2h.1795279894"]}');
INSERT INTO event VALUES(2031,'evt_EbiVBaYE-c2031','device.enrolled','dev_06gzy12s88vwb2epj5mg',1795279894,0,'{"credential_id":"crd_06gzy12s887pc8hbsgch"}');
INSERT INTO event VALUES(2032,'evt_EbiVBaYE-c2032','device.called_home','dev_06gzy12s88vwb2epj5mg',1795279894,0,'{"credential_id":"crd_06gzy12s887pc8hbsgch","firmware":null,"replaced_session_id":null,"session_id":"ds_06gzy19r5qp96wbrfn3b","state":"enrolled"}');
INSERT INTO event VALUES(2033,'evt_EbiVBaYE-c2033','device.enrolled','dev_06gzy12s899qxrp3abbs',1795279894,0,'{"credential_id":"crd_06gzy12s8ah0p3nhw8tv"}');
INSERT INTO event VALUES(2034,'evt_EbiVBaYE-c2034','device.called_home','dev_06gzy12s899qxrp3abbs',1795279894,0,'{"credential_id":"crd_06gzy12s8ah0p3nhw8tv","firmware":null,"replaced_session_id":null,"session_id":"ds_06gzy19rjf89ts42d1zs","state":"enrolled"}');
INSERT INTO event VALUES(2035,'evt_EbiVBaYE-c2035','device.provisioned','dev_06gzy19rnmpg4cg1dbp7',1795279894,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-900001"}');
INSERT INTO event VALUES(2036,'evt_EbiVBaYE-c2036','device.provisioned','dev_06gzy19rphc6skmnbrg0',1795279894,0,'{"product_id":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-900002"}');
INSERT INTO event VALUES(2037,'evt_EbiVBaYE-c2037','device.suspended','dev_06gzy12s899qxrp3abbs',1795279894,1,'{"by":"maker-registry","from":"enrolled","raised":["d.dev_06gzy12s899qxrp3abbs.1795279894"]}');
INSERT INTO event VALUES(2038,'evt_EbiVBaYE-c2038','user.created','u_06gzy19rs4rdc3zr171f',1795279894,0,'{"account_id":"acc_06gzy19rs46dz0xqbf6z"}');
INSERT INTO event VALUES(2039,'evt_EbiVBaYE-c2039','account.created','acc_06gzy19rs46dz0xqbf6z',1795279894,0,'{"user_id":"u_06gzy19rs4rdc3zr171f"}');
INSERT INTO event VALUES(2040,'evt_EbiVBaYE-c2040','bond.created','bnd_06gzy19rs575b7r681hc',1795279894,0,'{"holder_id":"u_06gzy19rs4rdc3zr171f","role":"owner","target_id":"acc_06gzy19rs46dz0xqbf6z"}');
INSERT INTO event VALUES(2041,'evt_EbiVBaYE-c2041','session.started','ses_06gzy1bdj6qeczg1dqgd',1795279908,0,'{"methods":["pwd"],"user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2043,'evt_EbiVBaYE-c2043','consent.given','u_06gzy12xeazrq2bcpb3j',1795279908,0,'{"client_id":"web_shop","scope":"openid profile email offline_access"}');
INSERT INTO event VALUES(2044,'evt_EbiVBaYE-c2044','consent.given','u_06gzy12xeazrq2bcpb3j',1795279908,0,'{"client_id":"web_shop","scope":"openid profile email offline_access"}');
INSERT INTO event VALUES(2045,'evt_EbiVBaYE-c2045','family.revoked','fam_06gzy1bec25dygp2x3gt',1795279908,1,'{"cause":"revoked_by_client","client_id":"web_shop","raised":["f.fam_06gzy1bec25dygp2x3gt.1795279908"]}');
INSERT INTO event VALUES(2046,'evt_EbiVBaYE-c2046','client.created','speaker_firmware',1795279908,0,'{"by":"maker-registry","name":"Firmware of the speaker"}');
INSERT INTO event VALUES(2047,'evt_EbiVBaYE-c2047','bond.created','bnd_06gzy1c3730xhxvpd17q',1795279913,0,'{"holder_id":"u_06gzy12xeazrq2bcpb3j","role":"owner","target_id":"ast_06gzy1c372w0j6c1wstc"}');
INSERT INTO event VALUES(2048,'evt_EbiVBaYE-c2048','device.activated','dev_06gzy12s88vwb2epj5mg',1795279913,0,'{"account_id":"acc_06gzy12xeat94rgctejf","asset_id":"ast_06gzy1c372w0j6c1wstc"}');
INSERT INTO event VALUES(2049,'evt_EbiVBaYE-c2049','device.paired','dev_06gzy12s88vwb2epj5mg',1795279913,0,'{"asset_id":"ast_06gzy1c372w0j6c1wstc","bond_id":"bnd_06gzy1c3730xhxvpd17q","client_id":"speaker_firmware","device_id":"dev_06gzy12s88vwb2epj5mg","family_id":"fam_06gzy1c370yfej50dqtp","scope":"cloud:stream","user_id":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO event VALUES(2050,'evt_EbiVBaYE-c2050','device.called_home','dev_06gzy12s88vwb2epj5mg',1795279913,1,'{"credential_id":"crd_06gzy12s887pc8hbsgch","firmware":null,"raised":["s.ds_06gzy19r5qp96wbrfn3b.1795279913"],"replaced_session_id":"ds_06gzy19r5qp96wbrfn3b","session_id":"ds_06gzy1c3raheyt9n38sj","state":"active"}');
INSERT INTO event VALUES(2051,'evt_EbiVBaYE-c2051','access.refused','dev_06gzy12s899qxrp3abbs',1795279914,0,'{"code":"device_suspended","credential_id":"crd_06gzy12s8ah0p3nhw8tv","door":"call_home","reason":"suspended"}');
CREATE TABLE raised (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    end_epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    token_expires INTEGER,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
INSERT INTO raised VALUES('as','ast_06gzy13j2wdq6jky7gwm',1795279844,1795279844,2023,1795279844,NULL);
INSERT INTO raised VALUES('b','bnd_06gzy13j2wh3ghysm6wb',1795279844,1795279844,2023,1795279844,NULL);
INSERT INTO raised VALUES('d','dev_06gzy12s899qxrp3abbs',1795279894,0,2037,1795279894,NULL);
INSERT INTO raised VALUES('f','fam_06gzy19qdkbengpwjx2h',1795279894,1795279894,2030,1795279894,NULL);
INSERT INTO raised VALUES('f','fam_06gzy1bec25dygp2x3gt',1795279908,1795279908,2045,1795279908,NULL);
INSERT INTO raised VALUES('s','ds_06gzy12xa4frx52bx9wm',1795279843,1795279843,2015,1795279843,NULL);
INSERT INTO raised VALUES('s','ds_06gzy13j9ctp43f0qz51',1795279844,1795279844,2020,1795279844,NULL);
INSERT INTO raised VALUES('s','ds_06gzy13jsd47swcr4tz3',1795279844,1795279844,2024,1795279844,NULL);
INSERT INTO raised VALUES('s','ds_06gzy19r5qp96wbrfn3b',1795279913,1795279913,2050,1795279913,NULL);
INSERT INTO raised VALUES('s','ses_06gzy12xxn9ag6kpt1xy',1795279838,1795279838,2010,1795279838,NULL);
CREATE TABLE once (
    key TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO once VALUES('oNZQ7BaJlR1dI7Q8E5dV2ACy_Xxf17WtrifVp-9MsUE',1795280018);
INSERT INTO once VALUES('CxNOgD84OYatBweHxfRB-4x5QEZHMHA4QOIRm3nYOb0',1795280023);
INSERT INTO once VALUES('Hoymtt6dYKKYIcm_ADKGP0kERk2-QrcPWytZLA78la0',1795280023);
INSERT INTO once VALUES('XAzq-lUPqxmAdMCTuXMMppep9gIB9EXagYCTmLYFDhg',1795280024);
INSERT INTO once VALUES('Y5yezDPUSgs4RGRhkr-1AzjhfJwt_YsBKk9mNF-nEbk',1795280024);
INSERT INTO once VALUES('gtfTSUWNVgLirw4POQeDL9LbmluGSfKqu2tMYzuSjUk',1795280024);
INSERT INTO once VALUES('KLQS1FaZHuSDZaR7g_weVJ-ZEicDE6ktNhw2t7q6hTM',1795280203);
CREATE TABLE idempotent (
    key TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    reply TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO idempotent VALUES('AM27-Onaa7fEMoSZIpPsaMmFMFqXBGVI2bpuKZrGNew',1795366294,'["-R2LIx1YYdweufq-ReKdLYMF42JEd7auVxi_7gejc1M",201,"AQhSUU9rVjY2bt7YVUjR_-oIVhegKGBO0FvuRYA9-KPc9aXhaiQbeO8-4fbEOylI7YUw61NNFQghJEhhCYdRwPZ0vpKafnCsqRH7jSU7YOwpGb8NAkSTEuMpyM02Ccw1JGTWblEBwICdE4j7vJTDDDSj98yqaVG1vGjM6qwgFUPwtrUe7oIr2LmM5tb81N4oa9g__dhojnR8Awvh9CqEGbRrTWq9mBdh_aVYzpQ_8Jfa5SdE5oRSns4pl9RUXjRvV50VWxj-0bIcW9HVIUeyvq8RBE24rapJIIUjn17Pd_1S2LU1YGBZNUrDgRDUnE6scX5VKABri5yAGo4GW2sYgsf9WWrsqBOQ5AI2Af5WMXfIPiCEVbM8wUrn1n3AfKqjD3mVvLx2oz1PNjaJa8HyqQFzLqZOE1woPsyA4S9PQrht",[]]');
CREATE TABLE product (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    model TEXT AS (body ->> '$.model')
) STRICT;
INSERT INTO product VALUES('prd_06gzy12rrf1c4eze3rr8',1,0,0,'{"attribute_schema":{"properties":{"colour":{"enum":["oak","ash"],"type":"string"}},"type":"object"},"audiences":["https://localhost:34405"],"factory_key_is_operational":true,"factory_provisioned":true,"firmware_version":"1.4.2","icon":"speaker","identity_field":"subject_serial_number","manufacturer":"Demo Audio","model":"SPK-2","name":"Speaker","pair_when_registered":false,"scopes":["firmware:read","cloud:stream","telemetry:write"],"self_registration":false}');
CREATE TABLE trust_anchor (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    product TEXT AS (body ->> '$.product'),
    thumbprint TEXT AS (body ->> '$.thumbprint')
) STRICT;
INSERT INTO trust_anchor VALUES('ca_06gzy12rrxy1942hg0gk',1,0,0,'{"certificate":"MIIBgDCCASWgAwIBAgIQdhO2tBeGxqb-4udIfbySSDAKBggqhkjOPQQDAjAdMRswGQYDVQQDDBJEZW1vIFNwZWFrZXJzIFJvb3QwIBcNMjYxMTIxMTU1MDM3WhgPMjA1NjExMTMxNjUwMzdaMB0xGzAZBgNVBAMMEkRlbW8gU3BlYWtlcnMgUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI-ntcpDEfhNe_QDswpiUgh_QgT6lq9X87C1DACK-HeVAX1YXY6PP9-YQBF8gppxQYPqw2ShrCKHXk_3bJgrwVSjRTBDMA4GA1UdDwEB_wQEAwIBBjAdBgNVHQ4EFgQURn6Vuflksf3oGHm_tzGalIb14DswEgYDVR0TAQH_BAgwBgEB_wIBATAKBggqhkjOPQQDAgNJADBGAiEAkEnsKR5LUflmZ1GLOnxtU7dwNPyT7Y8-oQX245ETTOcCIQC6TZ4sZLc88ATSLoDyaqWgz6TbCVwu-cSfTLUSFaXq1w","name":"Demo Speakers Root","product":"prd_06gzy12rrf1c4eze3rr8","state":"trusted","thumbprint":"P9EPZO8mbSh-zZQ_G9tBdU89jT4Q2OJxgVDiz5GHqjU"}');
CREATE TABLE device (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    product TEXT AS (body ->> '$.product'),
    serial TEXT AS (body ->> '$.serial'),
    mac TEXT AS (body ->> '$.mac'),
    external_id TEXT AS (body ->> '$.external_id')
) STRICT;
INSERT INTO device VALUES('dev_06gzy12s2ezs932jhjk7',1,0,0,'{"attributes":{"colour":"oak"},"created_at":1795279837,"mac":"02:00:5e:00:00:00","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000001","state":"registered"}');
INSERT INTO device VALUES('dev_06gzy12s2ghh2ahd0dgn',1,0,0,'{"attributes":{"colour":"oak"},"created_at":1795279837,"mac":"02:00:5e:00:00:02","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000003","state":"registered"}');
INSERT INTO device VALUES('dev_06gzy12s2gdhj9yckvnb',1,0,0,'{"attributes":{"colour":"oak"},"created_at":1795279837,"mac":"02:00:5e:00:00:04","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000005","state":"registered"}');
INSERT INTO device VALUES('dev_06gzy12s889bp0f0gh4r',4,0,0,'{"attributes":{"colour":"oak"},"created_at":1795279837,"mac":"02:00:5e:00:00:7a","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000123","state":"enrolled"}');
INSERT INTO device VALUES('dev_06gzy12s88vwb2epj5mg',3,0,0,'{"attributes":{"colour":"ash"},"created_at":1795279837,"mac":"02:00:5e:00:00:7b","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-000124","state":"active"}');
INSERT INTO device VALUES('dev_06gzy12s899qxrp3abbs',4,1795279894,0,'{"attributes":{"colour":"oak"},"created_at":1795279837,"mac":"02:00:5e:00:00:7c","product":"prd_06gzy12rrf1c4eze3rr8","resumes_to":"enrolled","serial":"SPK-000125","state":"suspended"}');
INSERT INTO device VALUES('dev_06gzy19rnmpg4cg1dbp7',1,0,0,'{"created_at":1795279894,"product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-900001","state":"registered"}');
INSERT INTO device VALUES('dev_06gzy19rphc6skmnbrg0',1,0,0,'{"created_at":1795279894,"mac":"02:00:00:00:00:01","product":"prd_06gzy12rrf1c4eze3rr8","serial":"SPK-900002","state":"registered"}');
CREATE TABLE credential (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    key_thumbprint TEXT AS (body ->> '$.key_thumbprint'),
    certificate_thumbprint TEXT AS (body ->> '$.certificate.thumbprint'),
    certificate_serial TEXT AS (body ->> '$.certificate.serial'),
    certificate_issuer TEXT AS (body ->> '$.certificate.issuer')
) STRICT;
INSERT INTO credential VALUES('crd_06gzy12s2c8h4wc8p590',1,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"5939dca96681bf83ff0a58f2190113c1","thumbprint":"HH74tzqqjY0Xuy0zKiOXEusJQWd7_OVHpDiGGC4M63I"},"created_at":1795279837,"device":"dev_06gzy12s2ezs932jhjk7","jwk":{"crv":"P-256","kty":"EC","x":"tYL8J7JEKII8AEfwJaz5XRQCwZTAB6GDbKVDdbzmR3c","y":"UDmgMcMBZwUC32N6RpvQmDXrCNgx21UjLj3nQAvdPLc"},"key_thumbprint":"zRBsP0ysE2D_EFmEzjONAk5-h5WGuJrJTpjpBAT1FK8","kind":"initial","state":"current"}');
INSERT INTO credential VALUES('crd_06gzy12s2k7hteghzx8t',1,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"68e7a870d60895371be8f1215333b50c","thumbprint":"XDctlSVeOD4fliw7tMTx-fbzotFV1jXFRl9IVNNdXwc"},"created_at":1795279837,"device":"dev_06gzy12s2ghh2ahd0dgn","jwk":{"crv":"P-256","kty":"EC","x":"ooGCuCdaa8-78W6zhVELyLw9vuF706gYgS7gA4qwLr0","y":"FGAdjfcG5fwr0e-EeVeu7wif-n4_OPcPrLyGl1AfRb4"},"key_thumbprint":"FakoPOtAwf1QRnsSz750iiQB-XXPbuSWXwt-iMaQu6M","kind":"initial","state":"current"}');
INSERT INTO credential VALUES('crd_06gzy12s2gxc29f669xs',1,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"7f905d0dbc9d5e9c2eb472d0e5d4a519","thumbprint":"dpZzk0fLP9aVsCvaCEwMcs_i7x450sAP11McKf5LSJY"},"created_at":1795279837,"device":"dev_06gzy12s2gdhj9yckvnb","jwk":{"crv":"P-256","kty":"EC","x":"1B_bTqtn8mkCCkU0DTbL3MYG8AqVHg77cXhEi9ZpdA8","y":"kyaR1z3XJauv4-iSYvt7y4ozt9VlzLWTcOFdlFWBWbY"},"key_thumbprint":"Rf5HEB8FnzUbenxbN0iWiy75-gCNkyO6xY1zHPGnhkg","kind":"initial","state":"current"}');
INSERT INTO credential VALUES('crd_06gzy12s8ajfqka4twqd',2,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"58893189d6f832a6cde52f5876021737","thumbprint":"zvs20aJ54kOKdwdW2v3JSYvE8jojxHC5g-3dp_wVKa0"},"created_at":1795279837,"device":"dev_06gzy12s889bp0f0gh4r","jwk":{"crv":"P-256","kty":"EC","x":"ZJx8EJbrRqxE_i3FaFRNafSwAHMLTlck6XYsSteHtTg","y":"pJRog-sIWhXCXru3t6GL5UckIj_66FYkkVNDJDgXDC8"},"key_thumbprint":"X1UUpGyG8HWizQyr84yX9v8M0-df9EScvK4yrIuh1vQ","kind":"initial","state":"current"}');
INSERT INTO credential VALUES('crd_06gzy12s887pc8hbsgch',2,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"41de288d1a9dda326f32d4c10febd007","thumbprint":"_SVhSXDrUgoB-2--7Z_kNo88w0Rm-Pmg4tNvIAStkrc"},"created_at":1795279837,"device":"dev_06gzy12s88vwb2epj5mg","jwk":{"crv":"P-256","kty":"EC","x":"BVd0jqjAN27gdL6jQ-LoJPI__7I9929uYqaa7HQe7w0","y":"NFwv3jUcQfPsGwhySR1wA_e3vy5-SUlKCtwS6xIg1A4"},"key_thumbprint":"0b7fOc7_9BVGtANo0gJRsT15DmKOMDBSI-01fOqm7WU","kind":"initial","state":"current"}');
INSERT INTO credential VALUES('crd_06gzy12s8ah0p3nhw8tv',2,0,0,'{"certificate":{"issuer":"TsVCb1NnrNkPG_dQlfaDoYiu7IXolcae7irtjwtxKXc","not_after":253402300799,"serial":"5621f00bc199b551f297100bd3f12948","thumbprint":"hxhj44CqrSLw1HLMiTMRydKKlIJf1uusD8hT_yaWu0s"},"created_at":1795279837,"device":"dev_06gzy12s899qxrp3abbs","jwk":{"crv":"P-256","kty":"EC","x":"8_PjS-7AAS0sPU4bL-ZdyIAuqOfRnttEFa7YkeOIqBQ","y":"EgVN6wQK-xXJc1bH19tM24jkKr_lSA3poPnk15GCeKY"},"key_thumbprint":"OqA6_4l_6WZT9fdQdzEopnHozG8iGAZMjaHkjKJeqKg","kind":"initial","state":"current"}');
CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    external_id TEXT AS (body ->> '$.external_id')
) STRICT;
INSERT INTO account VALUES('acc_06gzy12xeat94rgctejf',4,0,0,'{"created_at":1795279838,"kind":"household","name":"Adam''s home"}');
INSERT INTO account VALUES('acc_06gzy19rs46dz0xqbf6z',1,0,0,'{"created_at":1795279894,"kind":"household","name":"Eve''s home"}');
CREATE TABLE user (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    email TEXT AS (body ->> '$.email'),
    roles INTEGER AS (json_array_length(body, '$.roles'))
) STRICT;
INSERT INTO user VALUES('u_06gzy12xeazrq2bcpb3j',12,0,0,'{"account":"acc_06gzy12xeat94rgctejf","created_at":1795279838,"email":"adam@example.com","name":"Adam","password":"$argon2id$v=19$m=19456,t=2,p=1$h8hO7/a7eGDDNlivyaUWcw$8dimbl1+JtmUtAJ6uBuzooVP/7CNLa/L9FL/MCZPLvw","password_set_at":1795279838,"state":"active","updated_at":1795279838}');
INSERT INTO user VALUES('u_06gzy19rs4rdc3zr171f',2,0,0,'{"account":"acc_06gzy19rs46dz0xqbf6z","created_at":1795279894,"email":"eve@example.com","name":"Eve","password":"$argon2id$v=19$m=19456,t=2,p=1$VHdwUK3e/yRYJDnNSae+KA$xbOQuYjtsrngIfTj0f+lxBBZxzjaYX6MZz1Ze6sAtMU","password_set_at":1795279914,"state":"unverified","updated_at":1795279914}');
CREATE TABLE passkey (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    credential_id TEXT AS (body ->> '$.credential_id')
) STRICT;
INSERT INTO passkey VALUES('pk_06gzy19q8817vzebd9k7',1,0,0,'{"created_at":1795279894,"credential":{"cred":{"attestation":{"data":"None","metadata":"None"},"attestation_format":"none","backup_eligible":false,"backup_state":false,"counter":1,"cred":{"key":{"EC_EC2":{"curve":"SECP256R1","x":"-sm0X6YhmsqNP8bOhwXdkIBrCN9F6Z6uh1hC6VNTYR4","y":"GjmhQEgm7jLva6pqGvTa2DnCxRQfmOZWet6Y0pqj-Dg"}},"type_":"ES256"},"cred_id":"dCCUxxdhTtfJCqLDcZXtnNwGNIT95fDeYROfkGFSpJs","extensions":{"appid":"NotRequested","cred_props":{"Unsigned":{"rk":true}},"cred_protect":"Ignored","hmac_create_secret":"NotRequested"},"registration_policy":"required","transports":null,"user_verified":true}},"credential_id":"dCCUxxdhTtfJCqLDcZXtnNwGNIT95fDeYROfkGFSpJs","name":"Phone","user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO passkey VALUES('pk_06gzy1be55jf9phwd5d7',1,0,0,'{"created_at":1795279908,"credential":{"cred":{"attestation":{"data":"None","metadata":"None"},"attestation_format":"none","backup_eligible":false,"backup_state":false,"counter":1,"cred":{"key":{"EC_EC2":{"curve":"SECP256R1","x":"AjydkI7Itrq8qOIpygiXPiIEWziXlQ8-RWKtvFJKZIQ","y":"DGL-Bfe1Tmqg8yYJht5rkjoOacpmpHPcOWwrmChy8iI"}},"type_":"ES256"},"cred_id":"BDaJHS3YwT0mE388yVK8DGP7GAI7-b66ao5lTyAmk4w","extensions":{"appid":"NotRequested","cred_props":{"Unsigned":{"rk":true}},"cred_protect":"Ignored","hmac_create_secret":"NotRequested"},"registration_policy":"required","transports":null,"user_verified":true}},"credential_id":"BDaJHS3YwT0mE388yVK8DGP7GAI7-b66ao5lTyAmk4w","name":"Phone","user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE asset (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    account TEXT AS (body ->> '$.account'),
    closed_at INTEGER AS (body ->> '$.closed_at')
) STRICT;
INSERT INTO asset VALUES('ast_06gzy13j2wdq6jky7gwm',4,1795279844,1795279844,'{"account":"acc_06gzy12xeat94rgctejf","client":"dev_06gzy12s889bp0f0gh4r","closed_at":1795279844,"device":"dev_06gzy12s889bp0f0gh4r","key_thumbprint":"X1UUpGyG8HWizQyr84yX9v8M0-df9EScvK4yrIuh1vQ","name":"Kitchen speaker","opened_at":1795279843,"possession":"proved","registered_by":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO asset VALUES('ast_06gzy1c372w0j6c1wstc',1,0,0,'{"account":"acc_06gzy12xeat94rgctejf","client":"speaker_firmware","device":"dev_06gzy12s88vwb2epj5mg","key_thumbprint":"0b7fOc7_9BVGtANo0gJRsT15DmKOMDBSI-01fOqm7WU","name":"SPK-000124","opened_at":1795279913,"possession":"proved","registered_by":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE bond (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    holder TEXT AS (body ->> '$.holder.id'),
    target TEXT AS (body ->> '$.target.id'),
    state TEXT AS (body ->> '$.state')
) STRICT;
INSERT INTO bond VALUES('bnd_06gzy12xeamykxhyeq7d',1,0,0,'{"created_at":1795279838,"holder":{"id":"u_06gzy12xeazrq2bcpb3j","kind":"user"},"origin":"sign-up","role":"owner","state":"active","target":{"id":"acc_06gzy12xeat94rgctejf","kind":"account"}}');
INSERT INTO bond VALUES('bnd_06gzy13j2wh3ghysm6wb',3,1795279844,1795279844,'{"created_at":1795279843,"ended_at":1795279844,"holder":{"id":"u_06gzy12xeazrq2bcpb3j","kind":"user"},"origin":"pairing","role":"owner","state":"ended","target":{"id":"ast_06gzy13j2wdq6jky7gwm","kind":"asset"}}');
INSERT INTO bond VALUES('bnd_06gzy19rs575b7r681hc',1,0,0,'{"created_at":1795279894,"holder":{"id":"u_06gzy19rs4rdc3zr171f","kind":"user"},"origin":"sign-up","role":"owner","state":"active","target":{"id":"acc_06gzy19rs46dz0xqbf6z","kind":"account"}}');
INSERT INTO bond VALUES('bnd_06gzy1c3730xhxvpd17q',1,0,0,'{"created_at":1795279913,"holder":{"id":"u_06gzy12xeazrq2bcpb3j","kind":"user"},"origin":"pairing","role":"owner","state":"active","target":{"id":"ast_06gzy1c372w0j6c1wstc","kind":"asset"}}');
CREATE TABLE browser_session (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    secret TEXT AS (body ->> '$.secret'),
    user TEXT AS (body ->> '$.user'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO browser_session VALUES('ses_06gzy12y5jq8n74ep8pq',1,0,0,'{"agent":"ureq/3.5.1","authenticated_at":1795279838,"expires_at":1797871838,"methods":["pwd"],"secret":"2zwt70fmRRzZpEQtjmLaIwthROlM7u5glG6_PTcWCXE","seen_at":1795279838,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO browser_session VALUES('ses_06gzy19p8crtt88yqgjw',1,0,0,'{"agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0","authenticated_at":1795279894,"expires_at":1797871894,"methods":["pwd"],"secret":"tspJU28PhkSHjLagzud3rl6jWFMRAkAmVIxrUK8Z0eA","seen_at":1795279894,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO browser_session VALUES('ses_06gzy1bdj6qeczg1dqgd',1,0,0,'{"agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0","authenticated_at":1795279908,"expires_at":1797871908,"methods":["pwd"],"secret":"4AMOqwZwe_N53Rc2ULx9dz_tnIrojigiHU_U2pi2XbM","seen_at":1795279908,"user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE device_session (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    credential TEXT AS (body ->> '$.credential'),
    opened_at INTEGER AS (body ->> '$.opened_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO device_session VALUES('ds_06gzy13k7e1eg1s30mnh',1,0,0,'{"credential":"crd_06gzy12s8ajfqka4twqd","device":"dev_06gzy12s889bp0f0gh4r","expires_at":1795366244,"firmware":"1.4.1","opened_at":1795279844}');
INSERT INTO device_session VALUES('ds_06gzy19rjf89ts42d1zs',1,0,0,'{"credential":"crd_06gzy12s8ah0p3nhw8tv","device":"dev_06gzy12s899qxrp3abbs","expires_at":1795366294,"opened_at":1795279894}');
INSERT INTO device_session VALUES('ds_06gzy1c3raheyt9n38sj',1,0,0,'{"credential":"crd_06gzy12s887pc8hbsgch","device":"dev_06gzy12s88vwb2epj5mg","expires_at":1795366313,"opened_at":1795279913}');
CREATE TABLE mail_token (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO mail_token VALUES('gVpLr4VO5llGSplJ2XOJnIufWosuLkNCHbDKRyxNNlI',2,0,0,'{"expires_at":1795366238,"purpose":"verify_address","used_at":1795279838,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO mail_token VALUES('MAo9uGy8t9VWuiFrJ6aS-2sSKXDOZSd-b6-40XxXHsk',1,0,0,'{"expires_at":1795366294,"purpose":"verify_address","user":"u_06gzy19rs4rdc3zr171f"}');
INSERT INTO mail_token VALUES('k9SqIKNMYnQXurQ-ciPltZOgn-uJ-zpjNiNZip51Nlw',1,0,0,'{"expires_at":1795283494,"purpose":"recover_password","user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO mail_token VALUES('sYV-0LwZ_GGtPTgd5Fh7hTI_QGBjs-AkZfK4-fR0LHE',1,0,0,'{"expires_at":1795366314,"purpose":"verify_address","user":"u_06gzy19rs4rdc3zr171f"}');
INSERT INTO mail_token VALUES('UOMpjk6Drp3X0CWXIL7F4MQebz9_73PXNhptVm6w7So',1,0,0,'{"expires_at":1795283514,"purpose":"recover_password","user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE import (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
INSERT INTO import VALUES('imp_06gzy12s1g4vjmwc8wfq',3,0,0,'{"bad_lines":[{"line":1002,"reason":"a MAC is twelve hexadecimal digits and belongs to one device"}],"created":1000,"failed":1,"finished_at":1795279837,"source":"batch-1.csv","started_at":1795279837,"unchanged":0,"updated":0}');
INSERT INTO import VALUES('imp_06gzy12v5f6ztaakjqr8',3,0,0,'{"bad_lines":[{"line":1002,"reason":"a MAC is twelve hexadecimal digits and belongs to one device"}],"created":0,"failed":1,"finished_at":1795279838,"source":"batch-1.csv","started_at":1795279837,"unchanged":1000,"updated":0}');
CREATE TABLE client (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
INSERT INTO client VALUES('maker-registry',1,0,0,'{"access_token_life":3600,"asset_token_life":86400,"asset_typ_jwt":false,"auth":"client_secret_basic","created_at":1795279837,"disabled":false,"dpop_bound_access_tokens":false,"grant_types":["client_credentials"],"id_token_alg":"RS256","name":"Registry of the maker","opaque_tokens":false,"rights":{"asset_salesforce":false,"asset_tokens":false,"exchange_others":false,"first_party":false,"localhost_any_port":false,"without_pkce":false},"scopes":"products:read products:write devices:read devices:write devices:ca device_keys:read imports:read imports:write clients:read clients:write accounts:read users:read assets:read bonds:read events:read","secret":"cy9NHhxq01uPdz1gUw15pPIv9oVili416K7zqscyVGw","tls_client_certificate_bound_access_tokens":false,"token_alg":"ES256"}');
INSERT INTO client VALUES('app_mobile',1,0,0,'{"access_token_life":3600,"asset_token_life":86400,"asset_typ_jwt":false,"audiences":["https://localhost:37029","https://localhost:34405"],"auth":"none","created_at":1795279843,"disabled":false,"dpop_bound_access_tokens":true,"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:token-exchange"],"id_token_alg":"RS256","name":"Speaker app","opaque_tokens":false,"redirect_uris":["https://app.example.com/callback","http://127.0.0.1/callback"],"rights":{"asset_salesforce":false,"asset_tokens":true,"exchange_others":false,"first_party":false,"localhost_any_port":false,"without_pkce":false},"scopes":"openid profile email device:register offline_access telemetry:write cloud:stream","tls_client_certificate_bound_access_tokens":false,"token_alg":"ES256"}');
INSERT INTO client VALUES('backend-ingest',1,0,0,'{"access_token_life":3600,"asset_token_life":86400,"asset_typ_jwt":false,"audiences":["https://localhost:37029","https://localhost:34405"],"auth":"client_secret_basic","created_at":1795279844,"disabled":false,"dpop_bound_access_tokens":false,"grant_types":["client_credentials"],"id_token_alg":"RS256","name":"Ingest of the maker","opaque_tokens":false,"rights":{"asset_salesforce":false,"asset_tokens":false,"exchange_others":false,"first_party":false,"localhost_any_port":false,"without_pkce":false},"scopes":"device_keys:read","secret":"r3uPrsiEmsGFKGhNclkDYWdxZuR3eI_b9UlgELiWwdU","tls_client_certificate_bound_access_tokens":false,"token_alg":"ES256"}');
INSERT INTO client VALUES('web_shop',1,0,0,'{"access_token_life":3600,"asset_token_life":86400,"asset_typ_jwt":false,"audiences":["https://localhost:37029"],"auth":"client_secret_basic","created_at":1795279844,"disabled":false,"dpop_bound_access_tokens":false,"grant_types":["authorization_code","refresh_token","client_credentials"],"id_token_alg":"RS256","name":"Shop of the maker","opaque_tokens":false,"redirect_uris":["https://app.example.com/callback","http://127.0.0.1/callback"],"rights":{"asset_salesforce":false,"asset_tokens":false,"exchange_others":false,"first_party":false,"localhost_any_port":false,"without_pkce":false},"scopes":"openid profile email offline_access","secret":"mZdTqUcbzR--b42Q_wyPpsiC-gQCNPR5lX9reiqL8IM","tls_client_certificate_bound_access_tokens":false,"token_alg":"ES256"}');
INSERT INTO client VALUES('speaker_firmware',1,0,0,'{"access_token_life":3600,"asset_token_life":86400,"asset_typ_jwt":false,"audiences":["https://localhost:37029"],"auth":"none","created_at":1795279908,"disabled":false,"dpop_bound_access_tokens":true,"grant_types":["urn:ietf:params:oauth:grant-type:device_code","refresh_token"],"id_token_alg":"RS256","name":"Firmware of the speaker","opaque_tokens":false,"rights":{"asset_salesforce":false,"asset_tokens":false,"exchange_others":false,"first_party":false,"localhost_any_port":false,"without_pkce":false},"scopes":"openid cloud:stream offline_access","tls_client_certificate_bound_access_tokens":false,"token_alg":"ES256"}');
CREATE TABLE consent (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    client TEXT AS (body ->> '$.client'),
    withdrawn_at INTEGER AS (body ->> '$.withdrawn_at')
) STRICT;
INSERT INTO consent VALUES('con_06gzy13jg0mv4nqsg05b',1,0,0,'{"client":"app_mobile","given_at":1795279843,"resources":["https://localhost:37029"],"scope":"openid profile email device:register","user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO consent VALUES('con_06gzy19qahwxx2eqfsn8',4,0,0,'{"client":"web_shop","given_at":1795279908,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE authorization_code (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    family TEXT AS (body ->> '$.family'),
    used_at INTEGER AS (body ->> '$.used_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO authorization_code VALUES('Wft3NU1_HVfEdUK17XyCAUO9eF3Va-OHhnS3yJU7-4w',2,0,0,'{"auth_time":1795279838,"challenge":"N__zBFM7_ya0y3ZqLRrpsfNsA03UIiS2VjB-GKmOx3Q","client":"app_mobile","dpop_jkt":null,"expires_at":1795279903,"family":"fam_06gzy13jg2p94zkherxn","methods":["pwd"],"nonce":"VKzKTxk3WMLsh6E26xSwfop1SKIra1v4TD1wFZZTng4","redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid profile email device:register","session":"ses_06gzy12y5jq8n74ep8pq","used_at":1795279843,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('OorPzJrFyNyvx9r0YLu3e_sYmKpx9s_0MxV15kvIRhk',2,0,0,'{"auth_time":1795279894,"challenge":"pFioPj1alJep57ZONY21bu_liOOUdDTaPFCcVB_IW0o","client":"web_shop","dpop_jkt":null,"expires_at":1795279954,"family":"fam_06gzy19qagpjsvfq1yh4","methods":["pwd"],"nonce":"n","redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":"ses_06gzy19p8crtt88yqgjw","used_at":1795279894,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('6gC2xjh3mOQvc0KR0qJ5BTFlqJau9xEIaVtJhne6TrA',2,0,0,'{"auth_time":1795279894,"challenge":"pFioPj1alJep57ZONY21bu_liOOUdDTaPFCcVB_IW0o","client":"web_shop","dpop_jkt":null,"expires_at":1795279954,"family":"fam_06gzy19qdkbengpwjx2h","methods":["pwd"],"nonce":"n","redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":"ses_06gzy19p8crtt88yqgjw","used_at":1795279894,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('V5fYqhRFVuh4Q3RvV-N79tx7ILac2FtysRy8pqDHfV8',1,0,0,'{"auth_time":1795279894,"challenge":"pFioPj1alJep57ZONY21bu_liOOUdDTaPFCcVB_IW0o","client":"web_shop","dpop_jkt":null,"expires_at":1795279956,"family":"fam_06gzy1a0xd8ptjvmr442","methods":["pwd"],"nonce":null,"redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid","session":"ses_06gzy19p8crtt88yqgjw","used_at":null,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('b5d_VwCMPK7hc0fC9pSbNhoG2vH5SPlVXmfEztZ9aps',2,0,0,'{"auth_time":1795279908,"challenge":"lULKzwq6JEptIeSx6hn3k_P5S_ocADjwPNI5GcWRC30","client":"web_shop","dpop_jkt":null,"expires_at":1795279968,"family":"fam_06gzy1be8pecdp30x47h","methods":["pwd"],"nonce":"n","redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":"ses_06gzy1bdj6qeczg1dqgd","used_at":1795279908,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('puIfF3k05YTW7TgLOcjYJDXb485odOG4Rf07pCzSMhs',2,0,0,'{"auth_time":1795279908,"challenge":"lULKzwq6JEptIeSx6hn3k_P5S_ocADjwPNI5GcWRC30","client":"web_shop","dpop_jkt":null,"expires_at":1795279968,"family":"fam_06gzy1bec25dygp2x3gt","methods":["pwd"],"nonce":"n","redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":"ses_06gzy1bdj6qeczg1dqgd","used_at":1795279908,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO authorization_code VALUES('lqx17thGPMA_T1Dtq3MzSY1Kf-3-E09MO7vJxhbJMxA',1,0,0,'{"auth_time":1795279908,"challenge":"lULKzwq6JEptIeSx6hn3k_P5S_ocADjwPNI5GcWRC30","client":"web_shop","dpop_jkt":null,"expires_at":1795279976,"family":"fam_06gzy1cd0sercdm38tk2","methods":["pwd"],"nonce":null,"redirect_uri":"https://app.example.com/callback","redirect_uri_named":true,"resources":["https://localhost:37029"],"scope":"openid","session":"ses_06gzy1bdj6qeczg1dqgd","used_at":null,"user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE token_family (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    session TEXT AS (body ->> '$.session'),
    device TEXT AS (body ->> '$.device'),
    asset TEXT AS (body ->> '$.asset'),
    bond TEXT AS (body ->> '$.bond'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO token_family VALUES('fam_06gzy13j2znb8rw7z0gk',2,0,0,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","d.dev_06gzy12s889bp0f0gh4r.0","p.prd_06gzy12rrf1c4eze3rr8.0","u.u_06gzy12xeazrq2bcpb3j.0","ac.acc_06gzy12xeat94rgctejf.0","b.bnd_06gzy12xeamykxhyeq7d.0","f.fam_06gzy13j2znb8rw7z0gk.0","as.ast_06gzy13j2wdq6jky7gwm.0","b.bnd_06gzy13j2wh3ghysm6wb.0"],"asset":"ast_06gzy13j2wdq6jky7gwm","auth_time":1795279838,"bond":"bnd_06gzy13j2wh3ghysm6wb","client":"dev_06gzy12s889bp0f0gh4r","confirmation":null,"created_at":1795279843,"current":"tcLmzNLuLmSaasbeAgVUP1_gohoCXEh0SP7cp83w7xE","device":"dev_06gzy12s889bp0f0gh4r","expires_at":1810831843,"methods":["pwd"],"previous":{"digest":"pCnmHxd436ncB-Q3-Mp8jrf1GXKdNBDjfnbkLBqRyKI","repeated":false,"replaced_at":1795279843,"sealed_successor":"AQNvbGSdz3kPF63YEyWsxya6qopnvyDo2CLKSaeLMpiJDgJ6NVTw8TZy7Phi-7SczYz-SqVNVTloJpsrW4k17-9mEObfQr931bCDW_mtei2qtn86I81TkynbIDG_tMIKZhg7Al82ZDobZr6dvh5cooKNro8HHu2vGfKt734lYVjeZaUQ3gYD0mAY-wuZTOXuajT8y122pA"},"resources":["https://localhost:37029"],"scope":"cloud:stream","session":null,"turn":2,"used_at":1795279843,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy13jg2p94zkherxn',1,0,0,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.app_mobile.0","u.u_06gzy12xeazrq2bcpb3j.0","co.con_06gzy13jg0mv4nqsg05b.0","ac.acc_06gzy12xeat94rgctejf.0","f.fam_06gzy13jg2p94zkherxn.0"],"asset":null,"auth_time":1795279838,"bond":null,"client":"app_mobile","confirmation":{"jkt":"G9jiia42HevPmjgjE3nKWYhYsJ7kV7oX0Kpmoji-63Q"},"created_at":1795279843,"current":"mKcl04BURvj0cqrdbZG9ehkHP0Ze5GQQ4YuACuYMC7o","device":null,"expires_at":1810831843,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"openid profile email device:register","session":null,"turn":1,"used_at":1795279843,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy19qagpjsvfq1yh4',1,0,0,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.web_shop.0","u.u_06gzy12xeazrq2bcpb3j.0","co.con_06gzy19qahwxx2eqfsn8.0","ac.acc_06gzy12xeat94rgctejf.0","f.fam_06gzy19qagpjsvfq1yh4.0"],"asset":null,"auth_time":1795279894,"bond":null,"client":"web_shop","confirmation":null,"created_at":1795279894,"current":"srDKPLErX0JnvEV8Lvwe4qPN78cx_aWlP3iu-zLs7F4","device":null,"expires_at":1810831894,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":null,"turn":1,"used_at":1795279894,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy19qdkbengpwjx2h',2,1795279894,1795279894,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.web_shop.0","u.u_06gzy12xeazrq2bcpb3j.0","co.con_06gzy19qahwxx2eqfsn8.0","ac.acc_06gzy12xeat94rgctejf.0","f.fam_06gzy19qdkbengpwjx2h.0"],"asset":null,"auth_time":1795279894,"bond":null,"client":"web_shop","confirmation":null,"created_at":1795279894,"current":"wl3RcnRjOy4SeJFBns-qhcLPfsVMAM2aNJpSBOsQ7n8","device":null,"expires_at":1810831894,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":null,"turn":1,"used_at":1795279894,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy1be8pecdp30x47h',1,0,0,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.web_shop.0","u.u_06gzy12xeazrq2bcpb3j.0","co.con_06gzy19qahwxx2eqfsn8.0","ac.acc_06gzy12xeat94rgctejf.0","f.fam_06gzy1be8pecdp30x47h.0"],"asset":null,"auth_time":1795279908,"bond":null,"client":"web_shop","confirmation":null,"created_at":1795279908,"current":"jWgeWUcHhPzum_vhUGHyTOHEjf0jeyX_TpUovpGt_i0","device":null,"expires_at":1810831908,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":null,"turn":1,"used_at":1795279908,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy1bec25dygp2x3gt',2,1795279908,1795279908,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.web_shop.0","u.u_06gzy12xeazrq2bcpb3j.0","co.con_06gzy19qahwxx2eqfsn8.0","ac.acc_06gzy12xeat94rgctejf.0","f.fam_06gzy1bec25dygp2x3gt.0"],"asset":null,"auth_time":1795279908,"bond":null,"client":"web_shop","confirmation":null,"created_at":1795279908,"current":"7ojvU7pbZzzaPje8j9qwfIOvjbs9cVenl82khgbhVaQ","device":null,"expires_at":1810831908,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"openid profile email offline_access","session":null,"turn":1,"used_at":1795279908,"user":"u_06gzy12xeazrq2bcpb3j"}');
INSERT INTO token_family VALUES('fam_06gzy1c370yfej50dqtp',1,0,0,'{"account":"acc_06gzy12xeat94rgctejf","anchors":["t.EbiVBaYE-cm0FkK_J_kXtw.0","cl.speaker_firmware.0","u.u_06gzy12xeazrq2bcpb3j.0","ac.acc_06gzy12xeat94rgctejf.0","b.bnd_06gzy12xeamykxhyeq7d.0","d.dev_06gzy12s88vwb2epj5mg.0","p.prd_06gzy12rrf1c4eze3rr8.0","f.fam_06gzy1c370yfej50dqtp.0","as.ast_06gzy1c372w0j6c1wstc.0","b.bnd_06gzy1c3730xhxvpd17q.0"],"asset":"ast_06gzy1c372w0j6c1wstc","auth_time":1795279908,"bond":"bnd_06gzy1c3730xhxvpd17q","client":"speaker_firmware","confirmation":{"jkt":"0b7fOc7_9BVGtANo0gJRsT15DmKOMDBSI-01fOqm7WU"},"created_at":1795279913,"current":"1BpYzIKwyPU1iCqWz5Zg3zs5_ur9yY6jGsFRo2g2on4","device":"dev_06gzy12s88vwb2epj5mg","expires_at":1810831913,"methods":["pwd"],"previous":null,"resources":["https://localhost:37029"],"scope":"cloud:stream","session":null,"turn":1,"used_at":1795279913,"user":"u_06gzy12xeazrq2bcpb3j"}');
CREATE TABLE pairing (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user_code TEXT AS (body ->> '$.user_code'),
    state TEXT AS (body ->> '$.state.state'),
    created_at INTEGER AS (body ->> '$.created_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
INSERT INTO pairing VALUES('sH5tBPM2rzlWMlAopRAG3JOxL9BhKNIwJriAQ0w2wj8',3,0,0,'{"client":"dev_06gzy12s889bp0f0gh4r","created_at":1795279838,"detailed":true,"device":"dev_06gzy12s889bp0f0gh4r","dpop_jkt":"X1UUpGyG8HWizQyr84yX9v8M0-df9EScvK4yrIuh1vQ","expires_at":1795280438,"interval":5,"polled_at":1795279843,"resources":["https://localhost:37029"],"scope":"cloud:stream","state":{"family":"fam_06gzy13j2znb8rw7z0gk","state":"consumed"},"user_code":"ZmiC5eLW-PXDKbpFX0qx7_j_GoIAp2SVI6PKUrY1WCo"}');
INSERT INTO pairing VALUES('dtCLKY8V5Siknt8ext_dUJRjhfTWR7LJaBMkt6sSPkQ',3,0,0,'{"client":"speaker_firmware","created_at":1795279908,"detailed":true,"device":"dev_06gzy12s88vwb2epj5mg","dpop_jkt":"0b7fOc7_9BVGtANo0gJRsT15DmKOMDBSI-01fOqm7WU","expires_at":1795280508,"interval":5,"polled_at":1795279913,"resources":["https://localhost:37029"],"scope":"cloud:stream","state":{"family":"fam_06gzy1c370yfej50dqtp","state":"consumed"},"user_code":"tzmGqTrPYp1Knb8FFz6Re9Y3adQheEJUP91vo1Xib1k"}');
CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
INSERT INTO signing_key VALUES('iU3crvD0_H2WiOFi',1,0,0,'{"alg":"ES256","jwk":{"alg":"ES256","crv":"P-256","kid":"iU3crvD0_H2WiOFi","kty":"EC","use":"sig","x":"73z3_NWko45Ln5277nd124Dfuy7yzSZjhuxJ_Tyg388","y":"sXNzMyuPpHXV-TDdrPzn2BVDMxFc5Bu7YQ_wC_6Dfk8"},"not_before":1795279776,"retire_at":9223372036854775807,"sealed":"AQh6UG5sdUxEVSev2X3kktEHJYs50Dji-CuvzEyokX7pxM6cINSXm7d5l5GJxQnvb8JUU5sIvGLbk2HBXaYaVbLDgJmTPE-GoRVbRxogfpL_J7KY8A-wgtgAFDaD1wwx0DGZDaa-i7B28o0vgqP736PCn7lih1wpypsMAyETbECdT135kpro-1OQXyOTGKU-DNxw1BOdYUIf4DpLr7ohGgfeudNbvuEzghexlX6Gjw8AMZ2DfPT1wlPzd9k"}');
INSERT INTO signing_key VALUES('qMi42YcVpzIY-Pl0',1,0,0,'{"alg":"RS256","jwk":{"alg":"RS256","e":"AQAB","kid":"qMi42YcVpzIY-Pl0","kty":"RSA","n":"1fUTZRZlnWlz6r9tV9vIK9BT4ax9hL_8msDue7Kz0HRsyO5An6fQiv-MMkvlhIOmaUCczmZre0Y0wt37nyyxox_q6ayTZCKvPzPCtosQLTcgH6mzSR3tPppbp0ds3yhhUkozgOr6qO6IyPJ04YbP1sKqCtvKVo5nRFUxUxZvQjCzw8_YfXJhWEg5nQ4WiD_DgcyXFXNhWK9NjoH6JfIyzp4DSBqfdcDN8ErVev_qWyPJ5fpQhDtKVsMyEKoqSr7hEVJ8_dytlWgU7k7CkqSYiu2R3pztgXB4kPoi4b3JZlMxZTkgRvqc67FQWX078QpAsQoaKXdBouyj0oM9xd30qQ","use":"sig"},"not_before":1795279776,"retire_at":9223372036854775807,"sealed":"AQh6UG5sdUxEVfKp7QamWaEaGcDrY0yNeb_ugKuhV71Sgy9yyz5lVTSY1VVUB4ZXxt52yBz7EyWZqzdhktkRyyJ23o9XJ7BQ4U5RLGjiwMhmR81-AxjwzvU-rVnjRdtnMiwAmjZ4j7nZvZvd1E_kOer7_7WczhjjnbJsTLeWU2FtWSyqEgWZFXvAQswZ4_Cq_PN6Rvpe176c9dSoemCCEnru4QpTjdGWYwduGIqWdlG5gawOtkauDAkt3A_g0i7AQSHuXl99LO-7TVbBTBJyEQREurH8cgkbNp_inUAJNy0EtN7YY9JGTVOeHaXNqDmWoeoH-HCYVfNVxAMYvp91P7CFOeoZyPfCY7mTnFi4P4gBKBNKp3jH_j0TLl59BUcAd-f7_vWlYYceJYEbHoKnjf6chnG6qnJBCG8_Lt46Diw9r6pLrypfZpF55dGxSlz5OIaL3r61HD2k71Z3nW6aB9V9x4PxvsmQ7YzN8jVvbMpGAWmBPcJ9TOjaGu15fxHNj1alUmAR4Atl9941QTgWbvhLA5RZ0sET0GzCdLUueSIfsuemCkpSO55MdMmxq8xBoWU9Bl07dBM7pdaQ4ePt00NzQO7JlnexQSEe9vbkpgd_jj7q7NOrj0zd7-jcp-nSaQBWBVv3Z6r7a_YFLLOj5BHFv5XVOyEbxDh4UcZ_Vd5cIzU1H7ySp1CVG_vep6Q1a66iwRH9dLK1kJCZQ2RzMcjY9Pth8BuETxahyrxMPPOTB-4t0Dr5lPJ-tBROYdP1zZW-KYG39bSHOEs4onUsDwWPNAPdh-8XFGkvb-OElIZ8BpJIeV7WCui2UMty1GIM4qG1WsLga9f99CDYi34uQRabV1UroPXVBlz3P0s8qVbYyP6cOhVGOJjVczziR3TP7PKGAUzqVZgT4N-SvQ4R1p2kVEhYZ9D_n6f0_RKXZfPqn3HsjJTw8mRmgYlFWj-yGOacy8E3jV3lmOHgRTKg9OaUwyC27UqGIueyEOCuR6GMKzrKPfnwRvfHI_Q6oz4c1u1yt8aOMcWVoWetk3I71Agmz5C6LJpP9vc8wsjsvsy4icZOusghhWKjkTrFP0VK6jvSRyrNycYUq2paFkRE_qrMkMXPBENeNDCVUltILyTcjg-9-ZwJphVf5j0G1mJaYhfjreIbZlvfPBRccHFY74N5Jxjdxt6Q6zGdfcB_b8oVpL0XYSgpwPUldRTUkXAOmXxPsTGWiIX-Y9nLT-g9-TL53skm2z1Hh9S5WY2EaNp59lvmBLAVfX02LoMGLULsTRdvz0-_7Fe0J5a4QGEMcuTgZ4nJRJt41gqoQDDwpXfYLtqGPSe31qHp0LL5znY0C67GturGZrHk7fecUAj7EO4oC3KN7UQER1H_YBRhYoBrPVQRBt4armgwHh8sQeopDxhh117KqYgcQzqRzXKqFnU77gG9QCt8jI-62ctTGn4IYq04AGVSRrfVDqKI5tBTSD1samIyHW67BqHE_enNasvUiRjxRchlLYGbkm9jb-Fh5nyUKT4KSwmQWyaHOqJ5fYSA_9Fimq36cxYjBFCG9FD0e7DYgUpoK8FKHUKlvsg0_maDGRh72Mf9zhGTrdKJAql6m2fjNd5EI_AvjHh3ZR7RW8JtiYJBfkjdTZeuWsPZ87P8l_LwRFGe4rMs0NUWhKR47wDN0eBHyiph4kO2BKUmDA"}');
INSERT INTO signing_key VALUES('dIk_6sLUxjJ1KRwk',1,0,0,'{"alg":"EdDSA","jwk":{"alg":"EdDSA","crv":"Ed25519","kid":"dIk_6sLUxjJ1KRwk","kty":"OKP","use":"sig","x":"Vmbj09efsJj9U_h34DNykEWltepa_x6lc5d7aW1huTw"},"not_before":1795279776,"retire_at":9223372036854775807,"sealed":"AQh6UG5sdUxEVQ_J8diZpjT8q829yR_mtOI7QZ_PUYL89J2oDFLKkOHY_bhVIQS6zSdv2_xoRAGFliUvxd7TxdiGigu7stvbgSrRyryJyhsvFJK4jOoSHEDyx7wioG3eEH4"}');
CREATE INDEX event_kind ON event (kind, number);
CREATE INDEX event_subject ON event (subject, number);
CREATE INDEX event_raises ON event (number) WHERE raises = 1;
CREATE INDEX raised_at ON raised (at);
CREATE INDEX once_until ON once (until);
CREATE INDEX idempotent_until ON idempotent (until);
CREATE UNIQUE INDEX product_model ON product (model);
CREATE UNIQUE INDEX trust_anchor_product ON trust_anchor (product, thumbprint);
CREATE UNIQUE INDEX device_serial ON device (serial, product) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX device_mac ON device (mac) WHERE mac IS NOT NULL;
CREATE UNIQUE INDEX device_external_id ON device (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX credential_device ON credential (device);
CREATE UNIQUE INDEX credential_key ON credential (key_thumbprint);
CREATE UNIQUE INDEX credential_thumbprint ON credential (certificate_thumbprint)
    WHERE certificate_thumbprint IS NOT NULL;
CREATE UNIQUE INDEX credential_serial ON credential (certificate_serial, certificate_issuer)
    WHERE certificate_serial IS NOT NULL;
CREATE UNIQUE INDEX account_external_id ON account (external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX user_email ON user (email);
CREATE INDEX user_roles ON user (roles) WHERE roles > 0;
CREATE INDEX passkey_user ON passkey (user);
CREATE UNIQUE INDEX passkey_credential_id ON passkey (credential_id);
CREATE UNIQUE INDEX asset_open ON asset (device) WHERE closed_at IS NULL;
CREATE INDEX asset_account ON asset (account) WHERE closed_at IS NULL;
CREATE INDEX bond_holder ON bond (holder) WHERE state <> 'ended';
CREATE INDEX bond_target ON bond (target) WHERE state <> 'ended';
CREATE UNIQUE INDEX browser_session_secret ON browser_session (secret);
CREATE INDEX browser_session_user ON browser_session (user);
CREATE INDEX browser_session_expires ON browser_session (expires_at, id);
CREATE INDEX device_session_device ON device_session (device, opened_at);
CREATE INDEX device_session_credential ON device_session (credential, opened_at);
CREATE INDEX device_session_expires ON device_session (expires_at);
CREATE INDEX mail_token_expires ON mail_token (expires_at);
CREATE UNIQUE INDEX consent_live ON consent (user, client) WHERE withdrawn_at IS NULL;
CREATE INDEX authorization_code_unused ON authorization_code (expires_at) WHERE used_at IS NULL;
CREATE INDEX authorization_code_family ON authorization_code (family) WHERE used_at IS NOT NULL;
CREATE INDEX token_family_user ON token_family (user) WHERE user IS NOT NULL;
CREATE INDEX token_family_session ON token_family (session) WHERE session IS NOT NULL;
CREATE INDEX token_family_device ON token_family (device) WHERE device IS NOT NULL;
CREATE INDEX token_family_asset ON token_family (asset) WHERE asset IS NOT NULL;
CREATE INDEX token_family_bond ON token_family (bond) WHERE bond IS NOT NULL;
CREATE INDEX token_family_expires ON token_family (expires_at);
CREATE INDEX pairing_user_code ON pairing (user_code);
CREATE INDEX pairing_expires ON pairing (expires_at);
COMMIT;
PRAGMA application_id = 1262836038;
PRAGMA user_version = 1;
