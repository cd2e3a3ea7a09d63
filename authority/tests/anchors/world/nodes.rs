//! What nodes do with raises: begun, committed, told, read, forgotten; and how nodes come and go.

use super::*;

impl<D: Door> World<D> {
    pub(super) fn begin(&mut self, node: usize, wish: Wish) {
        if self.nodes[node].door.is_some() && self.writes(node) && self.nodes[node].writing.is_none() {
            let early = self.keep.early_number();
            self.nodes[node].writing = Some(Writing::Begun(wish, early));
        }
    }

    pub(super) fn commit(&mut self, node: usize) {
        let Some(Writing::Begun(wish, early)) = self.nodes[node].writing.clone() else { return };
        let (now, of) = (self.now(node), self.raises.len());
        self.nodes[node].writing = None;
        let Some(raised) = self.keep.commit(&wish, now, early, of) else { return };
        let generation = self.keep.generation;
        self.raises.push(Truth { anchor: wish.anchor, kind: wish.kind, at: self.time, generation });
        if self.numbers == Numbers::Inside {
            self.saw_the_store(node);
        }
        self.nodes[node].writing = Some(Writing::Committed((raised.anchor, raised.epochs, raised.numbered_at), of));
    }

    /// What is erased was ended by the same commit.
    pub(super) fn erase(&mut self, anchor: Anchor) {
        if self.nodes[0].door.is_none() || self.nodes[0].writing.is_some() {
            return;
        }
        self.begin(0, Wish { anchor: anchor.clone(), kind: RaiseKind::End, token_expires: None });
        self.commit(0);
        self.keep.erase(&anchor);
    }

    /// The committing node raises its own index, then it answers.
    pub(super) fn reply(&mut self, node: usize) {
        let Some(Writing::Committed(raised, of)) = self.nodes[node].writing.clone() else { return };
        self.nodes[node].writing = None;
        let raises = if self.rules.hold(Rule::OwnIndexBeforeReply) { vec![(raised, of)] } else { Vec::new() };
        let told = BTreeSet::from([of]);
        self.take_in(node, raises, told);
    }

    /// Raises enter the index, then connections are looked up.
    pub(super) fn take_in(&mut self, node: usize, raises: Vec<(Told, usize)>, told: BTreeSet<usize>) {
        if !self.rules.hold(Rule::IndexThenConnections) {
            self.close_dead(node);
            self.nodes[node].late.extend(raises);
            self.nodes[node].lookup = true;
            return;
        }
        for (raised, _) in &raises {
            self.enter(node, raised);
        }
        self.nodes[node].learnt.extend(told);
        self.nodes[node].lookup = true;
    }

    pub(super) fn enter(&mut self, node: usize, (anchor, epochs, numbered_at): &Told) {
        if let Some(door) = &mut self.nodes[node].door {
            door.raise(&crate::door::told(anchor, *epochs, *numbered_at));
        }
    }

    pub(super) fn look_up_connections(&mut self, node: usize) {
        if self.nodes[node].lookup && self.rules.hold(Rule::IndexThenConnections) {
            self.close_dead(node);
        }
        for (raised, of) in core::mem::take(&mut self.nodes[node].late) {
            self.enter(node, &raised);
            self.nodes[node].learnt.insert(of);
        }
        self.nodes[node].lookup = false;
    }

    pub(super) fn close_dead(&mut self, node: usize) {
        let now = self.now(node);
        for token in self.nodes[node].connections.clone() {
            let shown = &self.tokens[token].shown;
            if self.nodes[node].door.as_mut().is_some_and(|door| door.verify(shown, now).is_err()) {
                self.nodes[node].connections.remove(&token);
            }
        }
    }

    /// A connection is registered, then checked.
    pub(super) fn connect(&mut self, node: usize, token: usize) {
        let free = self.nodes[node].door.is_some() && self.nodes[node].connecting.is_none();
        let Some(token) = self.token(token).filter(|_| free) else { return };
        if self.rules.hold(Rule::RegisteredThenChecked) {
            self.nodes[node].connections.insert(token);
            self.nodes[node].connecting = Some(token);
        } else if self.alive_at(node, token) {
            self.nodes[node].connecting = Some(token);
        }
    }

    pub(super) fn connected(&mut self, node: usize) {
        let Some(token) = self.nodes[node].connecting.take() else { return };
        if !self.rules.hold(Rule::RegisteredThenChecked) {
            self.nodes[node].connections.insert(token);
        } else if !self.alive_at(node, token) {
            self.nodes[node].connections.remove(&token);
        }
    }

    pub(super) fn alive_at(&mut self, node: usize, token: usize) -> bool {
        let now = self.now(node);
        let shown = &self.tokens[token].shown;
        self.nodes[node].door.as_mut().is_some_and(|door| door.verify(shown, now).is_ok())
    }

    // Following.

    pub(super) fn read(&mut self, node: usize) {
        if self.nodes[node].door.is_none() || (self.numbers == Numbers::Inside && node == 0) {
            return;
        }
        if self.writes(node) {
            self.keep.number(self.now(node));
            self.saw_the_store(node);
        }
        let foreign = (self.nodes[node].generation != self.keep.generation).then(|| self.keep.snapshot());
        let (entries, head) = self.keep.page(self.nodes[node].cursor);
        let raises = self.raises.len();
        self.nodes[node].reading = Some(Reading { entries, head, began: self.time, foreign, raises });
    }

