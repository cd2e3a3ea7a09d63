//! What nodes hand out: tokens, what is exchanged for them, renewals, grants.

use super::*;

impl<D: Door> World<D> {
    pub(super) fn token(&self, number: usize) -> Option<usize> {
        let last = self.tokens.len().checked_sub(1)?;
        Some(if number == LAST { last } else { number % self.tokens.len() })
    }

    pub(super) fn may_issue(&self, node: usize) -> bool {
        self.nodes[node].door.is_some() && self.writes(node) && self.near_the_store(node)
    }

    pub(super) fn load(&mut self, node: usize, mask: usize) {
        if !self.may_issue(node) {
            return;
        }
        let wanted = anchors(mask);
        let found: Option<Vec<(Anchor, u64)>> =
            wanted.into_iter().map(|it| self.keep.epochs(&it).map(|epochs| (it, epochs.epoch))).collect();
        let (drawn, seen) = (self.now(node), self.raises.len());
        self.nodes[node].loading = found.map(|found| Loading { found, drawn, seen });
    }

    pub(super) fn issue(&mut self, node: usize) {
        let Some(Loading { mut found, drawn, seen }) = self.nodes[node].loading.take() else { return };
        if self.nodes[node].generation != self.keep.generation {
            return;
        }
        let now = if self.rules.hold(Rule::NowIsDrawnFirst) { drawn } else { self.now(node) };
        if !self.rules.hold(Rule::EpochsOfTheLoad) {
            for (anchor, epoch) in &mut found {
                *epoch = self.keep.epochs(anchor).map_or(*epoch, |epochs| epochs.epoch);
            }
        }
        let rests_on = found.iter().map(|(anchor, _)| (anchor.clone(), seen)).collect();
        let listed = found.into_iter().map(|(anchor, epoch)| anchor.at(epoch)).collect();
        self.hand_out(now, now + self.nodes[node].life, listed, rests_on);
    }

    pub(super) fn hand_out(
        &mut self,
        iat: i64,
        exp: i64,
        mut listed: Vec<AnchorEpoch>,
        rests_on: Vec<(Anchor, usize)>,
    ) {
        listed.insert(0, Anchor::new(AnchorKind::Tenant, self.keep.generation()).at(0));
        self.show(iat, exp, listed, rests_on);
    }

    pub(super) fn show(&mut self, iat: i64, exp: i64, anchors: Vec<AnchorEpoch>, rests_on: Vec<(Anchor, usize)>) {
        let jti = format!("j{}", self.tokens.len());
        let mut shown = Shown { jti, iat, exp, anchors, text: None };
        shown.text = D::READS_TEXT.then(|| seal(&shown));
        let (generation, least_life) = (self.keep.generation, self.keep.life);
        self.tokens.push(Token { shown, rests_on, generation, least_life });
    }

    pub(super) fn bare(&mut self) {
        self.show(self.time, self.time + self.keep.life, Vec::new(), Vec::new());
    }

    /// Whether anything a token rests on was raised since, in truth.
    pub(super) fn is_stale(&self, token: usize) -> bool {
        (0..self.raises.len()).any(|raise| self.strikes(raise, token))
    }

    pub(super) fn strikes(&self, raise: usize, token: usize) -> bool {
        let (truth, token) = (&self.raises[raise], &self.tokens[token]);
        let hit = |(anchor, seen): &(Anchor, usize)| truth.anchor == *anchor && raise >= *seen;
        truth.generation == token.generation
            && (truth.anchor == own(&token.shown.jti) || token.rests_on.iter().any(hit))
    }

    /// The exchange checks epochs in its own load; what it makes inherits them,
    /// or, where a bond is made, hangs from that alone.
    pub(super) fn trade(&mut self, node: usize, token: usize, alone: bool) -> Result<(), Broken> {
        let Some(token) = self.token(token).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let (now, input) = (self.now(node), self.tokens[token].clone());
        let verdict = self.nodes[node].door.as_mut().map(|door| door.verify(&input.shown, now));
        if verdict != Some(Ok(())) || now >= input.shown.exp {
            return Ok(());
        }
        if self.rules.hold(Rule::ExchangeAsksTheStore) {
            let alive = |listed: &AnchorEpoch| {
                self.keep.epochs(&listed.anchor).is_some_and(|epochs| listed.epoch >= epochs.epoch)
            };
            let own = own(&input.shown.jti).at(0);
            if !input.shown.anchors.iter().chain([&own]).all(alive) {
                return Ok(());
            }
        }
        if self.is_stale(token) {
            return Err(format!("a dead token ({}) was traded", input.shown.jti));
        }
        let bond = anchor(1);
        let Some(epochs) = self.keep.epochs(&bond) else { return Ok(()) };
        let fresh = (bond.clone(), self.raises.len());
        let end = input.shown.exp.min(now + self.nodes[node].life);
        if alone {
            self.hand_out(now, end, vec![bond.at(epochs.epoch)], vec![fresh]);
            return Ok(());
        }
        let mut rests_on = input.rests_on.clone();
        rests_on.push((own(&input.shown.jti), 0));
        let mut listed: Vec<AnchorEpoch> = input.shown.anchors.into_iter().skip(1).collect();
        listed.push(own(&input.shown.jti).at(0));
        if !self.rules.hold(Rule::InputsAreInherited) {
            listed = vec![bond.at(epochs.epoch)];
        }
        self.hand_out(now, end, listed, rests_on);
        Ok(())
    }

