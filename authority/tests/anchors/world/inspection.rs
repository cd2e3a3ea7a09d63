//! What must hold of every token at every node, after every step.

use super::*;

impl<D: Door> World<D> {
    /// Whether a door lets a token pass; `None` where it is down.
    pub(super) fn passes(&mut self, node: usize, token: usize) -> Option<bool> {
        let (now, time) = (self.now(node), self.time);
        let it = &mut self.nodes[node];
        let alive = it.door.as_mut()?.verify(&self.tokens[token].shown, now).is_ok();
        let own_store = self.numbers == Numbers::Inside && node == 0;
        let age = if own_store { 0 } else { time - it.says_fresh_since };
        let unknown_stale = age > FRESH && !it.known.contains(&token) && self.rules.hold(Rule::StaleRefusesUnknown);
        let too_stale = age > MAX_STALE && self.rules.hold(Rule::StaleEndsAtLast);
        Some(alive && !unknown_stale && !too_stale)
    }

    pub(super) fn inspect(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            if self.nodes[node].door.is_none() {
                continue;
            }
            for token in 0..self.tokens.len() {
                self.inspect_token(node, token)?;
            }
            let it = &self.nodes[node];
            let dead = |token: &&usize| it.learnt.iter().any(|raise| self.strikes(*raise, **token));
            let settled = !it.lookup && it.connecting.is_none();
            if let Some(token) = it.connections.iter().filter(|_| settled).find(dead) {
                return Err(format!("node {node} keeps a connection of dead token {token}"));
            }
        }
        Ok(())
    }

    pub(super) fn inspect_token(&mut self, node: usize, token: usize) -> Result<(), Broken> {
        let now = self.now(node);
        let it = &mut self.nodes[node];
        let shown = &self.tokens[token].shown;
        let Some(verdict) = it.door.as_mut().map(|door| door.verify(shown, now)) else { return Ok(()) };
        let told = format!("token {token} at node {node}, clock {now}");
        match verdict {
            Ok(()) => {
                self.seen.passed += 1;
                self.may_live(node, token, now).map_err(|why| format!("{told} lives, but {why}"))?;
            }
            Err(cause) => {
                self.seen.refused[cause as usize] += 1;
                if !self.excuses(node, token, now, cause) {
                    return Err(format!("{told} died by {cause:?} without a cause"));
                }
            }
        }
        if self.passes(node, token) != Some(true) {
            return Ok(());
        }
        let it = &self.nodes[node];
        let own_store = self.numbers == Numbers::Inside && node == 0;
        let known = it.known.contains(&token);
        if !own_store && !known && self.time - it.began > FRESH {
            return Err(format!("{told} is unknown and passed a stale door"));
        }
        let promised = if known { MAX_STALE } else { FRESH };
        let late = |raise: &usize| self.strikes(*raise, token) && self.time - self.raises[*raise].at > promised;
        match (0..self.raises.len()).find(late) {
            Some(raise) if !own_store => Err(format!("{told} outlived raise {raise} beyond what is promised")),
            _ => Ok(()),
        }
    }

    /// No token outlives what the door knows was raised, whatever clocks do.
    pub(super) fn may_live(&self, node: usize, token: usize, now: i64) -> Result<(), Broken> {
        let (it, token_) = (&self.nodes[node], &self.tokens[token]);
        let shown = &token_.shown;
        if let Some(raise) = it.learnt.iter().find(|raise| self.strikes(**raise, token)) {
            return Err(format!("raise {raise} ({}) is known there", self.raises[*raise].anchor));
        }
        if token_.shown.anchors.is_empty() {
            return Err("it hangs from nothing".to_owned());
        }
        if token_.generation != it.generation {
            return Err("it is of another generation".to_owned());
        }
        if now > shown.exp + GRACE || shown.exp - shown.iat > it.life || shown.iat > now + SKEW {
            return Err("its times forbid it".to_owned());
        }
        Ok(())
    }

    /// None dies without a cause.
    pub(super) fn excuses(&self, node: usize, token: usize, now: i64, cause: Cause) -> bool {
        let (it, token_) = (&self.nodes[node], &self.tokens[token]);
        let shown = &token_.shown;
        match cause {
            Cause::NoAnchors => shown.anchors.is_empty(),
            Cause::OtherGeneration => token_.generation != it.generation,
            // Past its life by the store's own time, or since lives were shortened.
            Cause::BeforeHorizon => shown.exp < self.greatest_time || shown.exp - shown.iat > token_.least_life,
            Cause::FromTheFuture => shown.iat > now + SKEW,
            Cause::Raised => self.is_stale(token),
            Cause::Expired => now > shown.exp + GRACE,
            Cause::LifeTooLong => shown.exp - shown.iat > it.life,
        }
    }
}
