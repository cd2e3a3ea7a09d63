// The check of the check: one thing is spoilt between kill and start, and must be noticed.
//
// Owns: what is spoilt, and in which words it must be told.

export const SPOILT = {
  /// A client takes silence for a yes.
  unanswered: { told: /device dev_none was acknowledged and is lost/ },
  bond: { sql: "DELETE FROM bond WHERE target LIKE 'ast%' AND state <> 'ended'", told: /live bonds|is lost/ },
  event: {
    sql: 'DELETE FROM event WHERE number = (SELECT max(number) FROM event)',
    told: /the log has a gap|event \d+ came after|never announced|is another/,
  },
  raise: { sql: "DELETE FROM raised WHERE kind = 'j'", told: /a revoked token/ },
  once: { sql: 'DELETE FROM once', told: /an actor token (worked twice|of an earlier round)/ },
  code: {
    sql: `UPDATE authorization_code SET body =
          json_set(body, '$.used_at', NULL, '$.family', 'fam_' || lower(hex(randomblob(10))))`,
    told: /a code (worked twice|of an earlier round)/,
  },
  family: {
    sql: "UPDATE token_family SET body = json_set(body, '$.current', 'x')",
    told: /a family does not go on|a refresh token was spent/,
  },
  device: { sql: "DELETE FROM device WHERE serial LIKE 'P-%'", told: /was acknowledged and is lost/ },
};

export class Spoiler {
  constructor(name) {
    this.name = name;
    this.sql = SPOILT[name].sql;
  }

  /// Spoils the store as it lies there, or what the client believes.
  spoil(left, memory) {
    if (this.sql) left.spoil(this.sql);
    else memory.items.push({ name: 'provision', asked: { key: 'never-sent', serial: 'P-never-sent' }, answer: { id: 'dev_none' } });
  }
}