    /// Renewal speaks of dead tokens too: only an end stands against it.
    pub(super) fn renew(&mut self, node: usize, token: usize) -> Result<(), Broken> {
        let Some(token) = self.token(token).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let (now, input) = (self.now(node), self.tokens[token].clone());
        if input.shown.anchors.is_empty() || now > input.shown.exp + RENEWAL {
            return Ok(());
        }
        let alive = |listed: &AnchorEpoch| {
            self.keep.epochs(&listed.anchor).is_some_and(|epochs| listed.epoch >= epochs.end_epoch)
        };
        let own_epochs = self.keep.epochs(&own(&input.shown.jti)).unwrap_or_default();
        if !input.shown.anchors.iter().all(alive) || own_epochs.epoch > 0 {
            self.seen.renewal_refused += 1;
            return Ok(());
        }
        let ended =
            (0..self.raises.len()).any(|raise| self.raises[raise].kind == RaiseKind::End && self.strikes(raise, token));
        if ended || input.generation != self.keep.generation {
            return Err(format!("an ended token ({}) was renewed", input.shown.jti));
        }
        self.seen.renewed += 1;
        let listed = input.shown.anchors.iter().skip(1).filter(|listed| listed.anchor.kind != AnchorKind::Token);
        let present: Option<Vec<AnchorEpoch>> = listed
            .map(|listed| self.keep.epochs(&listed.anchor).map(|epochs| listed.anchor.clone().at(epochs.epoch)))
            .collect();
        let Some(present) = present else { return Ok(()) };
        let rests_on = present.iter().map(|listed| (listed.anchor.clone(), self.raises.len())).collect();
        self.hand_out(now, now + self.nodes[node].life, present, rests_on);
        Ok(())
    }

    pub(super) fn grant(&mut self, node: usize, mask: usize) {
        if !self.may_issue(node) {
            return;
        }
        let listed: Option<Vec<AnchorEpoch>> =
            anchors(mask).into_iter().map(|it| self.keep.epochs(&it).map(|epochs| it.at(epochs.epoch))).collect();
        if let Some(listed) = listed {
            self.grants.push(Grant { listed, seen: self.raises.len(), generation: self.keep.generation });
        }
    }

    /// A grant dies by an end, never by a cut.
    pub(super) fn refresh(&mut self, node: usize, grant: usize) -> Result<(), Broken> {
        let Some(grant) = grant.checked_rem(self.grants.len()).filter(|_| self.may_issue(node)) else { return Ok(()) };
        let grant = self.grants[grant].clone();
        let alive = |listed: &AnchorEpoch| match self.keep.epochs(&listed.anchor) {
            Some(epochs) if !self.rules.hold(Rule::CutSparesGrants) => listed.epoch >= epochs.epoch,
            Some(epochs) => listed.epoch >= epochs.end_epoch || !self.rules.hold(Rule::EndedGrantIsDead),
            None => !self.rules.hold(Rule::MissingIsDead),
        };
        let yields = grant.listed.iter().all(alive) && grant.generation == self.keep.generation;
        let hits = |truth: &Truth| grant.listed.iter().any(|listed| listed.anchor == truth.anchor);
        let ended = self
            .raises
            .iter()
            .skip(grant.seen)
            .any(|truth| truth.generation == grant.generation && truth.kind == RaiseKind::End && hits(truth))
            || grant.generation != self.keep.generation;
        match (yields, ended) {
            (true, true) => return Err("an ended grant yields".to_owned()),
            (false, false) => return Err("a grant died that nothing ended".to_owned()),
            (true, false) => self.seen.refreshed += 1,
            (false, true) => self.seen.refresh_refused += 1,
        }
        if yields {
            let now = self.now(node);
            let present = grant.listed.iter().filter_map(|listed| {
                self.keep.epochs(&listed.anchor).map(|epochs| listed.anchor.clone().at(epochs.epoch))
            });
            let present: Vec<AnchorEpoch> = present.collect();
            let rests_on = present.iter().map(|listed| (listed.anchor.clone(), self.raises.len())).collect();
            self.hand_out(now, now + self.nodes[node].life, present, rests_on);
        }
        Ok(())
    }

    // Raising.
}
