//! What is forgotten, and when (every 60 s by the store's time).

use rusqlite::{Connection, params};

use crate::apply::Place;

const DAY: i64 = 86_400;
/// A token is renewed at most so long after its end, and its row stays a little longer.
const TOKEN_MEMORY: i64 = 30 * DAY + 120;
/// Candidates of one kind looked at in one round, so that writers wait little.
const ROUND: i64 = 5_000;

/// What pruning needs to know and to remember from round to round.
#[derive(Debug)]
pub(crate) struct Pruner {
    /// `max_token_life` of the tenant, seconds.
    life: i64,
    /// Where the walk over ended browser sessions stands.
    sessions: (i64, String),
    /// Where the walk over raises stands: time, kind, id.
    raises: (i64, String, String),
}

impl Pruner {
    pub(crate) fn new(life: i64) -> Self {
        Self { life, sessions: (i64::MIN, String::new()), raises: (i64::MIN, String::new(), String::new()) }
    }
}

pub(crate) fn prune(db: &Connection, pruner: &mut Pruner, place: &mut Place, now: i64) -> rusqlite::Result<()> {
    place.time = place.time.max(now);
    let time = place.time;
    let window = pruner.life + 120;
    raises(db, pruner, place, time - 2 * window)?;
    let after = |table: &str, column: &str, before: i64| {
        db.prepare_cached(&format!(
            "DELETE FROM {table} WHERE {column} IN
             (SELECT {column} FROM {table} WHERE {column} < ?1 ORDER BY {column} LIMIT ?2)"
        ))?
        .execute(params![before, ROUND])
    };
    after("once", "until", time)?;
    after("idempotent", "until", time)?;
    after("mail_token", "expires_at", time - DAY)?;
    after("pairing", "expires_at", time - DAY)?;
    // What hangs from a session or family is dead once its row is gone, so the
    // row outlives the last token.
    after("device_session", "expires_at", time - window)?;
    families(db, time - window)?;
    unused_codes(db, time - DAY)?;
    browser_sessions(db, pruner, time - window)
}

/// Forgetting a raise moves the horizon: no token made before it is believed.
/// A token's own row stays as long as the token could be renewed; a raise that
/// came late stays as long as any other, or the horizon would kill what is young.
/// The walk goes on where the last round stopped: of a million tokens that were
/// revoked one by one, each round passes few.
fn raises(db: &Connection, pruner: &mut Pruner, place: &mut Place, before: i64) -> rusqlite::Result<()> {
    let kept_until = place.time - TOKEN_MEMORY;
    let (at, kind, id) = &pruner.raises;
    let passed: Vec<(i64, String, String, Option<i64>)> = db
        .prepare_cached(
            "SELECT at, kind, id, token_expires FROM raised WHERE (at, kind, id) > (?1, ?2, ?3) AND at < ?4
             ORDER BY at, kind, id LIMIT ?5",
        )?
        .query_map(params![at, kind, id, before, ROUND], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let full = i64::try_from(passed.len()) == Ok(ROUND);
    for (at, kind, id, _) in passed.iter().filter(|(.., expires)| expires.is_none_or(|expires| expires < kept_until)) {
        db.prepare_cached("DELETE FROM raised WHERE kind = ?1 AND id = ?2")?.execute([kind, id])?;
        place.horizon = place.horizon.max(*at);
    }
    let last = passed.into_iter().next_back().filter(|_| full).map(|(at, kind, id, _)| (at, kind, id));
    pruner.raises = last.unwrap_or((i64::MIN, String::new(), String::new()));
    Ok(())
}

/// A code used a second time ends the family its use began (RFC 6749 §4.1.2), so
/// a spent code is remembered exactly as long as that family.
fn families(db: &Connection, before: i64) -> rusqlite::Result<()> {
    let dead: Vec<String> = db
        .prepare_cached("SELECT id FROM token_family WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2")?
        .query_map(params![before, ROUND], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &dead {
        db.prepare_cached("DELETE FROM authorization_code WHERE family = ?1 AND used_at IS NOT NULL")?.execute([id])?;
        db.prepare_cached("DELETE FROM token_family WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

/// They ended nothing and began nothing.
fn unused_codes(db: &Connection, before: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM authorization_code WHERE id IN (SELECT id FROM authorization_code
         WHERE used_at IS NULL AND expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
    )?
    .execute(params![before, ROUND])?;
    Ok(())
}

/// An ended login stays while a family that began in it lives. The walk goes on
/// where the last round stopped, so that those that stay cost each round little.
fn browser_sessions(db: &Connection, pruner: &mut Pruner, before: i64) -> rusqlite::Result<()> {
    let (expires, id) = &pruner.sessions;
    let candidates: Vec<(i64, String)> = db
        .prepare_cached(
            "SELECT expires_at, id FROM browser_session WHERE (expires_at, id) > (?1, ?2) AND expires_at < ?3
             ORDER BY expires_at, id LIMIT ?4",
        )?
        .query_map(params![expires, id, before, ROUND], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (_, id) in &candidates {
        db.prepare_cached(
            "DELETE FROM browser_session WHERE id = ?1 AND NOT EXISTS
             (SELECT 1 FROM token_family WHERE token_family.session = ?1 AND token_family.expires_at > ?2)",
        )?
        .execute(params![id, before])?;
    }
    pruner.sessions = candidates.into_iter().next_back().unwrap_or((i64::MIN, String::new()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_that_stay_do_not_keep_later_ones_from_going_and_cost_a_round_little() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("layout/0001.sql")).unwrap();
        let now = 100 * DAY;
        let mut insert = db
            .prepare("INSERT INTO raised (kind, id, epoch, end_epoch, number, at, token_expires) VALUES (?1, ?2, 1, 1, 1, ?3, ?4)")
            .unwrap();
        for token in 0..ROUND + 10 {
            insert.execute(params!["j", format!("t{token}"), 1, now]).unwrap();
        }
        insert.execute(params!["b", "bnd_1", 2, None::<i64>]).unwrap();
        let left = || -> i64 { db.query_row("SELECT count(*) FROM raised", [], |row| row.get(0)).unwrap() };
        let mut pruner = Pruner::new(DAY);
        let mut place = Place { number: 1, time: 0, horizon: 0 };
        prune(&db, &mut pruner, &mut place, now).unwrap();
        assert_eq!((left(), place.horizon), (ROUND + 11, 0), "so many are enough for one round");
        prune(&db, &mut pruner, &mut place, now).unwrap();
        assert_eq!((left(), place.horizon), (ROUND + 10, 2));
        // Once their time has come, the tokens go as well, from the start again.
        for _ in 0..2 {
            prune(&db, &mut pruner, &mut place, now + TOKEN_MEMORY + 1).unwrap();
        }
        assert_eq!(left(), 0);
    }
}