    pub(super) fn apply(&mut self, node: usize) -> Result<(), Broken> {
        let Some(reading) = self.nodes[node].reading.take() else { return Ok(()) };
        let (generation, store_generation) = (self.nodes[node].generation, self.keep.generation);
        match reading.foreign {
            Some(snapshot) if generation != store_generation => self.load_anew(node, &snapshot, reading.raises),
            Some(_) => return Ok(()),
            None => {
                let told = reading.entries.iter().map(|entry| entry.of).collect();
                let raises = reading.entries.into_iter();
                let raises = raises.map(|it| ((it.anchor, it.epochs, it.number.map(|_| it.at)), it.of)).collect();
                self.take_in(node, raises, told);
                if let Some(door) = &mut self.nodes[node].door {
                    door.learn(reading.head.horizon, reading.head.time);
                }
                self.nodes[node].cursor = reading.head.number;
            }
        }
        let node = &mut self.nodes[node];
        node.began = reading.began;
        let of_the_start = self.rules.hold(Rule::FreshnessIsOfTheStart);
        node.says_fresh_since = if of_the_start { reading.began } else { self.time };
        let known = |of: usize| node.learnt.contains(&of) || node.late.iter().any(|(_, late)| *late == of);
        let skipped = (0..reading.raises).find(|of| self.raises[*of].generation == node.generation && !known(*of));
        skipped.map_or(Ok(()), |of| Err(format!("a cursor passed raise {of} by")))
    }

    /// Another generation: what was known says nothing any more.
    pub(super) fn load_anew(&mut self, node: usize, snapshot: &Snapshot, raises: usize) {
        if let Some(door) = &mut self.nodes[node].door {
            door.rebuild(snapshot);
        }
        let learnt = (0..raises).filter(|of| self.raises[*of].generation == self.keep.generation).collect();
        let node = &mut self.nodes[node];
        (node.generation, node.cursor, node.learnt) = (self.keep.generation, snapshot.number, learnt);
        (node.looking, node.late, node.lookup) = (None, Vec::new(), true);
    }

    pub(super) fn beat(&mut self, node: usize) {
        if self.nodes[node].door.is_none() || !self.writes(node) {
            return;
        }
        let now = self.now(node);
        self.keep.prune(now);
        self.saw_the_store(node);
        let head = self.keep.head;
        if let Some(door) = &mut self.nodes[node].door {
            door.learn(head.horizon, head.time);
        }
    }

    pub(super) fn look(&mut self, node: usize) {
        if self.nodes[node].door.is_some() && self.nodes[node].generation == self.keep.generation {
            self.nodes[node].looking = Some((self.keep.snapshot(), self.keep.generation, self.raises.len()));
        }
    }

    pub(super) fn rebuild(&mut self, node: usize) {
        let Some((snapshot, generation, raises)) = self.nodes[node].looking.take() else { return };
        if let Some(door) = &mut self.nodes[node].door {
            door.rebuild(&snapshot);
        }
        let learnt = (0..raises).filter(|of| self.raises[*of].generation == generation);
        self.nodes[node].learnt.extend(learnt);
        self.nodes[node].lookup = true;
    }

    pub(super) fn stop(&mut self, node: usize) {
        if self.nodes[node].door.is_none() {
            return;
        }
        let stopped_at = Some(self.keep.snapshot());
        self.nodes[node] = Node { stopped_at, ..Node::down(self.nodes[node].offset) };
    }

    /// Head, horizon and all raises in one snapshot, before anything listens.
    pub(super) fn start(&mut self, node: usize) {
        if self.nodes[node].door.is_some() {
            return;
        }
        let mut snapshot = self.keep.snapshot();
        if let Some(earlier) = self.nodes[node].stopped_at.take()
            && !self.rules.hold(Rule::StartIsOneSnapshot)
        {
            snapshot.raises = earlier.raises;
        }
        let learnt = (0..self.raises.len()).filter(|of| self.raises[*of].generation == self.keep.generation).collect();
        let door = D::open(&snapshot, self.keep.life, self.rules);
        let (generation, life, time) = (self.keep.generation, self.keep.life, self.time);
        let it = &mut self.nodes[node];
        (it.door, it.generation, it.life, it.cursor) = (Some(door), generation, life, snapshot.number);
        (it.began, it.says_fresh_since, it.store, it.learnt) = (time, time, (snapshot.time, time), learnt);
        it.stopped_at = None;
    }

    /// The store as it was, under a new generation; those at the store start anew.
    pub(super) fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        let at_the_store: Vec<usize> = (0..2).filter(|node| self.writes(*node)).collect();
        at_the_store.iter().for_each(|node| self.stop(*node));
        self.generations += 1;
        self.keep = backup;
        self.keep.generation = self.generations;
        at_the_store.iter().for_each(|node| self.start(*node));
    }

    // The properties.
}
